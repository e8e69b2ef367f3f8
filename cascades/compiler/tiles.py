"""The part of a factorisation that is done in tiles of four rows by loops, and where its entries are.

A sparse matrix fills up while it is eliminated.  The first pivots are written out as code; the matrix
that is left after `split` of them is nearly dense, and as code it would not fit the instruction cache.
It is cut into groups of four rows.  The rows of a group are stored together, over the union of their
columns: four neighbouring numbers per column, so that `kernels.factor.factor_tiles` can subtract four
pivots from four rows at a time and reads each number once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cascades.compiler.ordering import Factorisation

TILE = 4
Table = npt.NDArray[np.int32]
_PER_UPDATE = 5


@dataclass(frozen=True)
class Tiles:
    """Where the entries of L + U are, and what is left to do after `split` pivots.

    groups : for each group of rows where its updates begin, its diagonal block, and how many columns are
        right of that
    updates : for each group, for each earlier group whose pivots it is reduced by: the block of factors,
        the earlier group's diagonal block, its first column right of that, their number, and where in
        `targets` it begins
    targets : where in the group the earlier group's columns are
    padding : what has to be stored at places that are no entries: 0, and 1 where a last pivot is missing
    """

    split: int
    size: int
    groups: Table
    updates: Table
    targets: Table
    padding: dict[int, float]
    _places: dict[tuple[int, int], int]

    def place(self, row: int, column: int) -> int:
        """Where the entry at these positions (in pivot order) is stored."""
        return self._places[row, column]


def split_within(factors: Factorisation, multiplications: int) -> int:
    """How many pivots can be eliminated with so many multiply-adds."""
    n = len(factors.columns)
    below = [0] * n
    for i, columns in enumerate(factors.columns):
        for k in columns:
            if k < i:
                below[k] += 1
    total = 0
    for k, columns in enumerate(factors.columns):
        total += below[k] * (sum(1 for j in columns if j > k) + 1)
        if total > multiplications:
            return k
    return n


def plain_storage(factors: Factorisation, split: int) -> Tiles:
    """No tiles: row by row."""
    entries = ((i, j) for i, columns in enumerate(factors.columns) for j in columns)
    return _untiled(factors, split, {entry: place for place, entry in enumerate(entries)})


def solved_storage(factors: Factorisation) -> Tiles:
    """No tiles, as all is code: the entries in the order in which a solution reads them."""
    n = len(factors.columns)
    return _untiled(factors, n, _as_solved(factors, n))


def _untiled(factors: Factorisation, split: int, places: dict[tuple[int, int], int]) -> Tiles:
    return Tiles(split, factors.size, _table([]), _table([]), _table([]), {}, places)


def tiled_storage(factors: Factorisation, split: int) -> Tiles:
    """Tiles from pivot `split` on; what is left of or above it as it is solved."""
    n = len(factors.columns)
    places = _as_solved(factors, split)
    columns, sources = _grouped(factors, split)
    padding: dict[int, float] = {}
    size = len(places)
    first: list[dict[int, int]] = []  # per group: column -> where its four numbers begin
    for group, kept in enumerate(columns):
        first.append({column: size + TILE * q for q, column in enumerate(kept)})
        size += TILE * len(kept)
        for row in range(split + TILE * group, split + TILE * (group + 1)):
            entries = set(factors.columns[row]) if row < n else {row}
            for column, begin in first[group].items():
                at = begin + (row - split) % TILE
                if column not in entries:
                    padding[at] = 0.0
                elif row < n:
                    places[row, column] = at
                else:
                    padding[at] = 1.0
    groups: list[int] = []
    updates: list[int] = []
    targets: list[int] = []
    for group, kept in enumerate(columns):
        groups += [
            len(updates) // _PER_UPDATE,
            first[group][_pivot(split, group)],
            _right(kept, split, group),
        ]
        for source in sources[group]:
            pivot, count = _pivot(split, source), _right(columns[source], split, source)
            diagonal = first[source][pivot]
            updates += [first[group][pivot], diagonal, diagonal + TILE * TILE, count, len(targets)]
            targets += [first[group][column] for column in columns[source] if column >= pivot + TILE]
    groups += [len(updates) // _PER_UPDATE, 0, 0]
    return Tiles(split, size, _table(groups), _table(updates), _table(targets), padding, places)


def _table(numbers: Sequence[int]) -> Table:
    return np.array(numbers or [0], dtype=np.int32)


def _as_solved(factors: Factorisation, split: int) -> dict[tuple[int, int], int]:
    """Places of the entries above and left of `split`, in the order in which a solution reads them: L down,
    then U up.  A stream is fetched ahead of its use."""
    rows = list(enumerate(factors.columns))
    lower = [(i, j) for i, columns in rows for j in columns if j < min(i, split)]
    upper = [(i, j) for i, columns in reversed(rows[:split]) for j in reversed(columns) if j >= i]
    return {entry: place for place, entry in enumerate(lower + upper)}


def _grouped(factors: Factorisation, split: int) -> tuple[list[list[int]], list[list[int]]]:
    """For each group of rows its columns, and the earlier groups whose pivots it is reduced by."""
    n = len(factors.columns)
    columns: list[list[int]] = []
    sources: list[list[int]] = []
    for first in range(split, n, TILE):
        rows = range(first, min(first + TILE, n))
        kept = {j for i in rows for j in factors.columns[i] if j >= split} | {*range(first, first + TILE)}
        found = []
        for group, earlier in enumerate(columns):
            pivots = set(range(_pivot(split, group), _pivot(split, group) + TILE))
            if kept & pivots:
                found.append(group)
                kept |= pivots | {j for j in earlier if j > max(pivots)}
        columns.append(sorted(kept))
        sources.append(found)
    return columns, sources


def _pivot(split: int, group: int) -> int:
    return split + TILE * group


def _right(columns: Sequence[int], split: int, group: int) -> int:
    return sum(1 for column in columns if column >= _pivot(split, group) + TILE)
