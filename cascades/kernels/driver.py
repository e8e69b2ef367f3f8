"""The driver: stiff initial-value problems by Rodas5P, one member per vector lane.

Every lane has its own time, step, error and list of stops; a lane whose member has ended takes the
next one from a queue that all threads share.  A member's result does not depend on the lane, the
thread or the neighbours it had.

One pass of the loop in `run`: settle (changes that happen at the present time, conditions, outputs,
new members), then one step of all lanes.  `run` returns when nothing is left, when a lane needs the
caller (an event's trigger changed, a delayed event is due), or after `budget` steps.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.factor import INLINE, factor_blocks, factor_tiles
from cascades.kernels.lanes import (
    ADD_TO_STATE,
    ATTENTION,
    CODE,
    DONE,
    ERROR,
    FINISHED,
    FIRST_MODE,
    INTERRUPTED,
    JOB,
    MASK,
    NO_ALGEBRAIC,
    NOT_FINITE,
    PAUSED,
    PLACE,
    RESTORE_PARAMETER,
    ROWS,
    SET_PARAMETER,
    SET_STATE,
    SHIFT,
    STEP,
    STEP_TOO_SMALL,
    TIME,
    TOO_MANY_STEPS,
    lane_record,
    vector_width,
)
from cascades.kernels.rodas5p import ERROR_ORDER, GAMMA, NODES, SLOPES, A, C, H
from cascades.kernels.vectors import (
    absolute,
    call_code,
    cell,
    choose,
    combine,
    lane_tuple,
    larger,
    load,
    real_at,
    set_cell,
    set_real,
    set_whole,
    splat,
    store,
    take_ticket,
    whole_at,
)

_SAFETY, _SHRINK, _GROW = 0.9, 0.15, 8.0
_LEAP = 50.0  # the same as _GROW where no condition could be stepped over
_PROBES = 4  # places within a step at which conditions are looked at
_HALVINGS = 60  # of the interval in which a condition changes
_NEWTON = 50
_FROZEN = 1e30  # 1 / (h gamma) at which differential states do not move


@njit(**INLINE)
def set_control(lanes, wide, rows, row, lane, value):
    """Control rows are wide; with one lane all their columns are the same."""
    if len(lanes) > 1:
        set_cell(lanes, rows.control, row, lane, value)
    else:
        for column in range(len(wide)):
            set_cell(wide, rows.control, row, column, value)


# --- one step -----------------------------------------------------------------------------------


@njit(**INLINE)
def factor_from_table(lanes, wide, code, rows):
    if len(lanes) > 1:
        factor_tiles(lanes, code, rows.w)
    else:
        factor_blocks(lanes, wide, code, rows.w, rows.work, rows.upper)


@njit(**INLINE)
def point(wide, rows, n_wide, weights, sums):
    """trial = y + sum_j weights_j u_j and sum = sum_j sums_j u_j, which read u once."""
    zero = splat(wide, 0.0)
    for k in range(n_wide):
        total = combine(zero, sums, rows.u, k, n_wide)
        store(rows.trial, k, combine(load(wide, rows.y, k), weights, rows.u, k, n_wide))
        store(rows.sum, k, total)


@njit(**INLINE)
def next_point(wide, rows, n_wide, last, sums):
    """The same for a stage that starts from where the one before it ended."""
    zero = splat(wide, 0.0)
    for k in range(n_wide):
        total = combine(zero, sums, rows.u, k, n_wide)
        store(rows.trial, k, load(wide, rows.trial, k) + load(wide, rows.u, last * n_wide + k))
        store(rows.sum, k, total)


@njit(**INLINE)
def stage(lanes, wide, code, rows, n_wide, i, inverse_h):
    """u_i = W^-1 (f(trial) + M sum / h + d_i h df/dt)"""
    begin = i * n_wide * len(wide)
    if code.time_slope != 0:
        store(rows.x, TIME, load(lanes, rows.clock, 0) + load(lanes, rows.clock, 1) * NODES[i])
    call_code(code.rates, rows.trial, rows.p, rows.x, rows.u, begin)
    for a in range(code.n_algebraic):
        store(rows.sum, whole_at(code.algebraic, a), splat(lanes, 0.0))
    for k in range(n_wide):
        rate = load(wide, rows.u, i * n_wide + k)
        store(rows.u, i * n_wide + k, rate + load(wide, rows.sum, k) * inverse_h)
    if code.time_slope != 0 and SLOPES[i] != 0.0:
        add_slope(wide, rows, n_wide, i)
    call_code(code.solve, rows.w, rows.p, rows.x, rows.u, begin)


@njit(**INLINE)
def add_slope(wide, rows, n_wide, i):
    weight = load(wide, rows.control, STEP) * SLOPES[i]
    for k in range(n_wide):
        store(rows.u, i * n_wide + k, load(wide, rows.u, i * n_wide + k) + weight * load(wide, rows.slope, k))


@njit(**INLINE)
def take_step(lanes, wide, code, rows, n_wide, rtol):
    """One trial step of all lanes: the new state in `trial`, the squared error in `control`.

    The rates at the beginning are already in the first row of `u`.
    """
    inverse_h = 1.0 / load(wide, rows.control, STEP)
    call_code(code.factor, rows.y, rows.p, rows.x, rows.w, 0)
    if code.has_table != 0:
        factor_from_table(lanes, wide, code, rows)
    if code.time_slope != 0:
        call_code(code.time_slope, rows.y, rows.p, rows.x, rows.slope, 0)
        add_slope(wide, rows, n_wide, 0)
    call_code(code.solve, rows.w, rows.p, rows.x, rows.u, 0)
    point(wide, rows, n_wide, A[0], C[0])
    stage(lanes, wide, code, rows, n_wide, 1, inverse_h)
    point(wide, rows, n_wide, A[1], C[1])
    stage(lanes, wide, code, rows, n_wide, 2, inverse_h)
    point(wide, rows, n_wide, A[2], C[2])
    stage(lanes, wide, code, rows, n_wide, 3, inverse_h)
    point(wide, rows, n_wide, A[3], C[3])
    stage(lanes, wide, code, rows, n_wide, 4, inverse_h)
    point(wide, rows, n_wide, A[4], C[4])
    stage(lanes, wide, code, rows, n_wide, 5, inverse_h)
    next_point(wide, rows, n_wide, 5, C[5])
    stage(lanes, wide, code, rows, n_wide, 6, inverse_h)
    next_point(wide, rows, n_wide, 6, C[6])
    stage(lanes, wide, code, rows, n_wide, 7, inverse_h)
    total = splat(wide, 0.0)
    for k in range(n_wide):
        error = load(wide, rows.u, 7 * n_wide + k)
        new = load(wide, rows.trial, k) + error
        store(rows.trial, k, new)
        size = larger(absolute(load(wide, rows.y, k)), absolute(new))
        error = error / (size * rtol + load(wide, rows.atol, k))
        total = total + error * error + new * 0.0  # an infinite state makes the error NaN
    store(rows.control, ERROR, total)


@njit(**INLINE)
def interpolation(wide, rows, n_wide):
    """The polynomials of the step just taken."""
    zero = splat(wide, 0.0)
    for k in range(n_wide):
        store(rows.k, k, combine(zero, H[0], rows.u, k, n_wide))
        store(rows.k, n_wide + k, combine(zero, H[1], rows.u, k, n_wide))
        store(rows.k, 2 * n_wide + k, combine(zero, H[2], rows.u, k, n_wide))


@njit(**INLINE)
def interpolate(wide, rows, n_wide):
    """probe = the states at the places in `control`, from the beginning (0) to the end (1) of the step.

    Exact at both ends and for states that do not change: rounding must not turn a condition over.
    """
    s = load(wide, rows.control, PLACE)
    r = 1.0 - s
    for k in range(n_wide):
        inner = load(wide, rows.k, k) + s * (
            load(wide, rows.k, n_wide + k) + s * load(wide, rows.k, 2 * n_wide + k)
        )
        begin, end = load(wide, rows.y, k), load(wide, rows.trial, k)
        change = end - begin
        value = choose(s - 0.5, end - r * (change - s * inner), begin + s * (change + r * inner))
        store(rows.probe, k, value)


# --- settling: what happens at the present time of a lane ---------------------------------------


@njit(**INLINE)
def begin_member(lanes, code, job, ln, rows, lane):
    """The next member of the queue, or none."""
    member = take_ticket(job.queue) if whole_at(job.halt, 0) == 0 else job.n_members
    if member >= job.n_members:
        ln.member[lane] = -1
        return
    ln.member[lane] = member
    ln.t[lane], ln.h[lane], ln.h_after[lane] = 0.0, 1.0, 0.0
    ln.pending[lane] = np.inf
    ln.stop[lane], ln.output[lane], ln.steps[lane] = whole_at(job.first_stop, member), 0, 0
    ln.fresh[lane], ln.changed[lane], ln.rejected[lane], ln.stale[lane] = 1, 0, 0, 1
    for i in range(job.n):
        set_cell(lanes, rows.y, i, lane, real_at(job.initial, member * job.n + i))
    for i in range(job.m):
        set_cell(lanes, rows.p, i, lane, real_at(job.parameters, member * job.m + i))
    first = code.n_modes
    for i in range(code.n_watched - code.n_modes):
        set_cell(lanes, rows.known, first + i, lane, real_at(job.triggers, i))


@njit(**INLINE)
def end_member(job, ln, lane, status):
    member = ln.member[lane]
    set_whole(job.status, member, status)
    set_real(job.reached, member, ln.t[lane])
    set_whole(job.steps, member, ln.steps[lane])
    take_ticket(job.done)
    ln.member[lane] = -1


@njit(**INLINE)
def apply_stops(lanes, job, ln, rows, lane):
    """Everything that the protocol does at the lane's time."""
    member = ln.member[lane]
    row = ln.stop[lane]
    while row < whole_at(job.last_stop, member) and real_at(job.stop_time, row) <= ln.t[lane]:
        i, action, value = (
            whole_at(job.stop_index, row),
            whole_at(job.stop_action, row),
            real_at(job.stop_value, row),
        )
        if action == ADD_TO_STATE:
            jump = whole_at(job.stop_jump, row)
            size = 1.0 if jump < 0 else cell(lanes, rows.p, jump, lane)
            set_cell(lanes, rows.y, i, lane, cell(lanes, rows.y, i, lane) + value * size)
        elif action == SET_STATE:
            set_cell(lanes, rows.y, i, lane, value)
        elif action == SET_PARAMETER:
            set_cell(lanes, rows.p, i, lane, value)
        elif action == RESTORE_PARAMETER:
            set_cell(lanes, rows.p, i, lane, real_at(job.parameters, member * job.m + i))
        else:
            set_cell(lanes, rows.y, i, lane, real_at(job.initial, member * job.n + i))
        row += 1
    if row > ln.stop[lane]:
        ln.stop[lane] = row
        note_change(ln, lane)


@njit(**INLINE)
def note_change(ln, lane):
    """The state or the rates jumped: begin with the step that would have been right after the last jump."""
    ln.stale[lane] = 1
    if ln.t[lane] == 0.0 or ln.h_after[lane] == 0.0:
        ln.fresh[lane] = 1
    else:
        ln.h[lane] = ln.h_after[lane]
    ln.changed[lane] = 1
    ln.rejected[lane] = 0


@njit(**INLINE)
def write_outputs(lanes, job, ln, rows, lane):
    """Outputs at the lane's time; whether the member has all of them."""
    member = ln.member[lane]
    while ln.output[lane] < job.n_times and real_at(job.times, ln.output[lane]) <= ln.t[lane]:
        for i in range(job.n_reported):
            set_real(
                job.out,
                (member * job.n_times + ln.output[lane]) * job.n_reported + i,
                cell(lanes, rows.y, whole_at(job.reported, i), lane),
            )
        ln.output[lane] += 1
    return ln.output[lane] == job.n_times


@njit(**INLINE)
def solve_algebraic(lanes, wide, code, job, ln, rows, n):
    """Newton's method for the algebraic states of stale lanes, the others fixed."""
    width = len(lanes)
    for lane in range(width):
        set_cell(lanes, rows.x, SHIFT, lane, _FROZEN)
        set_cell(lanes, rows.x, TIME, lane, ln.t[lane])
    for iteration in range(_NEWTON):
        call_code(code.rates, rows.y, rows.p, rows.x, rows.u, 0)
        for a in range(code.n_algebraic):
            store(rows.keep, a, load(lanes, rows.u, whole_at(code.algebraic, a)))
        for i in range(n):
            store(rows.u, i, splat(lanes, 0.0))
        for a in range(code.n_algebraic):
            store(rows.u, whole_at(code.algebraic, a), load(lanes, rows.keep, a))
        call_code(code.factor, rows.y, rows.p, rows.x, rows.w, 0)
        if code.has_table != 0:
            factor_from_table(lanes, wide, code, rows)
        call_code(code.solve, rows.w, rows.p, rows.x, rows.u, 0)
        converged = True
        for lane in range(width):
            if ln.member[lane] < 0 or ln.stale[lane] == 0:
                continue
            good = True
            for a in range(code.n_algebraic):
                i = whole_at(code.algebraic, a)
                correction = cell(lanes, rows.u, i, lane)
                set_cell(lanes, rows.y, i, lane, cell(lanes, rows.y, i, lane) + correction)
                if not abs(correction) <= 1e-13 * abs(cell(lanes, rows.y, i, lane)) + 1e-4 * cell(
                    lanes, rows.atol, i, lane
                ):
                    good = False
            if not good:
                converged = False
                if iteration == _NEWTON - 1:
                    end_member(job, ln, lane, NO_ALGEBRAIC)
        if converged:
            break


@njit(**INLINE)
def look_at_conditions(lanes, code, job, ln, rows):
    """Set the modes of stale lanes; a lane whose trigger changed needs attention."""
    for lane in range(len(lanes)):
        set_cell(lanes, rows.x, TIME, lane, ln.t[lane])
    call_code(code.conditions, rows.y, rows.p, rows.x, rows.truth, 0)
    n_modes = code.n_modes
    for lane in range(len(lanes)):
        if ln.member[lane] < 0 or ln.stale[lane] == 0:
            continue
        for i in range(n_modes):
            set_cell(lanes, rows.known, i, lane, cell(lanes, rows.truth, i, lane))
            set_cell(lanes, rows.x, FIRST_MODE + i, lane, cell(lanes, rows.truth, i, lane))
        for i in range(n_modes, code.n_watched):
            if cell(lanes, rows.known, i, lane) != cell(lanes, rows.truth, i, lane):
                ln.attention[lane] = 1


@njit(**INLINE)
def settle(lanes, wide, code, job, ln, rows, n):
    """Bring every lane to a state from which it can step.  Returns the number of lanes with work left,
    or -1 if one of them needs the caller first."""
    width = len(lanes)
    while True:
        stale = False
        for lane in range(width):
            if ln.member[lane] < 0:
                begin_member(lanes, code, job, ln, rows, lane)
            if ln.member[lane] >= 0:
                apply_stops(lanes, job, ln, rows, lane)
                if ln.pending[lane] <= ln.t[lane]:
                    ln.attention[lane] = 1
                stale |= ln.stale[lane] != 0
        if stale and code.n_algebraic > 0:
            solve_algebraic(lanes, wide, code, job, ln, rows, n)
        if stale and code.conditions != 0:
            look_at_conditions(lanes, code, job, ln, rows)
        waiting, working, ended = False, 0, False
        for lane in range(width):
            if ln.member[lane] < 0:
                continue
            ln.stale[lane] = 0
            if ln.attention[lane] != 0:
                waiting = True
            elif write_outputs(lanes, job, ln, rows, lane):
                end_member(job, ln, lane, DONE)
                ended = True
            working += 1
        if waiting:
            return -1
        if not ended:
            return working


# --- step control -------------------------------------------------------------------------------


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
def differs(lanes, code, rows, lane):
    for i in range(code.n_watched):
        if cell(lanes, rows.truth, i, lane) != cell(lanes, rows.known, i, lane):
            return True
    return False


@njit(**INLINE)
def look_inside(lanes, wide, code, ln, rows, n_wide):
    """Evaluate the conditions at each lane's time `look` within the step."""
    for lane in range(len(lanes)):
        place = (ln.look[lane] - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
        set_control(lanes, wide, rows, PLACE, lane, min(place, 1.0))
        set_cell(lanes, rows.x, TIME, lane, ln.look[lane])
    interpolate(wide, rows, n_wide)
    call_code(code.conditions, rows.probe, rows.p, rows.x, rows.truth, 0)


@njit(**INLINE)
def find_changes(lanes, wide, code, job, ln, rows, n_wide):
    """Shorten accepted steps in which a condition changes: they end at the first time, to the last
    digit, at which it has changed."""
    width = len(lanes)
    for lane in range(width):
        ln.low[lane], ln.high[lane] = ln.t[lane], np.inf
    for probe in range(1, _PROBES + 1):
        for lane in range(width):
            inner = ln.t[lane] + ln.tried[lane] * (probe / _PROBES)
            ln.look[lane] = inner if probe < _PROBES else end_of_step(ln, lane)
        look_inside(lanes, wide, code, ln, rows, n_wide)
        for lane in range(width):
            if ln.accepted[lane] != 0 and not np.isfinite(ln.high[lane]):
                note_look(lanes, code, ln, rows, lane)
    found = False
    for lane in range(width):
        found |= np.isfinite(ln.high[lane])
    if not found:
        return
    for _ in range(_HALVINGS):
        for lane in range(width):
            ln.look[lane] = 0.5 * (ln.low[lane] + ln.high[lane]) if np.isfinite(ln.high[lane]) else ln.t[lane]
        look_inside(lanes, wide, code, ln, rows, n_wide)
        for lane in range(width):
            if np.isfinite(ln.high[lane]):
                note_look(lanes, code, ln, rows, lane)
    for lane in range(width):
        if np.isfinite(ln.high[lane]):
            ln.hits[lane], ln.end[lane] = 1, ln.high[lane]


@njit(**INLINE)
def note_look(lanes, code, ln, rows, lane):
    if differs(lanes, code, rows, lane):
        ln.high[lane] = ln.look[lane]
    else:
        ln.low[lane] = ln.look[lane]


@njit(**INLINE)
def cut_short(lanes, wide, ln, rows, n_wide, n):
    """trial = the state where a condition changed, in the lanes where one did."""
    for lane in range(len(lanes)):
        place = (ln.high[lane] - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
        set_control(lanes, wide, rows, PLACE, lane, min(place, 1.0))
    interpolate(wide, rows, n_wide)
    for lane in range(len(lanes)):
        if ln.accepted[lane] != 0 and np.isfinite(ln.high[lane]):
            for i in range(n):
                set_cell(lanes, rows.trial, i, lane, cell(lanes, rows.probe, i, lane))


@njit(**INLINE)
def write_inside(lanes, wide, job, ln, rows, n_wide):
    """Outputs within the accepted steps, by interpolation, one of each lane at a time."""
    while True:
        wanted = False
        for lane in range(len(lanes)):
            place = 0.0
            if ln.accepted[lane] != 0:
                k = ln.output[lane]
                if k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
                    place = (real_at(job.times, k) - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
                    wanted = True
            set_control(lanes, wide, rows, PLACE, lane, place)
        if not wanted:
            return
        interpolate(wide, rows, n_wide)
        for lane in range(len(lanes)):
            k = ln.output[lane]
            if ln.accepted[lane] != 0 and k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
                for i in range(job.n_reported):
                    set_real(
                        job.out,
                        (ln.member[lane] * job.n_times + k) * job.n_reported + i,
                        cell(lanes, rows.probe, whole_at(job.reported, i), lane),
                    )
                ln.output[lane] += 1


@njit(**INLINE)
def end_of_step(ln, lane):
    """A stop is hit exactly, whatever rounding says."""
    return ln.end[lane] if ln.hits[lane] != 0 else ln.t[lane] + ln.tried[lane]


@njit(**INLINE)
def has_inner_output(lanes, job, ln):
    for lane in range(len(lanes)):
        k = ln.output[lane]
        if ln.accepted[lane] != 0 and k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
            return True
    return False


@njit(**INLINE)
def watch(lanes, wide, code, job, ln, rows, n_wide):
    """Find changes of conditions within the accepted steps; whether the step has to be interpolated."""
    if code.conditions == 0 and not has_inner_output(lanes, job, ln):
        return False
    interpolation(wide, rows, n_wide)
    if code.conditions != 0:
        find_changes(lanes, wide, code, job, ln, rows, n_wide)
    return True


@njit(**INLINE)
def move(lanes, wide, code, job, ln, rows, n_wide, n, n_accepted, inside):
    """Write outputs within the accepted steps and move their lanes to the end of them."""
    width = len(lanes)
    if inside:
        write_inside(lanes, wide, job, ln, rows, n_wide)
        if code.conditions != 0:
            cut_short(lanes, wide, ln, rows, n_wide, n)
    if n_accepted == width:
        for k in range(n_wide):
            store(rows.y, k, load(wide, rows.trial, k))
    else:
        mask = load(wide, rows.control, MASK)
        for k in range(n_wide):
            store(rows.y, k, choose(mask, load(wide, rows.trial, k), load(wide, rows.y, k)))
    for lane in range(width):
        if ln.accepted[lane] == 0:
            continue
        ln.t[lane] = end_of_step(ln, lane)
        if code.conditions != 0 and np.isfinite(ln.high[lane]):
            ln.stale[lane] = 1
            ln.fresh[lane] = 1


@njit(**INLINE)
def try_step(lanes, wide, code, job, ln, rows, n_wide, n):
    """One trial step of all lanes.  Returns the number accepted."""
    for lane in range(len(lanes)):
        set_cell(lanes, rows.x, TIME, lane, ln.t[lane])
    call_code(code.rates, rows.y, rows.p, rows.x, rows.u, 0)
    choose_steps(lanes, wide, job, ln, rows, n)
    take_step(lanes, wide, code, rows, n_wide, job.rtol)
    return judge(lanes, wide, code, job, ln, rows, n)


@njit(**INLINE)
def halt_members(lanes, job, ln):
    for lane in range(len(lanes)):
        if ln.member[lane] >= 0:
            end_member(job, ln, lane, INTERRUPTED)


@njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)
def run(lanes, wide, code_record, job_record, lane_record_, row_record, budget):
    """Integrate members until none is left, a lane needs the caller, or `budget` steps are done."""
    code, job, ln, rows = code_record[0], job_record[0], lane_record_[0], row_record[0]
    n, n_wide = code.n, code.n_wide
    for _ in range(budget):
        working = settle(lanes, wide, code, job, ln, rows, n)
        if working < 0:
            return ATTENTION
        if working == 0:
            return FINISHED
        if whole_at(job.halt, 0) != 0:
            halt_members(lanes, job, ln)
            return FINISHED
        n_accepted = try_step(lanes, wide, code, job, ln, rows, n_wide, n)
        if n_accepted > 0:
            inside = watch(lanes, wide, code, job, ln, rows, n_wide)
            move(lanes, wide, code, job, ln, rows, n_wide, n, n_accepted, inside)
    return PAUSED


def compile_driver(lanes: int) -> None:
    """Compile `run` for a number of lanes, or load it from numba's cache."""
    from numba import typeof

    marks = (lane_tuple(lanes), lane_tuple(vector_width(lanes)))
    records = (np.zeros(1, dtype=layout) for layout in (CODE, JOB, lane_record(lanes), ROWS))
    run.compile(tuple(typeof(a) for a in (*marks, *records, 1)))


def is_compiled() -> bool:
    """Whether `run` was compiled by this process, or by an earlier one for any number of lanes."""
    if run.overloads:
        return True
    from pathlib import Path

    return any(Path(run.stats.cache_path).glob("driver.run-*.nbc"))
