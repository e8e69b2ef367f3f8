"""Many protocols replayed by one rule, fast: what fits and certificates run.

Each case is followed from both resting states to its end and through a rest.  Step rates are exact
between crossings; graded rates are taken at the middle of `STEPS` pieces per decay time.  The well
is split off (Strang), so that no rate is too fast.  With a phosphatase filter both variables move by
exponentials of rates that are taken at the middle of a piece.  The reference is
`cascades.reduction.replay`.
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
SETTLED = 1e-9  # change of the efficacy in one step of a constant flow, after which none is worth taking
QUIET, SLOWER = 0.1, 1.3  # of a filter's steps at rest: the first [s], and the factor
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
        _filter_array(rule), kind, well, steps, out,
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
    columns = [*rule.rates_at(calcium), *(rule.filter.at(calcium) if rule.filter else ())]
    return np.ascontiguousarray(np.array(columns))


def _filter_array(rule: CalciumRule) -> np.ndarray:
    """Gain, half_rho, half_m, and the phosphatase at rest; empty without a filter."""
    if rule.filter is None:
        return np.empty(0)
    found = rule.filter
    return np.array([found.gain, found.half_rho, found.half_m, found.resting(rule.calcium.rest)])


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
    n = int(h * _pace(kind, well)) + 1
    s = h / n
    decay = math.exp(-rate * s)
    for _ in range(n):
        before = rho
        k1 = drift_of_well(rho, kind, well)
        rho += 0.5 * s * drift_of_well(rho + 0.25 * s * k1, kind, well)
        if rate > 0.0:
            rho = target + (rho - target) * decay
        k1 = drift_of_well(rho, kind, well)
        rho += 0.5 * s * drift_of_well(rho + 0.25 * s * k1, kind, well)
        rho = min(max(rho, -0.09), 1.59)
        if abs(rho - before) < SETTLED:
            break
    return rho


@njit(cache=True, nogil=True)
def _pace(kind: int, well: Any) -> float:
    """Steps per second that follow a well."""
    return 0.0 if kind == 0 else 4.0 / well[0] if kind == 1 else 2.0


@njit(cache=True, nogil=True)
def _time_above(level: float, excess: float, tau: float, h: float) -> float:
    if level < 0.0:
        return h
    if excess <= level:
        return 0.0
    return min(h, tau * math.log(excess / level))


@njit(cache=True, nogil=True)
def _replay(  # type: ignore[no-untyped-def]
    times, sizes, offset, end, rest, trace, theta, is_graded, span, table, filter, kind, well, steps, out
):
    rest_calcium, tau = trace[0], trace[1]
    state = np.empty(3)  # rho from DOWN, rho from UP, phosphatase
    for case in range(end.size):
        state[0], state[1] = 0.0, 1.0
        state[2] = filter[3] if filter.size else 0.0
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
                level = math.log(excess) if excess > 0.0 else span[0]
                active = min(h, max(0.0, tau * (level - span[0])))
                if filter.size:
                    _filtered(state, level, active, h - active, tau, span, table, filter, kind, well, steps)
                else:
                    _graded(state, level, active, h - active, tau, span, table, kind, well, steps)
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
def _graded(state, level, active, left, tau, span, table, kind, well, steps):  # type: ignore[no-untyped-def]
    """`active` [s] of decay from the logarithm `level`, rates from the table; then `left` [s] at rest."""
    last = table.shape[1] - 1
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
            rate = up + down
            if rate > 0.0:
                decay, target = math.exp(-rate * s), up / rate
                state[0] = target + (state[0] - target) * decay
                state[1] = target + (state[1] - target) * decay
        for i in range(2):
            state[i] = flat(state[i], 0.0, 0.0, 0.5 * active, kind, well)
    if left > 0.0:
        for i in range(2):
            state[i] = flat(state[i], table[0, last], table[1, last], left, kind, well)


@njit(cache=True, nogil=True)
def _filtered(  # type: ignore[no-untyped-def]
    state, level, active, left, tau, span, table, filter, kind, well, steps
):
    """The same with a phosphatase."""
    last = table.shape[1] - 1
    pieces = int(active / tau * steps) + 1 if active > 0.0 else 0
    s = active / max(pieces, 1)
    per_row = (last - 1) / (span[1] - span[0])
    for k in range(pieces):
        x = (level - (k + 0.5) * s / tau - span[0]) * per_row
        j = min(max(int(x), 0), last - 2)
        x -= j
        up = table[0, j] + x * (table[0, j + 1] - table[0, j])
        on = table[2, j] + x * (table[2, j + 1] - table[2, j])
        off = table[3, j] + x * (table[3, j + 1] - table[3, j])
        _coupled(state, up, on, off, filter, kind, well, s)
    s, pace = QUIET * 4.0 / steps, _pace(kind, well)
    longest = 1.0 / pace if pace > 0.0 else left
    while left > 1e-12:
        s = min(s, longest, left)
        left -= s
        a, b, m = state[0], state[1], state[2]
        _coupled(state, table[0, last], table[2, last], table[3, last], filter, kind, well, s)
        if max(abs(state[0] - a), abs(state[1] - b), abs(state[2] - m)) < SETTLED:
            return
        s *= SLOWER


@njit(cache=True, nogil=True)
def _coupled(state, up, on, off, filter, kind, well, h):  # type: ignore[no-untyped-def]
    """`h` [s] at constant calcium: an exponential with the rates of the middle, to which half of the time
    with the rates of the beginning leads."""
    gain, half_rho, half_m = filter[0], filter[1], filter[2]
    m = state[2]
    middle = _towards(m, on, on + off * _saturation(m, half_m), 0.5 * h)
    state[2] = _towards(m, on, on + off * _saturation(middle, half_m), h)
    down = gain * middle
    for i in range(2):
        rho = state[i]
        source = up + drift_of_well(rho, kind, well)
        half = _towards(rho, source, up + down * _saturation(rho, half_rho), 0.5 * h)
        source = up + drift_of_well(half, kind, well)
        after = _towards(rho, source, up + down * _saturation(half, half_rho), h)
        state[i] = min(max(after, -0.09), 1.59)


@njit(cache=True, nogil=True)
def _saturation(x: float, half: float) -> float:
    return 1.0 if half == math.inf else (1.0 + half) / (max(x, 0.0) + half)


@njit(cache=True, nogil=True)
def _towards(x: float, source: float, rate: float, h: float) -> float:
    """`h` [s] of x' = source - rate x; of the exponential its Pade approximant (0, 2), which is L-stable."""
    z = rate * h
    e = 1.0 / (1.0 + z * (1.0 + 0.5 * z))
    return (x + source * h * (1.0 + 0.5 * z)) * e
