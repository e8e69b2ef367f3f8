"""One trial step of all lanes, and the polynomials within it.

A step is eight stages, each with the same factors; `u` holds their solutions, `trial` the new state, and the
squared error is in `control`.
"""

from __future__ import annotations

from numba import njit

from cascades.kernels.factor import INLINE, factor_blocks, factor_tiles, solve_rows
from cascades.kernels.lanes import ERROR, PLACE, STEP, TIME
from cascades.kernels.rodas5p import NODES, SLOPES, A, C, H
from cascades.kernels.vectors import (
    absolute,
    call_code,
    choose,
    combine,
    larger,
    load,
    set_cell,
    splat,
    store,
    whole_at,
)


@njit(**INLINE)
def set_control(lanes, wide, rows, row, lane, value):
    """Control rows are wide; with one lane all their columns are the same."""
    if len(lanes) > 1:
        set_cell(lanes, rows.control, row, lane, value)
    else:
        for column in range(len(wide)):
            set_cell(wide, rows.control, row, column, value)


@njit(**INLINE)
def factor(lanes, wide, code, rows):
    """w = the factors of W = M / (h gamma) - J at y."""
    call_code(code.factor, rows.y, rows.p, rows.x, rows.w, 0)
    if code.has_table != 0:
        if len(lanes) > 1:
            factor_tiles(lanes, code, rows.w)
        else:
            factor_blocks(lanes, wide, code, rows.w, rows.work, rows.upper)


@njit(**INLINE)
def solve(lanes, code, rows, out, begin):
    """W x = b, b and then x in `out` from number `begin` on."""
    if code.solve != 0:
        call_code(code.solve, rows.w, rows.p, rows.x, out, begin)
    else:
        solve_rows(lanes, code, rows.w, rows.work, out, begin)


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
    solve(lanes, code, rows, rows.u, begin)


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
    factor(lanes, wide, code, rows)
    if code.time_slope != 0:
        call_code(code.time_slope, rows.y, rows.p, rows.x, rows.slope, 0)
        add_slope(wide, rows, n_wide, 0)
    solve(lanes, code, rows, rows.u, 0)
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
