"""LU factorisation of a sparse matrix from tables, for matrices too large to be written out as code.

Row by row: a row is spread over a dense work row, the U rows of its pivots are subtracted as runs of
neighbouring columns, and it is collected again.  U rows are read in the order in which they are
stored, and the work row stays in the first-level cache.
"""

from __future__ import annotations

from numba import njit

from cascades.kernels.vectors import load, real_at, set_real, splat, store, table_entry

INLINE = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit(**INLINE)
def factor_rows(lanes, table, w, work):
    """Replace the matrix in `w` (stored row by row) by its L and U; pivots are stored inverted.

    table : the record with the tables of `compiler.lanes.FactorTable` as addresses, and the size n
    work : one row of `lanes` per column
    """
    for i in range(table.n):
        first, last = table_entry(table.start, i), table_entry(table.start, i + 1)
        for place in range(first, last):
            store(work, table_entry(table.columns, place), load(lanes, w, place))
        for place in range(first, table_entry(table.diagonal, i)):
            k = table_entry(table.columns, place)
            factor = load(lanes, work, k) * load(lanes, w, table_entry(table.diagonal, k))
            store(work, k, factor)
            for run in range(table_entry(table.run_start, k), table_entry(table.run_start, k + 1)):
                column, begin = table_entry(table.runs, 3 * run), table_entry(table.runs, 3 * run + 1)
                for q in range(table_entry(table.runs, 3 * run + 2)):
                    store(
                        work, column + q, load(lanes, work, column + q) - factor * load(lanes, w, begin + q)
                    )
        for place in range(first, last):
            store(w, place, load(lanes, work, table_entry(table.columns, place)))
        pivot = table_entry(table.diagonal, i)
        store(w, pivot, 1.0 / load(lanes, w, pivot))


@njit(**INLINE)
def factor_blocks(lanes, wide, table, w, work, upper):
    """The same for one member: vectors run over aligned blocks of neighbouring columns.

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
