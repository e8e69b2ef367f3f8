"""How long a step each lane tries, and whether it is accepted."""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.factor import INLINE
from cascades.kernels.lanes import ERROR, MASK, NOT_FINITE, SHIFT, STEP, STEP_TOO_SMALL, TIME, TOO_MANY_STEPS
from cascades.kernels.rodas5p import ERROR_ORDER, GAMMA
from cascades.kernels.settling import end_member
from cascades.kernels.step import set_control, take_step
from cascades.kernels.vectors import call_code, cell, real_at, set_cell, whole_at

_SAFETY, _SHRINK, _GROW = 0.9, 0.15, 8.0
_LEAP = 50.0  # the same as _GROW where no condition could be stepped over


@njit(**INLINE)
def first_step(lanes, job, ln, rows, lane, n):
    """A hundredth of the time in which the state changes by its own size (Hairer, Norsett & Wanner
    1993, section II.4); 0 if the rates are not finite."""
    size, change = 0.0, 0.0
    for i in range(n):
        weight = cell(lanes, rows.atol, i, lane) + job.rtol * abs(cell(lanes, rows.y, i, lane))
        size += (cell(lanes, rows.y, i, lane) / weight) ** 2
        change += (cell(lanes, rows.u, i, lane) / weight) ** 2
    rest = job.end - ln.t[lane]
    if not np.isfinite(size + change):
        return 0.0
    if change == 0.0:
        return 1e-3 * rest
    guess = 0.01 * np.sqrt(max(size, 1.0) / change)
    return min(guess, rest)


@njit(**INLINE)
def lone_output(job, ln, lane, end):
    """The output time before `end`, if there is just one: such a step ends there, because the states at
    the end of a step are an order better than those within.  Infinity otherwise."""
    k = ln.output[lane]
    if k >= job.n_times or real_at(job.times, k) >= end:
        return np.inf
    is_alone = k + 1 == job.n_times or real_at(job.times, k + 1) >= end
    return real_at(job.times, k) if is_alone else np.inf


@njit(**INLINE)
def choose_steps(lanes, wide, job, ln, rows, n):
    """The step that each lane tries: up to its next stop, or half the way if that is not far."""
    for lane in range(len(lanes)):
        step = 1.0
        ln.hits[lane] = 0
        if ln.member[lane] >= 0 and ln.fresh[lane] != 0:
            ln.h[lane] = first_step(lanes, job, ln, rows, lane, n)
            ln.fresh[lane] = 0
            if ln.h[lane] == 0.0:
                end_member(job, ln, lane, NOT_FINITE)
        if ln.member[lane] >= 0:
            member = ln.member[lane]
            end = min(job.end, ln.pending[lane])
            if ln.stop[lane] < whole_at(job.last_stop, member):
                end = min(end, real_at(job.stop_time, ln.stop[lane]))
            rest = end - ln.t[lane]
            step = ln.h[lane]
            if step >= rest * (1.0 - 1e-10):
                step, ln.hits[lane], ln.end[lane] = rest, 1, end
            elif step > 0.5 * rest:
                step = 0.5 * rest
            output = lone_output(job, ln, lane, ln.t[lane] + step)
            if output < ln.t[lane] + step:
                step, ln.hits[lane], ln.end[lane] = output - ln.t[lane], 1, output
        ln.tried[lane] = step
        set_cell(lanes, rows.clock, 0, lane, ln.t[lane])
        set_cell(lanes, rows.clock, 1, lane, step)
        set_cell(lanes, rows.x, SHIFT, lane, 1.0 / (step * GAMMA))
        set_control(lanes, wide, rows, STEP, lane, step)


@njit(**INLINE)
def judge(lanes, wide, code, job, ln, rows, n):
    """Accept or reject each lane's step and choose its next.  Returns the number accepted."""
    grow = _LEAP if code.conditions == 0 else _GROW
    n_accepted = 0
    for lane in range(len(lanes)):
        ln.accepted[lane] = 0
        set_control(lanes, wide, rows, MASK, lane, 0.0)
        if ln.member[lane] < 0:
            continue
        total = cell(wide, rows.control, ERROR, lane)
        if len(lanes) == 1:
            for column in range(1, len(wide)):
                total += cell(wide, rows.control, ERROR, column)
        ln.steps[lane] += 1
        if ln.steps[lane] > job.max_steps:
            end_member(job, ln, lane, TOO_MANY_STEPS)
            continue
        error = np.sqrt(total / n)
        finite = np.isfinite(error)
        factor = grow
        if not finite:
            factor = _SHRINK
        elif error > 0.0:
            factor = min(grow, max(_SHRINK, _SAFETY * error ** (-1.0 / (ERROR_ORDER + 1.0))))
        tried = ln.tried[lane]
        if finite and error <= 1.0:
            n_accepted += 1
            ln.accepted[lane] = 1
            set_control(lanes, wide, rows, MASK, lane, 1.0)
            step = tried * (min(1.0, factor) if ln.rejected[lane] != 0 else factor)
            cut = tried < 0.999 * ln.h[lane]
            if ln.changed[lane] != 0:
                better = tried if ln.rejected[lane] != 0 else max(tried, step)
                ln.h_after[lane] = max(ln.h_after[lane], better) if cut else better
                ln.changed[lane] = 0
            ln.rejected[lane] = 0
            ln.h[lane] = max(ln.h[lane], step) if cut else step
        else:
            ln.h[lane] = tried * min(factor, 0.7)
            ln.rejected[lane] = 1
            if ln.h[lane] < 1e-14 * max(ln.t[lane], 1e-6 * job.end):
                end_member(job, ln, lane, STEP_TOO_SMALL if finite else NOT_FINITE)
    return n_accepted


@njit(**INLINE)
def try_step(lanes, wide, code, job, ln, rows, n_wide, n):
    """One trial step of all lanes.  Returns the number accepted."""
    for lane in range(len(lanes)):
        set_cell(lanes, rows.x, TIME, lane, ln.t[lane])
    call_code(code.rates, rows.y, rows.p, rows.x, rows.u, 0)
    choose_steps(lanes, wide, job, ln, rows, n)
    take_step(lanes, wide, code, rows, n_wide, job.rtol)
    return judge(lanes, wide, code, job, ln, rows, n)
