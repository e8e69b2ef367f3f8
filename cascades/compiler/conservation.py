"""Conserved totals: the exact rational left null space of the stoichiometry.

Elimination on integers, column by column: each independent reaction gives one species in terms of
the others; the species that are left name the totals.  Species that start at zero and take part in
few reactions (complexes) are eliminated first, so that the totals are those a biochemist would
write: a protein and its complexes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm

from cascades.compiler.equations import ConservedTotal
from cascades.expression import Expr, mul, number, power

Rational = int | Fraction
Column = dict[str, Rational]
Weights = dict[str, int]


def conserved_totals(
    stoichiometry: Mapping[str, Mapping[str, float]],
    scales: Mapping[str, Expr],
    is_zero: Mapping[str, bool],
    taken: Sequence[str] = (),
) -> tuple[ConservedTotal, ...]:
    """One total for each dimension of the left null space.

    Parameters
    ----------
    stoichiometry : state -> reaction -> number, in units of extent
        Of all states that reactions alone change.
    scales : state -> formula
        What turns extent into the state (1 / volume for a concentration).
    is_zero : state -> whether it starts at zero
    taken : names that a total must not have
    """
    rows = {state: {r: _exact(n) for r, n in row.items() if n} for state, row in stoichiometry.items()}
    found = []
    names = set(taken)
    for dependent, weights in null_space(rows, is_zero).items():
        name = f"total_{dependent}"
        while name in names:
            name += "_"
        names.add(name)
        found.append(ConservedTotal(name, _scaled(weights, scales), dependent))
    return tuple(found)


def null_space(rows: Mapping[str, Mapping[str, Rational]], is_zero: Mapping[str, bool]) -> dict[str, Weights]:
    """Integer weights w with sum of w[s] * rows[s] = 0, under the species that no other total is named
    after; non-negative where sums of them are."""
    columns = _columns(rows)
    use: dict[str, int] = dict.fromkeys(rows, 0)
    for column in columns:
        for state in column:
            use[state] += 1
    order = {state: i for i, state in enumerate(rows)}
    rank = {state: (not is_zero[state], use[state], -order[state]) for state in rows}
    pivots = _eliminated(columns, rank)
    totals: dict[str, Column] = {s: {s: 1} for s in rows if s not in pivots}
    for pivot, rest in pivots.items():
        for state, factor in rest.items():
            totals[state][pivot] = -factor
    return _non_negative({name: _integers(weights) for name, weights in totals.items()})


def _columns(rows: Mapping[str, Mapping[str, Rational]]) -> list[Column]:
    """The distinct reactions, up to a factor."""
    by_reaction: dict[str, Column] = {}
    for state, row in rows.items():
        for reaction, n in row.items():
            by_reaction.setdefault(reaction, {})[state] = n
    distinct: dict[tuple[tuple[str, Rational], ...], Column] = {}
    for column in by_reaction.values():
        lead = next(iter(column.values()))
        scaled = column if lead == 1 else {state: _ratio(n, lead) for state, n in column.items()}
        distinct[tuple(scaled.items())] = scaled
    return sorted(distinct.values(), key=len)


def _eliminated(columns: Sequence[Column], rank: Mapping[str, tuple[bool, int, int]]) -> dict[str, Column]:
    """Reduced row echelon form: pivot -> the other species of its equation w_pivot + sum = 0."""
    pivots: dict[str, Column] = {}
    users: dict[str, set[str]] = {state: set() for state in rank}  # equations that hold a species
    for column in columns:
        equation: Column = {}
        for state, n in column.items():
            if state in pivots:
                for other, factor in pivots[state].items():
                    _accumulate(equation, other, -n * factor)
            else:
                _accumulate(equation, state, n)
        if not equation:
            continue
        pivot = min(equation, key=rank.__getitem__)
        lead = equation.pop(pivot)
        equation = {state: _ratio(n, lead) for state, n in equation.items()}
        for user in users.pop(pivot):
            row = pivots[user]
            factor = row.pop(pivot)
            for state, n in equation.items():
                _accumulate(row, state, -factor * n)
                (users[state].add if state in row else users[state].discard)(user)
        pivots[pivot] = equation
        for state in equation:
            users[state].add(pivot)
    return pivots


def _accumulate(row: Column, state: str, n: Rational) -> None:
    value = row.get(state, 0) + n
    if value:
        row[state] = value
    else:
        row.pop(state, None)


def _exact(value: float) -> Rational:
    return int(value) if value == int(value) else Fraction(value)


def _ratio(above: Rational, below: Rational) -> Rational:
    """The exact quotient; a whole number where it is one, because those are quicker."""
    if below == 1 or below == -1:
        return above * below
    quotient = Fraction(above, below)
    return quotient.numerator if quotient.denominator == 1 else quotient


def _integers(weights: Mapping[str, Rational]) -> Weights:
    """The smallest whole numbers in the same proportions."""
    size = lcm(*(w.denominator for w in weights.values()))
    whole = {state: int(w * size) for state, w in weights.items()}
    divisor = gcd(*whole.values())
    return {state: w // divisor for state, w in whole.items()}


def _non_negative(totals: dict[str, Weights]) -> dict[str, Weights]:
    """Totals with negative weights, with non-negative totals added until they have none (if that is
    possible: where it is not, the total stays as it is)."""
    good = {name: w for name, w in totals.items() if min(w.values()) >= 0}
    result = {}
    for name, weights in totals.items():
        changed: Weights | None = dict(weights)
        while changed is not None and min(changed.values()) < 0:
            changed = _less_negative(changed, good)
        result[name] = weights if changed is None else changed
    return result


def _less_negative(weights: Weights, good: Mapping[str, Weights]) -> Weights | None:
    """The weights plus the non-negative total that removes the most negative ones, if any does."""
    negative = {state: -w for state, w in weights.items() if w < 0}
    best, removed = None, 0
    for other in good.values():
        covered = [state for state in negative if other.get(state, 0) > 0]
        if len(covered) > removed:
            best, removed = (other, covered), len(covered)
    if best is None:
        return None
    other, covered = best
    times = max(-(-negative[state] // other[state]) for state in covered)
    result = dict(weights)
    for state, w in other.items():
        result[state] = result.get(state, 0) + times * w
    return {state: w for state, w in result.items() if w}


def _scaled(weights: Weights, scales: Mapping[str, Expr]) -> dict[str, Expr]:
    """Weights on states: numbers where all states have the same scale, else formulas."""
    if len({scales[state] for state in weights}) == 1:
        return {state: number(w) for state, w in weights.items()}
    return {state: mul(w, power(scales[state], -1.0)) for state, w in weights.items()}
