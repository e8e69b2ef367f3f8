"""LU factorisation of a sparse matrix from tables, for matrices too large to be written out as code.

Row by row: a row is spread over a dense work row, the U rows of its pivots are subtracted as runs of
neighbouring columns, and it is collected again.  U rows are read in the order in which they are
stored, and the work row stays in the first-level cache.
"""

from __future__ import annotations

from numba import njit

from cascades.kernels.vectors import (
    element,
    load,
    load_at,
    real_at,
    set_real,
    splat,
    store,
    store_at,
    table_entry,
)

INLINE = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit(**INLINE)
def subtract_run(lanes, wide, work, column, w, place, length, factor):
    """work[column + i] -= factor * w[place + i] for a run of `length` rows of `lanes`."""
    if len(lanes) > 1:
        for i in range(length):
            store(work, column + i, load(lanes, work, column + i) - factor * load(lanes, w, place + i))
        return
    width = len(wide)
    i = 0
    number = element(factor, 0)
    while i + width <= length:
        row = load_at(wide, work, column + i) - splat(wide, number) * load_at(wide, w, place + i)
        store_at(work, column + i, row)
        i += width
    while i < length:
        set_real(work, column + i, real_at(work, column + i) - number * real_at(w, place + i))
        i += 1


@njit(**INLINE)
def factor_rows(lanes, wide, table, w, work):
    """Replace the matrix in `w` (stored row by row) by its L and U; pivots are stored inverted.

    table : the record with the addresses start, columns, diagonal, run_start, runs, and the size n
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
                subtract_run(
                    lanes, wide, work, column, w, begin, table_entry(table.runs, 3 * run + 2), factor
                )
        for place in range(first, last):
            store(w, place, load(lanes, work, table_entry(table.columns, place)))
        pivot = table_entry(table.diagonal, i)
        store(w, pivot, 1.0 / load(lanes, w, pivot))
