"""The order in which a sparse matrix is factorised, and where its factors are stored.

Pivots are taken from the diagonal: always the one that creates the fewest new entries (minimum fill;
Tinney & Walker 1967, Proc IEEE 55:1801, scheme 3), and among equals the one with the fewest multiply-adds
(Markowitz 1957, Management Science 3:255).  Rows of algebraic equations are first matched to columns so
that no pivot is missing from the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    pattern = {(int(i), int(j)) for i, j in entries}
    free = set(free_rows)
    pattern |= {(i, i) for i in range(n) if i not in free}
    row_of = _match(pattern, n, free)
    where = {row: position for position, row in enumerate(row_of)}
    rows = [0] * n
    for i, j in pattern:
        rows[where[i]] |= 1 << j
    pivots, filled_rows = _eliminate(rows)
    position = {pivot: k for k, pivot in enumerate(pivots)}
    filled = tuple(tuple(sorted(position[j] for j in _members(filled_rows[pivot]))) for pivot in pivots)
    start = [0]
    for row in filled:
        start.append(start[-1] + len(row))
    return Factorisation(tuple(row_of[p] for p in pivots), tuple(pivots), filled, tuple(start))


def _eliminate(rows: Sequence[int]) -> tuple[list[int], list[int]]:
    """Diagonal pivots in the order of minimum fill, and the pattern of each row of L + U.

    A row is the set of its columns, as the bits of an integer: unions and counts are single operations.
    """
    n = len(rows)
    active, filled = list(rows), list(rows)
    columns = [0] * n
    for i, row in enumerate(rows):
        for j in _members(row):
            columns[j] |= 1 << i

    def cost(k: int) -> tuple[int, int, int]:
        right, below = active[k] & ~(1 << k), columns[k] & ~(1 << k)
        fill = 0
        for i in _members(below):
            fill += (right & ~active[i]).bit_count()
        return fill, right.bit_count() * below.bit_count(), k

    costs = {k: cost(k) for k in range(n)}
    pivots = []
    while costs:
        k = _cheapest(costs, cost)
        del costs[k]
        pivots.append(k)
        right, below = active[k] & ~(1 << k), columns[k] & ~(1 << k)
        for i in _members(below):
            new = right & ~active[i]
            active[i] = (active[i] | new) & ~(1 << k)
            filled[i] |= new
            for j in _members(new):
                columns[j] |= 1 << i
        for j in _members(right):
            columns[j] &= ~(1 << k)
        for q in _members(right | below):
            if q in costs:
                costs[q] = cost(q)
    return pivots, filled


def _cheapest(costs: dict[int, tuple[int, int, int]], cost: Callable[[int], tuple[int, int, int]]) -> int:
    """The pivot with the least cost.  Costs of pivots two steps away may be out of date, so the best one is
    computed again until it stays the best."""
    while True:
        k = min(costs.values())[2]
        now = cost(k)
        if now <= costs[k]:
            return k
        costs[k] = now


def _members(bits: int) -> Iterator[int]:
    """The positions of the bits that are set."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


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
