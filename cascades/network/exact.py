"""The rule in double precision, one synapse at a time, at any spike times: the compiled reference.

It knows everything that a rule can be (steps, graded rates, wells, phosphatase filter, noise), uses no table
of its own and no grid, and is what the lanes are tested against.  Times here are in s, as in the rule.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from cascades.network.calcium import CalciumShape, SaturatingPump, SlowRise
from cascades.network.compiled import compiled
from cascades.network.counter import normal_number
from cascades.reduction.rule import CalciumRule

scalar: Any = njit(error_model="numpy", nogil=True)

ORDER = 14  # of the Taylor series in a cubic well
REACH = 0.06  # of the radius of convergence: 0.06**14 = 8e-18
STEPS_PER_DECAY = 64  # Runge-Kutta steps where rates are graded
GONE = 1e-9  # calcium above rest, relative to the jumps, at which graded rates are those at rest
NO_WELL, CUBIC, TABULATED = range(3)


class ExactRule(NamedTuple):
    theta_d: float
    theta_p: float
    gamma_d: float
    gamma_p: float
    tau: float
    star: float
    variance: float  # sigma^2 / tau
    rest: float
    pre: float
    post: float
    tau_ca: float
    delay: float
    well: int
    well_x: np.ndarray
    well_y: np.ndarray
    graded: bool
    rate_c: np.ndarray
    rate_up: np.ndarray
    rate_down: np.ndarray
    filtered: bool
    gain: float
    filter_c: np.ndarray
    filter_on: np.ndarray
    filter_off: np.ndarray
    half_rho: float  # where depression and the phosphatase's off saturate; infinite: nowhere
    half_m: float
    resting: float  # phosphatase at rest
    half: float  # of a pump that saturates; infinite: none
    rise: float  # 0: a jump
    height: float  # of a jump


def exact_rule(rule: CalciumRule, shape: CalciumShape | None = None) -> ExactRule:
    """The numbers of a rule as compiled code reads them."""
    none = np.zeros(2)
    wells = {"none": NO_WELL, "cubic": CUBIC, "table": TABULATED}
    table, rates = rule.well_table, rule.rates
    return ExactRule(
        rule.theta_d, rule.theta_p, rule.gamma_d, rule.gamma_p, rule.tau, rule.rho_star,
        rule.sigma**2 / rule.tau,
        rule.calcium.rest, rule.calcium.pre, rule.calcium.post, rule.calcium.tau, rule.calcium.delay,
        wells[rule.well],
        none if table is None else np.array(table.rho),
        none if table is None else np.array(table.drift),
        rates is not None,
        none if rates is None else np.array(rates.calcium),
        none if rates is None else np.array(rates.potentiation),
        none if rates is None else np.array(rates.depression),
        rule.filter is not None,
        rule.filter.gain if rule.filter else 0.0,
        none if rule.filter is None else np.array(rule.filter.calcium),
        none if rule.filter is None else np.array(rule.filter.on),
        none if rule.filter is None else np.array(rule.filter.off),
        rule.filter.half_rho if rule.filter else math.inf,
        rule.filter.half_m if rule.filter else math.inf,
        float(rule.filter.resting(rule.calcium.rest)) if rule.filter else 0.0,
        shape.half if isinstance(shape, SaturatingPump) else math.inf,
        shape.rise if isinstance(shape, SlowRise) else 0.0,
        shape.height(rule.calcium.tau) if isinstance(shape, SlowRise) else 1.0,
    )  # fmt: skip


@scalar
def linear(rho, a, b, duration):  # type: ignore[no-untyped-def]
    """rho' = a + b rho."""
    x = b * duration
    growth = math.expm1(x) / x if abs(x) > 1e-12 else 1.0
    return rho + (a + b * rho) * growth * duration


@scalar
def cubic(k, rho, up, down, duration):  # type: ignore[no-untyped-def]
    """rho' = up (1 - rho) - down rho - rho (1 - rho)(star - rho) / tau, by Taylor series."""
    a1, a2, a3 = -up - down - k.star / k.tau, (1.0 + k.star) / k.tau, -1.0 / k.tau
    x, square = np.zeros(ORDER + 1), np.zeros(ORDER + 1)
    left = duration
    while left > 0.0:
        x[0] = rho
        for n in range(ORDER):
            second, third = 0.0, 0.0
            for i in range(n + 1):
                second += x[i] * x[n - i]
            square[n] = second
            for i in range(n + 1):
                third += square[i] * x[n - i]
            x[n + 1] = (a1 * x[n] + a2 * second + a3 * third + (up if n == 0 else 0.0)) / (n + 1)
        size = max(abs(x[ORDER]) ** (1.0 / ORDER), abs(x[ORDER - 1]) ** (1.0 / (ORDER - 1)), 1e-300)
        h = min(left, REACH / size)
        rho = 0.0
        for n in range(ORDER, -1, -1):
            rho = rho * h + x[n]
        left -= h
    return rho


@scalar
def tabulated(k, rho, up, down, duration):  # type: ignore[no-untyped-def]
    """A well that is linear between the rows of its table: an exponential per row."""
    x, y, rows = k.well_x, k.well_y, k.well_x.size - 1
    cell = min(max(np.searchsorted(x, rho, "right") - 1, 0), rows - 1)
    left = duration
    while left > 0.0:
        rise = (y[cell + 1] - y[cell]) / (x[cell + 1] - x[cell])
        a, b = up + y[cell] - rise * x[cell], rise - up - down
        speed = a + b * rho
        if speed == 0.0:
            return rho
        following = cell + 1 if speed > 0.0 else cell - 1
        edge = x[cell + 1] if speed > 0.0 else x[cell]
        wait = math.inf
        if 0 <= following < rows:
            if edge == rho:
                wait = 0.0
            elif abs(b) < 1e-300:
                wait = (edge - rho) / a
            else:
                ratio = (a + b * edge) / speed
                wait = math.log(ratio) / b if ratio > 0.0 else math.inf
        if wait >= left:
            return linear(rho, a, b, left)
        rho, left, cell = edge, left - wait, following
    return rho


@scalar
def flat(k, rho, up, down, duration):  # type: ignore[no-untyped-def]
    """`duration` [s] with constant rates and the well."""
    if duration <= 0.0:
        return rho
    if k.well == CUBIC:
        return cubic(k, rho, up, down, duration)
    if k.well == TABULATED:
        return tabulated(k, rho, up, down, duration)
    return linear(rho, up, -(up + down), duration)


@scalar
def excess_at(k, excess, slow, at):  # type: ignore[no-untyped-def]
    """Calcium above rest after the time `at`, from the amplitudes of its exponentials."""
    if k.rise > 0.0:
        return excess * math.exp(-at / k.tau_ca) - slow * math.exp(-at / k.rise)
    if k.half == math.inf or excess <= 0.0:
        return excess * math.exp(-at / k.tau_ca)
    # v + exp(v) = r with v = ln(c / half), by Newton steps from above
    v = math.log(excess / k.half)
    r = v + math.exp(v) - at / k.tau_ca
    v = min(v, math.log(r) if r > 1.0 else r)
    for _ in range(12):
        v = (r + math.exp(v) * (v - 1.0)) / (1.0 + math.exp(v))
    return k.half * math.exp(v)


@scalar
def fall_time(k, excess, level):  # type: ignore[no-untyped-def]
    """How long calcium takes from `excess` down to a lower level, both above rest."""
    return k.tau_ca * (math.log(excess / level) + (excess - level) / k.half)


@scalar
def crossing(k, excess, slow, level, low, high, is_rising):  # type: ignore[no-untyped-def]
    """When rising (or falling) calcium passes a level between two times, by bisection."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (excess_at(k, excess, slow, middle) > level) == is_rising:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@scalar
def span_above(k, level, excess, slow, duration):  # type: ignore[no-untyped-def]
    """(begin, end) of the time above a level; equal if there is none."""
    if level < 0.0:
        return 0.0, duration
    if level == 0.0:
        return 0.0, duration if excess > 0.0 else 0.0
    if k.rise == 0.0:
        return 0.0, min(duration, fall_time(k, excess, level)) if excess > level else 0.0
    peak = 0.0
    if slow > 0.0:
        ratio = k.tau_ca / k.rise
        peak = max(0.0, math.log(ratio * slow / excess) / (ratio - 1.0)) * k.tau_ca
    if excess_at(k, excess, slow, peak) <= level:
        return duration, duration
    begin = 0.0
    if excess - slow < level:
        begin = crossing(k, excess, slow, level, 0.0, peak, True)
    latest = max(peak, k.tau_ca * math.log(excess / level))
    end = crossing(k, excess, slow, level, peak, latest, False)
    return min(begin, duration), min(end, duration)


@scalar
def stepped(k, rho, excess, slow, duration, normal):  # type: ignore[no-untyped-def]
    """Calcium passes step thresholds; `normal` is the visit's random number."""
    p_begin, p_end = span_above(k, k.theta_p - k.rest, excess, slow, duration)
    d_begin, d_end = span_above(k, k.theta_d - k.rest, excess, slow, duration)
    last = max(p_end if p_end > p_begin else 0.0, d_end if d_end > d_begin else 0.0)
    variance, begin = 0.0, 0.0
    while begin < last:
        end = last
        for edge in (p_begin, p_end, d_begin, d_end):
            if begin < edge < end:
                end = edge
        is_up, is_down = p_begin <= begin < p_end, d_begin <= begin < d_end
        up = k.gamma_p if is_up else 0.0
        down = k.gamma_d if is_down else 0.0
        exceeded = (1.0 if is_up else 0.0) + (1.0 if is_down else 0.0)
        span, rate = end - begin, up + down
        decay = math.exp(-2.0 * rate * span)
        grown = (1.0 - decay) / (2.0 * rate) if rate > 0.0 else span
        variance = variance * decay + k.variance * exceeded * grown
        rho = flat(k, rho, up, down, span)
        begin = end
    if variance > 0.0:
        rho += math.sqrt(variance) * normal
    return flat(k, rho, 0.0, 0.0, duration - last)


@scalar
def drift(k, rho):  # type: ignore[no-untyped-def]
    if k.well == CUBIC:
        return -rho * (1.0 - rho) * (k.star - rho) / k.tau
    if k.well == TABULATED:
        x, y = k.well_x, k.well_y
        cell = min(max(np.searchsorted(x, rho, "right") - 1, 0), x.size - 2)
        return y[cell] + (rho - x[cell]) * (y[cell + 1] - y[cell]) / (x[cell + 1] - x[cell])
    return 0.0


@scalar
def rates(k, calcium):  # type: ignore[no-untyped-def]
    if k.graded:
        return np.interp(calcium, k.rate_c, k.rate_up), np.interp(calcium, k.rate_c, k.rate_down)
    return k.gamma_p if calcium > k.theta_p else 0.0, k.gamma_d if calcium > k.theta_d else 0.0


@scalar
def phosphatase_rates(k, calcium):  # type: ignore[no-untyped-def]
    return np.interp(calcium, k.filter_c, k.filter_on), np.interp(calcium, k.filter_c, k.filter_off)


@scalar
def saturation(x, half):  # type: ignore[no-untyped-def]
    """Of an enzyme's rate: 1 where x = 1 or where nothing saturates; below 0 as at 0."""
    return 1.0 if half == math.inf else (1.0 + half) / (max(x, 0.0) + half)


@scalar
def slope(k, held, rho, m, excess, slow, at):  # type: ignore[no-untyped-def]
    """`held`: potentiation and depression rate, which steps keep between two thresholds."""
    calcium = k.rest + excess_at(k, excess, slow, at)
    up, down = rates(k, calcium) if k.graded else held
    if k.filtered:
        on, off = phosphatase_rates(k, calcium)
        down = k.gain * m * saturation(rho, k.half_rho)
        return up * (1.0 - rho) - down * rho + drift(k, rho), on * (1.0 - m) - off * m * saturation(
            m, k.half_m
        )
    return up * (1.0 - rho) - down * rho + drift(k, rho), 0.0


@scalar
def integrated(k, rho, m, excess, slow, duration, decay):  # type: ignore[no-untyped-def]
    """Classical Runge-Kutta steps of a small part of the fastest time."""
    if duration <= 0.0:
        return rho, m
    up, down = rates(k, k.rest + excess)
    fastest = up + down
    if k.filtered:
        on, off = phosphatase_rates(k, k.rest + excess)
        fastest += k.gain * saturation(0.0, k.half_rho) + on + off * saturation(0.0, k.half_m)
    if k.well == CUBIC:
        fastest += 1.0 / k.tau
    steps = max(1, math.ceil(duration * max(STEPS_PER_DECAY / decay, 16.0 * fastest)))
    h = duration / steps
    held = rates(k, k.rest + excess_at(k, excess, slow, 0.5 * duration))
    for i in range(steps):
        t = i * h
        a, p = slope(k, held, rho, m, excess, slow, t)
        b, q = slope(k, held, rho + h / 2 * a, m + h / 2 * p, excess, slow, t + h / 2)
        c, r = slope(k, held, rho + h / 2 * b, m + h / 2 * q, excess, slow, t + h / 2)
        d, s = slope(k, held, rho + h * c, m + h * r, excess, slow, t + h)
        rho += h / 6 * (a + 2 * b + 2 * c + d)
        m += h / 6 * (p + 2 * q + 2 * r + s)
    return rho, m


@scalar
def smooth(k, rho, m, excess, slow, duration):  # type: ignore[no-untyped-def]
    """Decay of calcium with graded rates, a filter, or both; no step goes over a threshold."""
    scale = max(k.pre, k.post, 1e-300)
    active = min(duration, fall_time(k, max(excess, GONE * scale), GONE * scale))
    now, begin = excess, 0.0
    while begin < active:
        end = active
        if not k.graded:  # then calcium jumps and decays: see `calcium.check_shape`
            for level in (k.theta_d - k.rest, k.theta_p - k.rest):
                if excess > level > 0.0 and begin < fall_time(k, excess, level) < end:
                    end = fall_time(k, excess, level)
        rho, m = integrated(k, rho, m, now, slow, end - begin, k.rise if k.rise > 0.0 else k.tau_ca)
        now, begin = excess_at(k, excess, slow, end), end
    if k.filtered:
        return integrated(k, rho, m, 0.0, 0.0, duration - active, math.inf)
    up, down = rates(k, k.rest)
    return flat(k, rho, up, down, duration - active), m


@compiled
def replay_exactly(k, pre, pre_ends, post, post_ends, sources, targets, efficacy, times, key, out):  # type: ignore[no-untyped-def]
    """Fill `out` (times, synapses) with the efficacies at sorted `times`, from `efficacy` at time 0.

    pre[pre_ends[i] : pre_ends[i + 1]] are the sorted spikes of presynaptic neuron i; post alike.
    """
    for s in range(sources.size):
        a, a_end = pre_ends[sources[s]], pre_ends[sources[s] + 1]
        b, b_end = post_ends[targets[s]], post_ends[targets[s] + 1]
        rho, excess, slow, now, visit = efficacy[s], 0.0, 0.0, 0.0, 0
        m = k.resting
        reading = 0
        while reading < times.size:
            t_pre = pre[a] + k.delay if a < a_end else math.inf
            t_post = post[b] if b < b_end else math.inf
            t = min(t_pre, t_post, times[reading])
            normal = 0.0
            if k.variance > 0.0 and t > now:
                normal = normal_number(s, visit, key)
                visit += 1
            if k.graded or k.filtered:
                rho, m = smooth(k, rho, m, excess, slow, t - now)
            else:
                rho = stepped(k, rho, excess, slow, t - now, normal)
            if k.rise > 0.0:
                excess *= math.exp(-(t - now) / k.tau_ca)
                slow *= math.exp(-(t - now) / k.rise)
            else:
                excess = excess_at(k, excess, 0.0, t - now)
            now = t
            # equal times: all jumps come before the reading
            if t_pre == t:
                excess += k.height * k.pre
                slow += k.height * k.pre if k.rise > 0.0 else 0.0
                a += 1
            elif t_post == t:
                excess += k.height * k.post
                slow += k.height * k.post if k.rise > 0.0 else 0.0
                b += 1
            else:
                out[reading, s] = rho
                reading += 1
