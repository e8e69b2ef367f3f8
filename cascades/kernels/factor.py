"""LU factorisation of a sparse matrix from tables, for matrices too large to be written out as code, and for
those of which there is no code yet.

For several lanes four rows at a time (`factor_tiles`, on what is left after the first pivots); for
one lane row by row, with vectors over columns (`factor_blocks`, `solve_rows`).  Pivots are stored inverted.
"""

from __future__ import annotations

from numba import njit

from cascades.kernels.vectors import load, real_at, set_real, splat, store, table_entry

INLINE = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit(**INLINE)
def factor_tiles(lanes, table, w):
    """Replace the tiles of `compiler.tiles.Tiles` in `w` by their L and U.

    table : the record with the tables as addresses, and the number of groups
    """
    for group in range(table.n_groups):
        pivots, count = table_entry(table.groups, 3 * group + 1), table_entry(table.groups, 3 * group + 2)
        for update in range(table_entry(table.groups, 3 * group), table_entry(table.groups, 3 * group + 3)):
            left, above = table_entry(table.updates, 5 * update), table_entry(table.updates, 5 * update + 1)
            source = table_entry(table.updates, 5 * update + 2)
            first = table_entry(table.updates, 5 * update + 4)
            a = divide_row(lanes, w, left, above)
            b = divide_row(lanes, w, left + 1, above)
            c = divide_row(lanes, w, left + 2, above)
            d = divide_row(lanes, w, left + 3, above)
            for q in range(table_entry(table.updates, 5 * update + 3)):
                target = table_entry(table.targets, first + q)
                u = four(lanes, w, source + 4 * q, 1)
                subtract(lanes, w, target, a, u)
                subtract(lanes, w, target + 1, b, u)
                subtract(lanes, w, target + 2, c, u)
                subtract(lanes, w, target + 3, d, u)
        factor_diagonal(lanes, w, pivots)
        reduce_right(lanes, w, pivots, count)


@njit(**INLINE)
def four(lanes, w, first, stride):
    return (
        load(lanes, w, first),
        load(lanes, w, first + stride),
        load(lanes, w, first + 2 * stride),
        load(lanes, w, first + 3 * stride),
    )


@njit(**INLINE)
def divide_row(lanes, w, row, above):
    """One row of a block by the upper triangle of a diagonal block: the factors, which are also stored."""
    x = four(lanes, w, row, 4)
    a = x[0] * load(lanes, w, above)
    b = (x[1] - a * load(lanes, w, above + 4)) * load(lanes, w, above + 5)
    c = x[2] - a * load(lanes, w, above + 8) - b * load(lanes, w, above + 9)
    c = c * load(lanes, w, above + 10)
    d = x[3] - a * load(lanes, w, above + 12) - b * load(lanes, w, above + 13)
    d = (d - c * load(lanes, w, above + 14)) * load(lanes, w, above + 15)
    store(w, row, a)
    store(w, row + 4, b)
    store(w, row + 8, c)
    store(w, row + 12, d)
    return (a, b, c, d)


@njit(**INLINE)
def subtract(lanes, w, target, factors, u):
    value = load(lanes, w, target)
    value = value - factors[0] * u[0] - factors[1] * u[1] - factors[2] * u[2] - factors[3] * u[3]
    store(w, target, value)


@njit(**INLINE)
def factor_diagonal(lanes, w, block):
    """The entry (row, column) of a block is at row + 4 column."""
    for row in range(4):
        for k in range(row):
            factor = load(lanes, w, block + row + 4 * k) * load(lanes, w, block + 5 * k)
            store(w, block + row + 4 * k, factor)
            for j in range(k + 1, 4):
                at = block + row + 4 * j
                store(w, at, load(lanes, w, at) - factor * load(lanes, w, block + k + 4 * j))
        store(w, block + 5 * row, 1.0 / load(lanes, w, block + 5 * row))


@njit(**INLINE)
def reduce_right(lanes, w, block, count):
    """The columns right of a diagonal block by the block's lower triangle."""
    ba, ca, da = load(lanes, w, block + 1), load(lanes, w, block + 2), load(lanes, w, block + 3)
    cb, db, dc = load(lanes, w, block + 6), load(lanes, w, block + 7), load(lanes, w, block + 11)
    for at in range(block + 16, block + 16 + 4 * count, 4):
        x = four(lanes, w, at, 1)
        b = x[1] - ba * x[0]
        c = x[2] - ca * x[0] - cb * b
        store(w, at + 1, b)
        store(w, at + 2, c)
        store(w, at + 3, x[3] - da * x[0] - db * b - dc * c)


@njit(**INLINE)
def factor_blocks(lanes, wide, table, w, work, upper):
    """Replace one member's matrix in `w` by its L and U: vectors run over aligned blocks of columns.

    A row is spread over a dense work row, the U rows of its pivots are subtracted, and it is collected again.

    table : the record with the tables of `compiler.lanes.FactorTable` as addresses, and the size n
    work : one number per column
    upper : the blocks of every pivot's U row, zero outside the row's pattern
    """
    width = len(wide)
    for i in range(table.n):
        first, last = table_entry(table.start, i), table_entry(table.start, i + 1)
        pivot = table_entry(table.diagonal, i)
        for at in range(table_entry(table.row_start, i), table_entry(table.row_start, i + 1)):
            store(work, table_entry(table.row_blocks, at), splat(wide, 0.0))
        for place in range(first, last):
            set_real(work, table_entry(table.columns, place), real_at(w, place))
        for place in range(first, pivot):
            k = table_entry(table.columns, place)
            factor = real_at(work, k) * real_at(w, table_entry(table.diagonal, k))
            set_real(w, place, factor)
            number = splat(wide, factor)
            for at in range(table_entry(table.block_start, k), table_entry(table.block_start, k + 1)):
                block = table_entry(table.blocks, at)
                store(work, block, load(wide, work, block) - number * load(wide, upper, at))
        for place in range(pivot + 1, last):
            set_real(w, place, real_at(work, table_entry(table.columns, place)))
        set_real(w, pivot, 1.0 / real_at(work, i))
        for at in range(table_entry(table.block_start, i), table_entry(table.block_start, i + 1)):
            block = table_entry(table.blocks, at)
            store(upper, at, load(wide, work, block))
            for column in range(block * width, min(i + 1, (block + 1) * width)):
                set_real(upper, at * width + column - block * width, 0.0)


@njit(**INLINE)
def solve_rows(lanes, table, w, work, out, begin):
    """L U x = b for one member, b and then x in `out` from number `begin` on.

    Every row is summed in the order of the compiled solution, so that both give the same digits.
    """
    for i in range(table.n):
        value = load(lanes, out, begin + table_entry(table.row_of, i))
        for place in range(table_entry(table.start, i), table_entry(table.diagonal, i)):
            value = value - load(lanes, w, place) * load(lanes, work, table_entry(table.columns, place))
        store(work, i, value)
    for i in range(table.n - 1, -1, -1):
        value = load(lanes, work, i)
        for place in range(table_entry(table.start, i + 1) - 1, table_entry(table.diagonal, i), -1):
            value = value - load(lanes, w, place) * load(lanes, work, table_entry(table.columns, place))
        value = value * load(lanes, w, table_entry(table.diagonal, i))
        store(work, i, value)
        store(out, begin + table_entry(table.column_of, i), value)
