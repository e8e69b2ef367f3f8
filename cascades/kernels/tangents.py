"""Forward sensitivities: the exact derivative of every Rosenbrock step, sharing its factorisation.

All lanes carry the same member; the lanes of a vector carry different directions.  The nominal step is
the driver's own.  Once it is accepted, each group of directions goes through the eight stages with
the same W, so a direction costs a few right-hand sides and solutions, and no factorisation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.driver import (
    end_of_step,
    halt_members,
    move,
    settle,
    try_step,
    watch,
)
from cascades.kernels.factor import INLINE
from cascades.kernels.lanes import (
    ADD_TO_STATE,
    ATTENTION,
    FINISHED,
    PAUSED,
    RESTORE_PARAMETER,
    RESTORE_STATE,
    SET_PARAMETER,
    SET_STATE,
    TIME,
)
from cascades.kernels.rodas5p import NODES, SLOPES, A, C, H
from cascades.kernels.vectors import (
    call_code,
    cell,
    combine,
    load,
    real_at,
    scaled,
    set_real,
    set_whole,
    splat,
    store,
    whole_at,
)

# What `run_tangents` also returns: a condition changed within the last step; stops moved states that
# algebraic equations follow.
CROSSED, JUMPED = 3, 4

_INTEGERS = "tangent n_groups n_directions n_context m blocks groups initial du k probe x out stop output"
_NOTHING = (0.0,)
# blocks: the points and u of the eight stages;  groups: rows of p, q, s, v;  initial: groups at the start
# out: (times, n, directions);  stop, output: (as arrays of one) how far stops and outputs are done
TANGENTS = np.dtype([(name, np.int64) for name in _INTEGERS.split()])


@njit(**INLINE)
def stage_points(lanes, rows, tg, n, padded):
    """Keep the point and the u of every stage of the step just taken."""
    for k in range(n):
        y = load(lanes, rows.y, k)
        store(tg.blocks, k, y)
        store(tg.blocks, 2 * padded + k, combine(y, A[0], rows.u, k, padded))
        store(tg.blocks, 4 * padded + k, combine(y, A[1], rows.u, k, padded))
        store(tg.blocks, 6 * padded + k, combine(y, A[2], rows.u, k, padded))
        store(tg.blocks, 8 * padded + k, combine(y, A[3], rows.u, k, padded))
        last = combine(y, A[4], rows.u, k, padded)
        store(tg.blocks, 10 * padded + k, last)
        last = last + load(lanes, rows.u, 5 * padded + k)
        store(tg.blocks, 12 * padded + k, last)
        store(tg.blocks, 14 * padded + k, last + load(lanes, rows.u, 6 * padded + k))
        for i in range(8):
            store(tg.blocks, (2 * i + 1) * padded + k, load(lanes, rows.u, i * padded + k))


@njit(**INLINE)
def tangent_stage(lanes, code, rows, tg, group, n, padded, i, weights, inverse_h):
    """du_i of one group, from the point's derivative in v."""
    step = load(lanes, rows.clock, 1)
    store(tg.x, TIME, load(lanes, rows.clock, 0) + step * NODES[i])
    store(tg.x, tg.n_context + 1, step * SLOPES[i])
    size = len(lanes)
    at = tg.groups + 8 * size * group * (2 * tg.m + 2 * n)
    block = tg.blocks + 8 * size * 2 * i * padded
    call_code(tg.tangent, block, at, tg.x, tg.du, i * padded * size)
    for a in range(code.n_algebraic):
        store(rows.keep, a, load(lanes, tg.du, i * padded + whole_at(code.algebraic, a)))
    over_h = scaled(weights, inverse_h)
    for k in range(n if i > 0 else 0):
        store(tg.du, i * padded + k, combine(load(lanes, tg.du, i * padded + k), over_h, tg.du, k, padded))
    for a in range(code.n_algebraic):
        store(tg.du, i * padded + whole_at(code.algebraic, a), load(lanes, rows.keep, a))
    call_code(code.solve, rows.w, rows.p, rows.x, tg.du, i * padded * size)


@njit(**INLINE)
def tangent_point(lanes, tg, first, n, padded, weights):
    """v = s + sum_j A_ij du_j"""
    for k in range(n):
        store(tg.groups, first + n + k, combine(load(lanes, tg.groups, first + k), weights, tg.du, k, padded))


@njit(**INLINE)
def propagate(lanes, code, rows, tg, group, n, padded):
    """The derivatives of one group at the end of the step, in v, and those of its stages, in du."""
    inverse_h = 1.0 / load(lanes, rows.clock, 1)
    first = group * (2 * tg.m + 2 * n) + 2 * tg.m
    for k in range(n):
        store(tg.groups, first + n + k, load(lanes, tg.groups, first + k))
    tangent_stage(lanes, code, rows, tg, group, n, padded, 0, _NOTHING, inverse_h)
    tangent_point(lanes, tg, first, n, padded, A[0])
    tangent_stage(lanes, code, rows, tg, group, n, padded, 1, C[0], inverse_h)
    tangent_point(lanes, tg, first, n, padded, A[1])
    tangent_stage(lanes, code, rows, tg, group, n, padded, 2, C[1], inverse_h)
    tangent_point(lanes, tg, first, n, padded, A[2])
    tangent_stage(lanes, code, rows, tg, group, n, padded, 3, C[2], inverse_h)
    tangent_point(lanes, tg, first, n, padded, A[3])
    tangent_stage(lanes, code, rows, tg, group, n, padded, 4, C[3], inverse_h)
    tangent_point(lanes, tg, first, n, padded, A[4])
    tangent_stage(lanes, code, rows, tg, group, n, padded, 5, C[4], inverse_h)
    add_stage(lanes, tg, first, n, padded, 5)
    tangent_stage(lanes, code, rows, tg, group, n, padded, 6, C[5], inverse_h)
    add_stage(lanes, tg, first, n, padded, 6)
    tangent_stage(lanes, code, rows, tg, group, n, padded, 7, C[6], inverse_h)
    add_stage(lanes, tg, first, n, padded, 7)


@njit(**INLINE)
def add_stage(lanes, tg, first, n, padded, i):
    for k in range(n):
        row = first + n + k
        store(tg.groups, row, load(lanes, tg.groups, row) + load(lanes, tg.du, i * padded + k))


@njit(**INLINE)
def tangents_at(lanes, tg, first, n, padded, place):
    """probe = the derivatives at a place within the step (the same polynomials as the states')."""
    zero = splat(lanes, 0.0)
    r = 1.0 - place
    for k in range(n):
        k1 = combine(zero, H[0], tg.du, k, padded)
        k2 = combine(zero, H[1], tg.du, k, padded)
        k3 = combine(zero, H[2], tg.du, k, padded)
        inner = k1 + (k2 + k3 * place) * place
        begin, end = load(lanes, tg.groups, first + k), load(lanes, tg.groups, first + n + k)
        store(tg.probe, k, begin * r + (end + inner * r) * place)


@njit(**INLINE)
def write_group(lanes, job, tg, address, first, group, n, output):
    """Copy n rows of derivatives to an output time."""
    for lane in range(len(lanes)):
        direction = group * len(lanes) + lane
        if direction >= tg.n_directions:
            return
        for k in range(n):
            set_real(
                tg.out, (output * n + k) * tg.n_directions + direction, cell(lanes, address, first + k, lane)
            )


@njit(**INLINE)
def step_tangents(lanes, code, job, ln, rows, tg, n, padded):
    """All groups over the accepted step, up to where it was cut; outputs within it are written."""
    for row in range(tg.n_context):
        store(tg.x, row, load(lanes, rows.x, row))
    store(tg.x, tg.n_context, load(lanes, rows.clock, 0))
    for k in range(n):
        store(tg.x, tg.n_context + 2 + k, load(lanes, rows.y, k))
    stage_points(lanes, rows, tg, n, padded)
    begin, full, end = ln.t[0], cell(lanes, rows.clock, 1, 0), end_of_step(ln, 0)
    cut = (ln.high[0] - begin) / full if code.conditions != 0 else 2.0
    for group in range(tg.n_groups):
        propagate(lanes, code, rows, tg, group, n, padded)
        first = group * (2 * tg.m + 2 * n) + 2 * tg.m
        output = ln.output[0]
        while output < job.n_times and real_at(job.times, output) < end:
            tangents_at(lanes, tg, first, n, padded, (real_at(job.times, output) - begin) / full)
            write_group(lanes, job, tg, tg.probe, 0, group, n, output)
            output += 1
        if cut < 1.0:
            tangents_at(lanes, tg, first, n, padded, cut)
            for k in range(n):
                store(tg.groups, first + k, load(lanes, tg.probe, k))
        else:
            for k in range(n):
                store(tg.groups, first + k, load(lanes, tg.groups, first + n + k))


@njit(**INLINE)
def follow_stops(lanes, job, ln, rows, tg, n):
    """What the stops that were just applied do to the derivatives; whether there were any."""
    row = whole_at(tg.stop, 0)
    if row == ln.stop[0]:
        return False
    stride = 2 * tg.m + 2 * n
    zero = splat(lanes, 0.0)
    row = max(row, 0)
    while row < ln.stop[0]:
        i, action, value = (
            whole_at(job.stop_index, row),
            whole_at(job.stop_action, row),
            real_at(job.stop_value, row),
        )
        for group in range(tg.n_groups):
            first = group * stride
            q, s = first + tg.m + i, first + 2 * tg.m + i
            if action == ADD_TO_STATE:
                jump = whole_at(job.stop_jump, row)
                if jump >= 0:
                    store(
                        tg.groups,
                        s,
                        load(lanes, tg.groups, s) + load(lanes, tg.groups, first + tg.m + jump) * value,
                    )
            elif action == SET_STATE:
                store(tg.groups, s, zero)
            elif action == SET_PARAMETER:
                store(tg.groups, q, zero)
            elif action == RESTORE_PARAMETER:
                store(tg.groups, q, load(lanes, tg.initial, q))
            elif action == RESTORE_STATE:
                store(tg.groups, s, load(lanes, tg.initial, s))
        row += 1
    set_whole(tg.stop, 0, row)
    for group in range(tg.n_groups):
        for j in range(tg.m):
            store(tg.groups, group * stride + j, load(lanes, rows.p, j))
    return True


@njit(**INLINE)
def follow_outputs(lanes, job, ln, tg, n):
    """Write the derivatives at the outputs that were just written for the states."""
    output = whole_at(tg.output, 0)
    while output < ln.output[0]:
        for group in range(tg.n_groups):
            write_group(lanes, job, tg, tg.groups, group * (2 * tg.m + 2 * n) + 2 * tg.m, group, n, output)
        output += 1
    set_whole(tg.output, 0, output)


@njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)
def run_tangents(lanes, code_record, job_record, lane_record, row_record, tangent_record, budget):
    """As `driver.run`, for one member in all lanes, with derivatives."""
    code, job, ln, rows = code_record[0], job_record[0], lane_record[0], row_record[0]
    tg = tangent_record[0]
    n, padded = code.n, code.n_wide
    for _ in range(budget):
        working = settle(lanes, lanes, code, job, ln, rows, n)
        jumped = follow_stops(lanes, job, ln, rows, tg, n)
        if working < 0:
            return ATTENTION
        if jumped and code.n_algebraic > 0:
            return JUMPED
        follow_outputs(lanes, job, ln, tg, n)
        if working == 0:
            return FINISHED
        if whole_at(job.halt, 0) != 0:
            halt_members(lanes, job, ln)
            return FINISHED
        n_accepted = try_step(lanes, lanes, code, job, ln, rows, padded, n)
        if n_accepted > 0:
            inside = watch(lanes, lanes, code, job, ln, rows, padded)
            step_tangents(lanes, code, job, ln, rows, tg, n, padded)
            move(lanes, lanes, code, job, ln, rows, padded, n, n_accepted, inside)
            set_whole(tg.output, 0, ln.output[0])
            if code.conditions != 0 and np.isfinite(ln.high[0]):
                return CROSSED
    return PAUSED
