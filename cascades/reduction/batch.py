"""Many protocols replayed by one rule, fast: what fits and certificates run.

Each case is followed from both resting states to its end and through a rest.  Step rates are exact
between crossings; graded rates are taken at the middle of `STEPS` pieces per decay time.  The well
is split off (Strang), so that no rate is too fast.  The reference is `cascades.reduction.replay`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from cascades.reduction.families import Case
from cascades.reduction.rule import CalciumRule, CalciumTrace

STEPS = 4
LEAST = 1e-3  # calcium above rest, relative to the largest, that a table still resolves
TABLE_ROWS = 512
WELL_ROWS = 257
WELL_RANGE = (-0.1, 1.6)
_NO_WELL, _CUBIC, _TABLE = range(3)
_KINDS = {"none": _NO_WELL, "cubic": _CUBIC, "table": _TABLE}


@dataclass(frozen=True, eq=False)
class Jumps:
    """The calcium jumps of many cases, one after the other: case k has the rows offset[k]:offset[k+1].

    times [s], sizes [uM], shape (jumps,); end [s], shape (cases,).
    """

    times: np.ndarray
    sizes: np.ndarray
    offset: np.ndarray
    end: np.ndarray


def jumps_of(cases: Sequence[Case], trace: CalciumTrace) -> Jumps:
    """What each case does to calcium."""
    found = [trace.jumps(np.array(case.pre), np.array(case.post)) for case in cases]
    times = np.concatenate([t for t, _ in found]) if found else np.empty(0)
    sizes = np.concatenate([s * c.scale for (_, s), c in zip(found, cases, strict=True)]) if found else times
    offset = np.concatenate([[0], np.cumsum([t.size for t, _ in found])]).astype(np.int64)
    return Jumps(times, sizes, offset, np.array([case.end for case in cases]))


def replay_cases(
    rule: CalciumRule, jumps: Jumps, rest: float, steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Efficacy at the end of each case and after `rest` [s] more, shapes (cases, 2): from rho = 0 and 1."""
    out = np.empty((jumps.end.size, 2, 2))
    thresholds = np.array([rule.theta_p, rule.theta_d, rule.gamma_p, rule.gamma_d])
    is_graded = rule.rates is not None or rule.filter is not None
    span = _span(rule, jumps)
    table = _rate_table(rule, span) if is_graded else np.zeros((4, 2))
    trace = np.array([rule.calcium.rest, rule.calcium.tau])
    well, kind = well_array(rule)
    _replay(
        jumps.times, jumps.sizes, jumps.offset, jumps.end, rest, trace, thresholds, is_graded, span, table,
        rule.filter is not None, kind, well, steps, out,
    )  # fmt: skip
    return out[:, :, 0], out[:, :, 1]


def well_array(rule: CalciumRule) -> tuple[np.ndarray, int]:
    """The well for the kernels: (tau, rho_star) of a cubic, or drifts on an even grid."""
    if rule.well == "table":
        return np.asarray(rule.drift_at_rest(np.linspace(*WELL_RANGE, WELL_ROWS))), _TABLE
    return np.array([rule.tau, rule.rho_star]), _KINDS[rule.well]


def _span(rule: CalciumRule, jumps: Jumps) -> np.ndarray:
    """Logarithms of the least and the largest calcium above rest that a table must cover."""
    largest = max(_largest(jumps.times, jumps.sizes, jumps.offset, rule.calcium.tau), 1e-6)
    return np.array([math.log(largest * LEAST), math.log(largest)])


def _rate_table(rule: CalciumRule, span: np.ndarray) -> np.ndarray:
    """Potentiation, depression, and the filter's on and off rates, over the logarithm of the excess;
    the last column is at rest."""
    calcium = rule.calcium.rest + np.append(np.exp(np.linspace(span[0], span[1], TABLE_ROWS)), 0.0)
    up, down = rule.rates_at(calcium)
    on, off = rule.filter.at(calcium) if rule.filter else (np.zeros_like(calcium), np.zeros_like(calcium))
    gain = rule.filter.gain if rule.filter else 0.0
    return np.ascontiguousarray(np.array([up, np.full_like(calcium, gain) if rule.filter else down, on, off]))


@njit(cache=True, nogil=True)
def _largest(times: Any, sizes: Any, offset: Any, tau: float) -> float:
    """The largest calcium above rest in any case."""
    largest = 0.0
    for case in range(offset.size - 1):
        excess, last = 0.0, 0.0
        for k in range(offset[case], offset[case + 1]):
            excess = excess * math.exp(-(times[k] - last) / tau) + sizes[k]
            last = times[k]
            largest = max(largest, excess)
    return largest


@njit(cache=True, nogil=True)
def drift_of_well(rho: float, kind: int, well: Any) -> float:
    if kind == 0:
        return 0.0
    if kind == 1:
        return -rho * (1.0 - rho) * (well[1] - rho) / well[0]
    n = well.size
    x = (rho + 0.1) / 1.7 * (n - 1)
    i = min(max(int(x), 0), n - 2)
    return well[i] + (x - i) * (well[i + 1] - well[i])


@njit(cache=True, nogil=True)
def flat(rho: float, up: float, down: float, h: float, kind: int, well: Any) -> float:
    """`h` [s] of rho' = up (1 - rho) - down rho + well(rho), split in the middle of the well."""
    rate = up + down
    target = up / rate if rate > 0.0 else 0.0
    if kind == 0:
        return target + (rho - target) * math.exp(-rate * h) if rate > 0.0 else rho
    pace = 4.0 / well[0] if kind == 1 else 20.0
    n = int(h * pace) + 1
    if kind == 2:
        n = int(h * 2.0) + 1
    s = h / n
    decay = math.exp(-rate * s)
    for _ in range(n):
        k1 = drift_of_well(rho, kind, well)
        rho += 0.5 * s * drift_of_well(rho + 0.25 * s * k1, kind, well)
        if rate > 0.0:
            rho = target + (rho - target) * decay
        k1 = drift_of_well(rho, kind, well)
        rho += 0.5 * s * drift_of_well(rho + 0.25 * s * k1, kind, well)
        rho = min(max(rho, -0.09), 1.59)
    return rho


@njit(cache=True, nogil=True)
def _time_above(level: float, excess: float, tau: float, h: float) -> float:
    if level < 0.0:
        return h
    if excess <= level:
        return 0.0
    return min(h, tau * math.log(excess / level))


@njit(cache=True, nogil=True)
def _replay(  # type: ignore[no-untyped-def]
    times, sizes, offset, end, rest, trace, theta, is_graded, span, table, has_filter, kind, well, steps, out
):
    rest_calcium, tau = trace[0], trace[1]
    last = table.shape[1] - 1
    state = np.empty(3)  # rho from DOWN, rho from UP, phosphatase
    for case in range(end.size):
        state[0], state[1] = 0.0, 1.0
        state[2] = table[2, last] / (table[2, last] + table[3, last]) if has_filter else 0.0
        excess, now = 0.0, 0.0
        n = offset[case + 1] - offset[case]
        for k in range(n + 2):
            if k < n:
                t = times[offset[case] + k]
            elif k == n:
                t = max(end[case], now)
            else:
                t = now + rest
            h = t - now
            if is_graded:
                _graded(state, excess, h, tau, span, table, has_filter, kind, well, steps)
            else:
                end_p = _time_above(theta[0] - rest_calcium, excess, tau, h)
                end_d = _time_above(theta[1] - rest_calcium, excess, tau, h)
                a, b = min(end_p, end_d), max(end_p, end_d)
                for i in range(2):
                    if a > 0.0:
                        state[i] = flat(state[i], theta[2], theta[3], a, kind, well)
                    if b > a:
                        up = theta[2] if end_p > end_d else 0.0
                        down = theta[3] if end_d > end_p else 0.0
                        state[i] = flat(state[i], up, down, b - a, kind, well)
                    if h > b:
                        state[i] = flat(state[i], 0.0, 0.0, h - b, kind, well)
            excess *= math.exp(-h / tau)
            if k < n:
                excess += sizes[offset[case] + k]
            else:
                out[case, 0, k - n], out[case, 1, k - n] = state[0], state[1]
            now = t
    return out


@njit(cache=True, nogil=True)
def _graded(state, excess, h, tau, span, table, has_filter, kind, well, steps):  # type: ignore[no-untyped-def]
    """`h` [s] of decay from `excess`: rates from the table while calcium is above rest, then resting."""
    last = table.shape[1] - 1
    level = math.log(excess) if excess > 0.0 else span[0]
    active = min(h, max(0.0, tau * (level - span[0])))
    if active > 0.0:
        for i in range(2):
            state[i] = flat(state[i], 0.0, 0.0, 0.5 * active, kind, well)
        pieces = int(active / tau * steps) + 1
        s = active / pieces
        per_row = (last - 1) / (span[1] - span[0])
        for k in range(pieces):
            x = (level - (k + 0.5) * s / tau - span[0]) * per_row
            j = min(max(int(x), 0), last - 2)
            x -= j
            up = table[0, j] + x * (table[0, j + 1] - table[0, j])
            down = table[1, j] + x * (table[1, j + 1] - table[1, j])
            if has_filter:
                on = table[2, j] + x * (table[2, j + 1] - table[2, j])
                off = table[3, j] + x * (table[3, j + 1] - table[3, j])
                before = state[2]
                state[2] = _follow(before, on, off, s)
                down *= 0.5 * (before + state[2])
            rate = up + down
            if rate > 0.0:
                decay, target = math.exp(-rate * s), up / rate
                state[0] = target + (state[0] - target) * decay
                state[1] = target + (state[1] - target) * decay
        for i in range(2):
            state[i] = flat(state[i], 0.0, 0.0, 0.5 * active, kind, well)
    left = h - active
    if left <= 0.0:
        return
    up, down = table[0, last], table[1, last]
    if not has_filter:
        for i in range(2):
            state[i] = flat(state[i], up, down, left, kind, well)
        return
    quiet = int(min(left * (table[2, last] + table[3, last]), 10.0) * 2.0) + 1
    for _ in range(quiet):
        before = state[2]
        state[2] = _follow(before, table[2, last], table[3, last], left / quiet)
        for i in range(2):
            state[i] = flat(state[i], up, down * 0.5 * (before + state[2]), left / quiet, kind, well)


@njit(cache=True, nogil=True)
def _follow(m: float, on: float, off: float, h: float) -> float:
    rate = on + off
    if rate <= 0.0:
        return m
    return on / rate + (m - on / rate) * math.exp(-rate * h)
