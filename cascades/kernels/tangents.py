"""Forward sensitivities: the exact derivative of every Rosenbrock step, sharing its factorisation.

The nominal step is the driver's own, of one member.  Once it is accepted, what all directions share is
worked out once, the lanes of a vector being the eight stages; then each group of directions, one per
lane, goes through the stages with the same W.  A stage of a group costs a solution and the changes of
the Jacobian within the step; no factorisation, and no product with the Jacobian itself (see
`compiler.tangents`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.control import try_step
from cascades.kernels.entry import entry_point
from cascades.kernels.factor import INLINE
from cascades.kernels.inside import end_of_step, move, watch
from cascades.kernels.lanes import (
    ADD_TO_STATE,
    ATTENTION,
    FINISHED,
    FIRST_MODE,
    PAUSED,
    RESTORE_PARAMETER,
    RESTORE_STATE,
    SET_PARAMETER,
    SET_STATE,
    SHIFT,
    STEP,
)
from cascades.kernels.rodas5p import NODES, SLOPES, STAGES, A, C, H
from cascades.kernels.settling import halt_members, settle
from cascades.kernels.vectors import (
    call_code,
    combine,
    load,
    real_at,
    scaled,
    set_real,
    set_whole,
    splat,
    store,
    store_some,
    whole_at,
)

# What `run_tangents` also returns: a condition changed within the last step; stops moved states that
# algebraic equations follow.
CROSSED, JUMPED = 3, 4

_INTEGERS = (
    "slopes follow n_groups n_directions n_entries n_pushes m points blocks fixed context coefficients pushes"
    " start entries groups initial du probe out stop output"
)
# slopes, follow: compiled code;  points: where the stages evaluate the rates
# blocks, fixed, context: what `slopes` reads, coefficients: what it writes;  pushes: those of one stage
# after the other;  start, entries: for each group the (row, parameter, place among the coefficients) through
# which parameters act
# groups: rows of q, s, v;  initial: groups at the start;  out: (times, n, directions)
# stop, output: (as arrays of one) how far stops and outputs are done
TANGENTS = np.dtype([(name, np.int64) for name in _INTEGERS.split()])
_DOUBLE = 8  # bytes
_ONCE = (1.0,)


# --- what all directions share ------------------------------------------------------------------


@njit(**INLINE)
def find_points(wide, rows, tg, n_wide):
    """Where the eight stages of the step just taken evaluated the rates."""
    for k in range(n_wide):
        y = load(wide, rows.y, k)
        store(tg.points, k, y)
        store(tg.points, n_wide + k, combine(y, A[0], rows.u, k, n_wide))
        store(tg.points, 2 * n_wide + k, combine(y, A[1], rows.u, k, n_wide))
        store(tg.points, 3 * n_wide + k, combine(y, A[2], rows.u, k, n_wide))
        store(tg.points, 4 * n_wide + k, combine(y, A[3], rows.u, k, n_wide))
        last = combine(y, A[4], rows.u, k, n_wide)
        store(tg.points, 5 * n_wide + k, last)
        last = last + load(wide, rows.u, 5 * n_wide + k)
        store(tg.points, 6 * n_wide + k, last)
        store(tg.points, 7 * n_wide + k, last + load(wide, rows.u, 6 * n_wide + k))


@njit(**INLINE)
def fill_fixed(code, rows, tg, n):
    """What does not differ between the stages: modes, the time and state at the beginning, parameters."""
    fixed, p, y, m, at = tg.fixed, rows.p, rows.y, tg.m, code.n_modes
    for k in range(at):
        set_real(fixed, k, real_at(rows.x, FIRST_MODE + k))
    set_real(fixed, at, real_at(rows.clock, 0))
    for j in range(m):
        set_real(fixed, at + 1 + j, real_at(p, j))
    for k in range(n):
        set_real(fixed, at + 1 + m + k, real_at(y, k))


@njit(**INLINE)
def share(wide, code, rows, tg, n, n_wide):
    """The coefficients of all stages, from calls whose lanes are stages."""
    width = len(wide)
    padded, n_coefficients = n_wide * width, tg.n_entries + tg.n_pushes
    find_points(wide, rows, tg, n_wide)
    fill_fixed(code, rows, tg, n)
    begin, step = real_at(rows.clock, 0), real_at(rows.clock, 1)
    for call in range(STAGES // width):
        block, context = tg.blocks + call * 2 * n * width * _DOUBLE, tg.context + call * 2 * width * _DOUBLE
        for lane in range(width):
            i = call * width + lane
            set_real(context, lane, begin + step * NODES[i])
            set_real(context, width + lane, step * SLOPES[i])
            points, u = tg.points + i * padded * _DOUBLE, rows.u + i * padded * _DOUBLE
            for k in range(n):
                set_real(block, k * width + lane, real_at(points, k))
                set_real(block, (n + k) * width + lane, real_at(u, k))
        first = call * n_coefficients * width
        call_code(tg.slopes, block, tg.fixed, context, tg.coefficients, first)
        for lane in range(width):
            i = call * width + lane
        transpose(wide, tg, call, first + tg.n_entries * width)


@njit(**INLINE)
def transpose(wide, tg, call, first):
    """pushes = the coefficients from `first` on, stage by stage."""
    width, n_pushes = len(wide), tg.n_pushes
    source, target = tg.coefficients + first * _DOUBLE, tg.pushes + call * width * n_pushes * _DOUBLE
    for k in range(n_pushes):
        for lane in range(width):
            set_real(target, lane * n_pushes + k, real_at(source, k * width + lane))


# --- one group of directions --------------------------------------------------------------------


@njit(**INLINE)
def gather_stage(wide, tg, s, n, i, a, above, first, c, over_h, shift):
    """v = (row above) + sum_j a_j du_j from stage `first` on, and
    du_i = sum_j c_j du_j / h + v / (h gamma).  A du is read once for both."""
    over = scaled(c, over_h)
    groups, du = tg.groups, tg.du
    for k in range(n):
        v = combine(load(wide, groups, above + k), a, du, first * n + k, n)
        total = combine(v * shift, over, du, k, n)
        store(groups, s + n + k, v)
        store(du, i * n + k, total)


@njit(**INLINE)
def force(wide, tg, group, first, n, i):
    """Add what parameters do to the rates directly."""
    width, du, groups, entries = len(wide), tg.du, tg.groups, tg.entries
    at = i // width * (tg.n_entries + tg.n_pushes) * width + i % width
    for entry in range(whole_at(tg.start, group), whole_at(tg.start, group + 1)):
        row = i * n + whole_at(entries, 3 * entry)
        slope = real_at(tg.coefficients, at + whole_at(entries, 3 * entry + 2) * width)
        q = load(wide, groups, first + whole_at(entries, 3 * entry + 1))
        store(du, row, load(wide, du, row) + q * slope)


@njit(**INLINE)
def finish_stage(wide, code, rows, tg, group, s, n, i):
    """du_i from the sums, of which algebraic equations have none."""
    for a in range(code.n_algebraic):
        store(tg.du, i * n + whole_at(code.algebraic, a), splat(wide, 0.0))
    force(wide, tg, group, s - tg.m, n, i)
    width = len(wide)
    pushes = tg.pushes + i * tg.n_pushes * _DOUBLE
    call_code(tg.follow, pushes, tg.groups + s * width * _DOUBLE, rows.w, tg.du, i * n * width)


@njit(**INLINE)
def next_stage(wide, code, rows, tg, group, s, n, i, a, c, over_h, shift):
    gather_stage(wide, tg, s, n, i, a, s, 0, c, over_h, shift)
    finish_stage(wide, code, rows, tg, group, s, n, i)


@njit(**INLINE)
def last_stage(wide, code, rows, tg, group, s, n, i, c, over_h, shift):
    """A stage that starts from where the one before it ended."""
    gather_stage(wide, tg, s, n, i, _ONCE, s + n, i - 1, c, over_h, shift)
    finish_stage(wide, code, rows, tg, group, s, n, i)


@njit(**INLINE)
def propagate(wide, code, rows, tg, group, n):
    """The derivatives of one group at the end of the step, in v, and those of its stages, in du."""
    s = group * (tg.m + 2 * n) + tg.m
    over_h = 1.0 / load(wide, rows.control, STEP)
    shift = splat(wide, real_at(rows.x, SHIFT))
    for k in range(n):
        v = load(wide, tg.groups, s + k)
        store(tg.groups, s + n + k, v)
        store(tg.du, k, v * shift)
    finish_stage(wide, code, rows, tg, group, s, n, 0)
    next_stage(wide, code, rows, tg, group, s, n, 1, A[0], C[0], over_h, shift)
    next_stage(wide, code, rows, tg, group, s, n, 2, A[1], C[1], over_h, shift)
    next_stage(wide, code, rows, tg, group, s, n, 3, A[2], C[2], over_h, shift)
    next_stage(wide, code, rows, tg, group, s, n, 4, A[3], C[3], over_h, shift)
    next_stage(wide, code, rows, tg, group, s, n, 5, A[4], C[4], over_h, shift)
    last_stage(wide, code, rows, tg, group, s, n, 6, C[5], over_h, shift)
    last_stage(wide, code, rows, tg, group, s, n, 7, C[6], over_h, shift)
    for k in range(n):
        end = load(wide, tg.groups, s + n + k) + load(wide, tg.du, 7 * n + k)
        store(tg.groups, s + n + k, end)


@njit(**INLINE)
def tangents_at(wide, tg, s, n, place):
    """probe = the derivatives at a place within the step (the same polynomials as the states')."""
    zero = splat(wide, 0.0)
    r = 1.0 - place
    for k in range(n):
        k1 = combine(zero, H[0], tg.du, k, n)
        k2 = combine(zero, H[1], tg.du, k, n)
        k3 = combine(zero, H[2], tg.du, k, n)
        inner = k1 + (k2 + k3 * place) * place
        begin, end = load(wide, tg.groups, s + k), load(wide, tg.groups, s + n + k)
        store(tg.probe, k, begin * r + (end + inner * r) * place)


@njit(**INLINE)
def write_group(wide, tg, address, first, group, n, output):
    """Copy n rows of derivatives to an output time."""
    width = len(wide)
    count = min(width, tg.n_directions - group * width)
    at = output * n * tg.n_directions + group * width
    for k in range(n):
        store_some(tg.out, at + k * tg.n_directions, count, load(wide, address, first + k))


@njit(**INLINE)
def step_tangents(one, wide, code, job, ln, rows, tg, n, n_wide):
    """All groups over the accepted step, up to where it was cut; outputs within it are written."""
    share(wide, code, rows, tg, n, n_wide)
    begin, full, end = ln.t[0], real_at(rows.clock, 1), end_of_step(ln, 0)
    cut = (ln.high[0] - begin) / full if code.conditions != 0 else 2.0
    for group in range(tg.n_groups):
        propagate(wide, code, rows, tg, group, n)
        s = group * (tg.m + 2 * n) + tg.m
        output = ln.output[0]
        while output < job.n_times and real_at(job.times, output) < end:
            tangents_at(wide, tg, s, n, (real_at(job.times, output) - begin) / full)
            write_group(wide, tg, tg.probe, 0, group, n, output)
            output += 1
        if cut < 1.0:
            tangents_at(wide, tg, s, n, cut)
            for k in range(n):
                store(tg.groups, s + k, load(wide, tg.probe, k))
        else:
            for k in range(n):
                store(tg.groups, s + k, load(wide, tg.groups, s + n + k))


# --- what happens between steps -----------------------------------------------------------------


@njit(**INLINE)
def follow_stops(wide, job, ln, tg, n):
    """What the stops that were just applied do to the derivatives; whether there were any."""
    row = whole_at(tg.stop, 0)
    if row == ln.stop[0]:
        return False
    zero = splat(wide, 0.0)
    row = max(row, 0)
    while row < ln.stop[0]:
        i, action, value = (
            whole_at(job.stop_index, row),
            whole_at(job.stop_action, row),
            real_at(job.stop_value, row),
        )
        for group in range(tg.n_groups):
            first = group * (tg.m + 2 * n)
            q, s = first + i, first + tg.m + i
            if action == ADD_TO_STATE:
                jump = whole_at(job.stop_jump, row)
                if jump >= 0:
                    moved = load(wide, tg.groups, s) + load(wide, tg.groups, first + jump) * value
                    store(tg.groups, s, moved)
            elif action == SET_STATE:
                store(tg.groups, s, zero)
            elif action == SET_PARAMETER:
                store(tg.groups, q, zero)
            elif action == RESTORE_PARAMETER:
                store(tg.groups, q, load(wide, tg.initial, q))
            elif action == RESTORE_STATE:
                store(tg.groups, s, load(wide, tg.initial, s))
        row += 1
    set_whole(tg.stop, 0, row)
    return True


@njit(**INLINE)
def follow_outputs(wide, ln, tg, n):
    """Write the derivatives at the outputs that were just written for the states."""
    output = whole_at(tg.output, 0)
    while output < ln.output[0]:
        for group in range(tg.n_groups):
            write_group(wide, tg, tg.groups, group * (tg.m + 2 * n) + tg.m, group, n, output)
        output += 1
    set_whole(tg.output, 0, output)


@entry_point
def run_tangents(one, wide, code_record, job_record, lane_record, row_record, tangent_record, budget):
    """As `driver.run` for a single member, with derivatives; `wide` directions go side by side."""
    code, job, ln, rows = code_record[0], job_record[0], lane_record[0], row_record[0]
    tg = tangent_record[0]
    n, n_wide = code.n, code.n_wide
    for _ in range(budget):
        working = settle(one, wide, code, job, ln, rows, n)
        jumped = follow_stops(wide, job, ln, tg, n)
        if working < 0:
            return ATTENTION
        if jumped and code.n_algebraic > 0:
            return JUMPED
        follow_outputs(wide, ln, tg, n)
        if working == 0:
            return FINISHED
        if whole_at(job.halt, 0) != 0:
            halt_members(one, job, ln)
            return FINISHED
        n_accepted = try_step(one, wide, code, job, ln, rows, n_wide, n)
        if n_accepted > 0:
            inside = watch(one, wide, code, job, ln, rows, n_wide)
            step_tangents(one, wide, code, job, ln, rows, tg, n, n_wide)
            move(one, wide, code, job, ln, rows, n_wide, n, n_accepted, inside)
            set_whole(tg.output, 0, ln.output[0])
            if code.conditions != 0 and np.isfinite(ln.high[0]):
                return CROSSED
    return PAUSED
