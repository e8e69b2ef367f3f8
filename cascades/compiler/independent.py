"""Which fast reactions are independent, which species follow from them, and what they leave alone.

Exact elimination on the stoichiometry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Row = dict[str, Fraction]


@dataclass(frozen=True)
class Independent:
    """pivots : the species that follows from each independent reaction, state -> reaction
    laws : independent reaction -> reaction -> number: the sum of rates that is zero at equilibrium.
        A reaction that is a sum of others (one that goes back, the last of a cycle) adds to theirs.
    """

    pivots: dict[str, str]
    laws: dict[str, Row]


def independent(turnover: Mapping[str, Row], fast: Sequence[str]) -> Independent:
    """Gauss elimination on the reactions' columns; a species that only one fast reaction changes and
    that is alone on its side goes first, so that few formulas depend on each other.

    Parameters
    ----------
    turnover : state -> reaction -> number, of what fast reactions change
    """
    order = sorted(turnover, key=lambda state: (len(turnover[state]), _company(state, turnover)))
    pivots: dict[str, str] = {}
    laws: dict[str, Row] = {}
    reduced: list[tuple[str, Row, Row]] = []  # a pivot, its column, and the reactions that it is made of
    for reaction in fast:
        column = {state: row[reaction] for state, row in turnover.items() if reaction in row}
        made_of = {reaction: Fraction(1)}
        for state, other, parts in reduced:
            factor = column.get(state, Fraction(0)) / other[state]
            if factor:
                _subtract(column, factor, other)
                _subtract(made_of, factor, parts)
        pivot = next((state for state in order if column.get(state)), None)
        if pivot is not None:
            pivots[pivot] = reaction
            laws[reaction] = {reaction: Fraction(1)}
            reduced.append((pivot, column, made_of))
            continue
        for one, count in made_of.items():
            if one != reaction and count:
                laws[one][reaction] = -count
    return Independent(pivots, laws)


def _subtract(row: Row, factor: Fraction, other: Row) -> None:
    for name, n in other.items():
        row[name] = row.get(name, Fraction(0)) - factor * n


def _company(state: str, turnover: Mapping[str, Row]) -> int:
    """With how many species it stands on the same side of fast reactions: C of A + B <-> C is alone."""
    return sum(row.get(r, 0) * n > 0 for r, n in turnover[state].items() for row in turnover.values())


def combination(row: Row, pivots: Mapping[str, str], turnover: Mapping[str, Row], fast: Sequence[str]) -> Row:
    """Numbers m with row + sum of m[p] * turnover[p] = 0 in every fast reaction."""
    names = list(pivots)
    table = [[turnover[p].get(r, Fraction(0)) for p in names] + [-row.get(r, Fraction(0))] for r in fast]
    rank = 0
    where: list[int] = []
    for column in range(len(names)):
        best = next((i for i in range(rank, len(table)) if table[i][column]), None)
        if best is None:
            continue
        table[rank], table[best] = table[best], table[rank]
        lead = table[rank][column]
        table[rank] = [x / lead for x in table[rank]]
        for i in range(len(table)):
            if i != rank and table[i][column]:
                factor = table[i][column]
                table[i] = [x - factor * y for x, y in zip(table[i], table[rank], strict=True)]
        where.append(column)
        rank += 1
    return {names[column]: table[i][-1] for i, column in enumerate(where) if table[i][-1]}
