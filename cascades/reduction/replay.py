"""The rule replayed for one synapse, event by event, in plain Python: the reference.

Between jumps calcium decays exponentially, so the times at which it crosses a threshold are known.
In between the rates are constant: without a well the solution is an exponential, with a tabulated
well an exponential per row of the table, with the cubic well a Taylor series of order 16 whose step
keeps the last terms below rounding.  Graded rates and a phosphatase filter are integrated by the
classical Runge-Kutta method in steps of 1/64 of the decay times, cut where calcium passes a step threshold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.reduction.rule import saturation

if TYPE_CHECKING:
    from cascades.reduction.rule import CalciumRule, WellTable

TAYLOR_ORDER = 16
STEPS_PER_DECAY = 64
GONE = 1e-9  # calcium above rest, relative to the jumps, at which a graded rule takes it as resting


def replay(
    rule: CalciumRule, pre: Any, post: Any, times: Any, *, rho: float = 0.0, phosphatase: float | None = None
) -> np.ndarray:
    """Efficacy at sorted `times` [s], shape (times,), for spikes `pre`, `post` [s]; rho at time 0."""
    times = np.asarray(times, dtype=float).ravel()
    if times.size and (times[0] < 0.0 or (np.diff(times) < 0.0).any()):
        raise ValueError("times must be sorted and not negative; the replay starts at 0")
    jumps, sizes = rule.calcium.jumps(pre, post)
    if jumps.size and jumps[0] < 0.0:
        raise ValueError(f"a spike acts at {jumps[0]:g} s, before the replay starts at 0")
    stops = sorted(
        [(t, 0, size) for t, size in zip(jumps, sizes, strict=True)] + [(t, 1, 0.0) for t in times]
    )
    segment = _graded_segment if rule.rates is not None or rule.filter is not None else _step_segment
    resting = float(rule.filter.resting(rule.calcium.rest)) if rule.filter else 0.0
    state = (float(rho), resting if phosphatase is None else float(phosphatase))
    excess, now, found = 0.0, 0.0, []
    for t, is_reading, size in stops:
        state = segment(rule, state, excess, t - now)
        excess = excess * math.exp(-(t - now) / rule.calcium.tau) + size
        now = t
        if is_reading:
            found.append(state[0])
    return np.array(found)


def _step_segment(
    rule: CalciumRule, state: tuple[float, float], excess: float, duration: float
) -> tuple[float, float]:
    """`duration` [s] of decay from `excess` calcium above rest, with step thresholds."""
    rho, trace = state[0], rule.calcium
    end_p = min(duration, _time_above(rule.theta_p - trace.rest, excess, trace.tau))
    end_d = min(duration, _time_above(rule.theta_d - trace.rest, excess, trace.tau))
    begin = 0.0
    for end in sorted((end_p, end_d, duration)):
        up = rule.gamma_p if end <= end_p else 0.0
        down = rule.gamma_d if end <= end_d else 0.0
        rho = _flat(rule, rho, up, down, end - begin)
        begin = end
    return rho, state[1]


def _time_above(threshold: float, excess: float, tau: float) -> float:
    """How long a decaying excess stays above a threshold (both above rest)."""
    if threshold < 0.0:
        return math.inf
    if excess <= threshold:
        return 0.0
    return tau * math.log(excess / threshold) if threshold > 0.0 else math.inf


def _flat(rule: CalciumRule, rho: float, up: float, down: float, duration: float) -> float:
    """`duration` [s] of rho' = up (1 - rho) - down rho + well(rho)."""
    if duration <= 0.0:
        return rho
    if rule.well == "cubic":
        # rho' = a0 + a1 rho + a2 rho^2 + a3 rho^3
        k = 1.0 / rule.tau
        a = (up, -up - down - k * rule.rho_star, k * (1.0 + rule.rho_star), -k)
        return _taylor(rho, a, duration)
    if rule.well_table is not None:
        return _piecewise_linear(rule.well_table, rho, up, down, duration)
    return _linear(rho, up, -(up + down), duration)


def _linear(rho: float, a: float, b: float, duration: float) -> float:
    """rho' = a + b rho."""
    x = b * duration
    growth = math.expm1(x) / x if abs(x) > 1e-12 else 1.0
    return rho + (a + b * rho) * growth * duration


def _taylor(rho: float, a: tuple[float, float, float, float], duration: float) -> float:
    n = TAYLOR_ORDER
    left = duration
    while left > 0.0:
        x, x2, x3 = [rho], [], []  # Taylor coefficients of rho, rho^2, rho^3
        for k in range(n):
            x2.append(sum(x[i] * x[k - i] for i in range(k + 1)))
            x3.append(sum(x2[i] * x[k - i] for i in range(k + 1)))
            x.append((a[1] * x[k] + a[2] * x2[k] + a[3] * x3[k] + (a[0] if k == 0 else 0.0)) / (k + 1))
        tail = max(abs(x[n]) ** (1.0 / n), (abs(x[n - 1]) + 1e-300) ** (1.0 / (n - 1)), 1e-300)
        h = min(left, 0.08 / tail)  # 0.08^16 = 3e-18
        rho = math.fsum(c * h**k for k, c in enumerate(x))
        left -= h
    return rho


def _piecewise_linear(table: WellTable, rho: float, up: float, down: float, duration: float) -> float:
    """The well is linear between rows: exponentials, one row after the other."""
    x, y = np.array(table.rho), np.array(table.drift)
    slope = np.diff(y) / np.diff(x)
    cell = int(np.clip(np.searchsorted(x, rho, "right") - 1, 0, x.size - 2))
    left = duration
    while left > 0.0:
        a = up + y[cell] - slope[cell] * x[cell]
        b = slope[cell] - up - down
        speed = a + b * rho
        if speed == 0.0:
            return rho
        step = 1 if speed > 0.0 else -1
        edge = x[cell + 1] if speed > 0.0 else x[cell]
        is_last = not 0 <= cell + step <= x.size - 2
        wait = math.inf if is_last else _time_to(edge, rho, a, b)
        if wait >= left:
            return float(_linear(rho, a, b, left))
        rho, left, cell = float(edge), left - wait, cell + step
    return rho


def _time_to(edge: float, rho: float, a: float, b: float) -> float:
    """When rho' = a + b rho reaches `edge`; infinite if it never does."""
    if edge == rho:
        return 0.0
    if abs(b) < 1e-300:
        return (edge - rho) / a
    ratio = (a + b * edge) / (a + b * rho)
    return math.log(ratio) / b if ratio > 0.0 else math.inf


def _graded_segment(
    rule: CalciumRule, state: tuple[float, float], excess: float, duration: float
) -> tuple[float, float]:
    """`duration` [s] of decay with graded rates, a filter, or both."""
    trace = rule.calcium
    scale = max(trace.pre, trace.post, 1e-300)
    active = min(duration, trace.tau * math.log(max(excess / (GONE * scale), 1.0)))
    begin = 0.0
    for end in _cuts(rule, excess, active):
        state = _runge_kutta(rule, state, excess * math.exp(-begin / trace.tau), end - begin, trace.tau)
        begin = end
    if rule.filter is None:
        up, down = (float(rate) for rate in rule.rates_at(trace.rest))
        return _flat(rule, state[0], up, down, duration - active), state[1]
    return _runge_kutta(rule, state, 0.0, duration - active, math.inf)


def _cuts(rule: CalciumRule, excess: float, duration: float) -> list[float]:
    """When rates jump while calcium decays, then the end: no step goes over a jump."""
    if rule.rates is not None:
        return [duration]
    above = (
        _time_above(x - rule.calcium.rest, excess, rule.calcium.tau) for x in (rule.theta_d, rule.theta_p)
    )
    return [*sorted(t for t in above if 0.0 < t < duration), duration]


def _runge_kutta(
    rule: CalciumRule, state: tuple[float, float], excess: float, duration: float, decay: float
) -> tuple[float, float]:
    if duration <= 0.0:
        return state
    calcium = rule.calcium.rest + excess
    fastest = 1.0 / rule.tau if rule.well == "cubic" else 0.0
    fastest += float(sum(rule.rates_at(calcium)))
    if rule.filter is not None:
        on, off = (float(rate) for rate in rule.filter.at(calcium))
        fastest += rule.filter.depression(1.0, 0.0) + on + off * saturation(0.0, rule.filter.half_m)
    steps = max(1, math.ceil(duration * max(STEPS_PER_DECAY / decay, 8.0 * fastest)))
    h = duration / steps
    middle = rule.calcium.rest + excess * math.exp(-0.5 * duration / rule.calcium.tau)
    held = rule.rates_at(middle) if rule.rates is None else None
    for i in range(steps):
        state = _runge_kutta_step(rule, held, state, excess, i * h, h)
    return state


def _runge_kutta_step(
    rule: CalciumRule, held: Any, state: tuple[float, float], excess: float, t: float, h: float
) -> tuple[float, float]:
    """`held`: potentiation and depression rate, where they are constant between two thresholds."""

    def slope(at: float, rho: float, m: float) -> tuple[float, float]:
        calcium = rule.calcium.rest + excess * math.exp(-at / rule.calcium.tau)
        up, down = (float(rate) for rate in (rule.rates_at(calcium) if held is None else held))
        well = float(rule.drift_at_rest(rho))
        if rule.filter is None:
            return up * (1.0 - rho) - down * rho + well, 0.0
        down = rule.filter.depression(m, rho)
        return up * (1.0 - rho) - down * rho + well, rule.filter.drift(calcium, m)

    rho, m = state
    k1 = slope(t, rho, m)
    k2 = slope(t + h / 2, rho + h / 2 * k1[0], m + h / 2 * k1[1])
    k3 = slope(t + h / 2, rho + h / 2 * k2[0], m + h / 2 * k2[1])
    k4 = slope(t + h, rho + h * k3[0], m + h * k3[1])
    return (
        rho + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0]),
        m + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1]),
    )
