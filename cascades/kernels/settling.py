"""What happens at the present time of a lane: new members, stops, algebraic states, conditions, outputs."""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.factor import INLINE
from cascades.kernels.lanes import (
    ADD_TO_STATE,
    DONE,
    FIRST_MODE,
    INTERRUPTED,
    NO_ALGEBRAIC,
    RESTORE_PARAMETER,
    SET_PARAMETER,
    SET_STATE,
    SHIFT,
    TIME,
)
from cascades.kernels.step import factor, solve
from cascades.kernels.vectors import (
    call_code,
    cell,
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

_NEWTON = 50
_PATIENCE, _ROUNDING = 12, 1e-14  # rounds after which corrections may be what rounding makes of large states
_FROZEN = 1e30  # 1 / (h gamma) at which differential states do not move


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
def halt_members(lanes, job, ln):
    for lane in range(len(lanes)):
        if ln.member[lane] >= 0:
            end_member(job, ln, lane, INTERRUPTED)


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
def largest_state(lanes, rows, n, lane):
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(cell(lanes, rows.y, i, lane)))
    return largest


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
        factor(lanes, wide, code, rows)
        solve(lanes, code, rows, rows.u, 0)
        converged = True
        for lane in range(width):
            if ln.member[lane] < 0 or ln.stale[lane] == 0:
                continue
            good = True
            rounding = _ROUNDING * largest_state(lanes, rows, n, lane) if iteration >= _PATIENCE else 0.0
            for a in range(code.n_algebraic):
                i = whole_at(code.algebraic, a)
                correction = cell(lanes, rows.u, i, lane)
                set_cell(lanes, rows.y, i, lane, cell(lanes, rows.y, i, lane) + correction)
                small = 1e-13 * abs(cell(lanes, rows.y, i, lane)) + 1e-4 * cell(lanes, rows.atol, i, lane)
                if not abs(correction) <= small + rounding:
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
