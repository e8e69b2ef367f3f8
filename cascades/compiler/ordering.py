"""The order in which a sparse matrix is factorised, and where its factors are stored.

Pivots are taken from the diagonal in Markowitz's order (Markowitz 1957, Management Science 3:255):
always the one that can create the fewest new entries.  Rows of algebraic equations are first matched
to columns so that no pivot is missing from the pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cascades.errors import CompileError

Entry = tuple[int, int]


@dataclass(frozen=True)
class Factorisation:
    """L and U of a matrix whose rows and columns are in pivot order, stored row by row.

    row_of, column_of : which equation and which state stands at each pivot
    columns : for each row the positions of its entries (L before the diagonal, then U), sorted
    start : where each row begins in storage
    """

    row_of: tuple[int, ...]
    column_of: tuple[int, ...]
    columns: tuple[tuple[int, ...], ...]
    start: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of stored entries."""
        return self.start[-1]

    def place(self, row: int, column: int) -> int:
        """Where the entry at these positions (in pivot order) is stored."""
        return self.start[row] + self._find(row, column)

    def _find(self, row: int, column: int) -> int:
        from bisect import bisect_left

        return bisect_left(self.columns[row], column)

    def multiplications(self) -> int:
        """Multiply-adds of one factorisation."""
        upper = [sum(1 for j in columns if j > i) for i, columns in enumerate(self.columns)]
        return sum(upper[k] + 1 for i, columns in enumerate(self.columns) for k in columns if k < i)


def order(entries: Iterable[Entry], n: int, free_rows: Sequence[int] = ()) -> Factorisation:
    """The factorisation of an n x n matrix with these entries; the diagonal is added, except in
    `free_rows` (algebraic equations), which may change places among each other.

    Raises
    ------
    CompileError
        If the pattern is singular: an algebraic equation that determines nothing.
    """
    pattern = {(i, j) for i, j in entries}
    free = set(free_rows)
    pattern |= {(i, i) for i in range(n) if i not in free}
    row_of = _match(pattern, n, free)
    where = {row: position for position, row in enumerate(row_of)}
    rows: list[set[int]] = [set() for _ in range(n)]
    columns: list[set[int]] = [set() for _ in range(n)]
    for i, j in pattern:
        rows[where[i]].add(j)
        columns[j].add(where[i])
    pivots = _eliminate(rows, columns)
    position = {pivot: k for k, pivot in enumerate(pivots)}
    filled = tuple(tuple(sorted(position[j] for j in rows[pivot])) for pivot in pivots)
    start = [0]
    for row in filled:
        start.append(start[-1] + len(row))
    return Factorisation(tuple(row_of[p] for p in pivots), tuple(pivots), filled, tuple(start))


def _eliminate(rows: list[set[int]], columns: list[set[int]]) -> list[int]:
    """Diagonal pivots in Markowitz's order.  Fills `rows` with the pattern of L + U."""
    n = len(rows)
    active_rows = [set(row) for row in rows]
    left = set(range(n))
    cost = {k: (len(active_rows[k]) - 1) * (len(columns[k]) - 1) for k in left}
    pivots = []
    while left:
        k = min(left, key=lambda q: (cost[q], q))
        left.discard(k)
        pivots.append(k)
        below = columns[k] - {k}
        right = active_rows[k] - {k}
        for i in below:
            active_rows[i].discard(k)
            new = right - active_rows[i]
            active_rows[i] |= new
            rows[i] |= new
            for j in new:
                columns[j].add(i)
        for j in right:
            columns[j].discard(k)
        for q in below | right:
            cost[q] = (len(active_rows[q]) - 1) * (len(columns[q]) - 1)
    return pivots


def _match(pattern: set[Entry], n: int, free: set[int]) -> list[int]:
    """For each column the row that is its pivot: the same, but algebraic equations are matched to
    algebraic states by augmenting paths."""
    row_of = list(range(n))
    choices = {i: sorted(j for r, j in pattern if r == i and j in free) for i in free}
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for j in sorted(choices[row], key=lambda column: column != row):
            if j in seen:
                continue
            seen.add(j)
            if j not in taken or place(taken[j], seen):
                taken[j] = row
                return True
        return False

    for row in sorted(free):
        if not place(row, set()):
            raise CompileError(f"the algebraic equations are singular: number {row} determines no variable")
    for column, row in taken.items():
        row_of[column] = row
    return row_of
