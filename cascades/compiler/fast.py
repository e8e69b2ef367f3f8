"""Fast reactions as their algebraic limit: always at equilibrium.

The combinations of amounts that no fast reaction changes become states; one species for each
independent fast reaction follows from its rate law being zero (the limit is that of Haseltine &
Rawlings 2002, J Chem Phys 117:6959).  Only where that species is unique: the law is linear in it
with a constant slope, or the difference of a forward and a backward term without a common factor.
A reaction that runs one way until its reactant is used up has its own file, `one_way`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import nan

from cascades.compiler.algebraic import solution
from cascades.compiler.closing import close
from cascades.compiler.draft import Draft, free_name
from cascades.compiler.one_way import OneWay, one_way, run_one_way
from cascades.expression import ZERO, Expr, add, call, evaluate, free_symbols, mul, piecewise, power, symbol
from cascades.model import Species

Row = dict[str, Fraction]


def eliminate_fast(parts: Draft) -> None:
    """Replace the species of fast reactions by totals, which slow reactions change, and equilibria."""
    fast = [reaction.id for reaction in parts.model.reactions if reaction.is_fast]
    fast = [reaction for reaction in fast if not _runs_one_way(parts, reaction)]
    if not fast:
        return
    turnover = {
        state: {r: Fraction(n) for r, n in row.items() if r in fast and n != 0.0}
        for state, row in parts.stoichiometry.items()
    }
    turnover = {state: row for state, row in turnover.items() if row}
    if not _allowed(parts, fast, turnover):
        return
    pivots = _pivots(turnover, fast)
    starts = {state: _take_start(parts, state) for state in turnover}
    for state, row in turnover.items():
        if state not in pivots:
            _replace_by_total(parts, state, _combination(row, pivots, turnover, fast), starts)
    for state, reaction in pivots.items():
        _replace_by_equilibrium(parts, state, reaction, starts)


def _runs_one_way(parts: Draft, reaction: str) -> bool:
    """Whether the reaction was given its limit as one that runs one way.

    One that always runs, and leaves a total, needs no events: its sink is zero by definition.
    """
    found = one_way(parts, reaction)
    if found is None:
        return False
    driven = [one for one in found.directions if _start_value(parts, one.drive) > 0.0]
    if any(one.sink is None for one in driven):
        parts.unsupported.append(f"fast reaction {reaction}: it uses up nothing that would stop it")
    sink = driven[0].sink if len(driven) == 1 else None
    if sink is not None and _always_runs(parts, found, driven[0].drive):
        _hold(parts, found, sink, driven[0].drive)
    else:
        run_one_way(parts, found)
    return True


def _always_runs(parts: Draft, found: OneWay, drive: Expr) -> bool:
    """Whether what drives it is constant, and nothing but reactions changes its species."""
    if len(found.shifts) < 2 or not found.shifts.keys() <= parts.stoichiometry.keys():
        return False
    return free_symbols(drive, *found.shifts.values()) <= parts.constants


def _hold(parts: Draft, found: OneWay, sink: str, drive: Expr) -> None:
    """The sink is always empty; what a change of a parameter would leave without a limit has no rate."""
    counts = {state: Fraction(parts.stoichiometry[state][found.reaction]) for state in found.shifts}
    starts = {state: _take_start(parts, state) for state in found.shifts}
    for state in found.shifts:
        if state != sink:
            total = _replace_by_total(parts, state, {sink: -counts[state] / counts[sink]}, starts)
            parts.rates[total] = piecewise((parts.rates[total], call("gt", drive, ZERO)))
    parts.rates.pop(sink)
    parts.definitions[sink] = ZERO


def _start_value(parts: Draft, formula: Expr) -> float:
    """At time 0 with the file's numbers; NaN where it has none."""
    at_start = close(parts.definitions | parts.starts | {"time": ZERO}, parts.source)(formula)
    return nan if free_symbols(at_start) else float(evaluate([at_start], {})[0])


def _allowed(parts: Draft, fast: list[str], turnover: Mapping[str, Row]) -> bool:
    """Whether every species of a fast reaction is moved by plain reactions alone."""
    model = parts.model
    reactions = {reaction.id: reaction for reaction in model.reactions}
    jumping = {a.variable for event in parts.events for a in event.assignments}
    before = len(parts.unsupported)
    for name in fast:
        for reference in (*reactions[name].reactants, *reactions[name].products):
            state = parts.amounts.get(reference.species, reference.species)
            fixed = state not in parts.rates and reference.species not in parts.definitions
            if reference.id is not None and not fixed:
                parts.unsupported.append(f"fast reaction {name}: the stoichiometry {reference.id} has a name")
            elif not fixed and state not in turnover and state not in parts.stoichiometry:
                parts.unsupported.append(f"fast reaction {name}: a rule sets {reference.species}")
            elif reference.species in jumping:
                parts.unsupported.append(f"fast reaction {name}: an event sets {reference.species}")
    return len(parts.unsupported) == before


def _pivots(turnover: Mapping[str, Row], fast: list[str]) -> dict[str, str]:
    """For each independent fast reaction the species that follows from it: state -> reaction.

    Gauss elimination on the reactions' columns; a species that only one fast reaction changes and
    that is alone on its side goes first, so that few formulas depend on each other.
    """
    columns = {r: {s: row[r] for s, row in turnover.items() if r in row} for r in fast}
    order = sorted(turnover, key=lambda state: (len(turnover[state]), _company(state, turnover)))
    pivots: dict[str, str] = {}
    reduced: list[tuple[str, Row]] = []
    for reaction in fast:
        column = dict(columns[reaction])
        for state, other in reduced:
            if column.get(state):
                factor = column[state] / other[state]
                for s, n in other.items():
                    column[s] = column.get(s, Fraction(0)) - factor * n
        state_or_none = next((s for s in order if column.get(s)), None)
        if state_or_none is not None:
            pivots[state_or_none] = reaction
            reduced.append((state_or_none, column))
    return pivots


def _company(state: str, turnover: Mapping[str, Row]) -> int:
    """With how many species it stands on the same side of fast reactions: C of A + B <-> C is alone."""
    return sum(row.get(r, 0) * n > 0 for r, n in turnover[state].items() for row in turnover.values())


def _combination(row: Row, pivots: Mapping[str, str], turnover: Mapping[str, Row], fast: list[str]) -> Row:
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


def _take_start(parts: Draft, state: str) -> Expr:
    """The start of a state, taken out of the draft."""
    parts.stoichiometry.pop(state)
    for name, amount in parts.amounts.items():
        if amount == state:
            species: Species = parts.model.by_id[name]
            parts.starts.pop(state)
            return parts.starts.pop(name) * symbol(species.compartment)
    return parts.starts.pop(state)


def _replace_by_total(
    parts: Draft, state: str, weights: Mapping[str, Fraction], starts: Mapping[str, Expr]
) -> str:
    """The state becomes a combination that fast reactions leave alone, less the pivots in it.

    Returns the combination's name.
    """
    total = free_name("_".join([state, *weights, "total"]), parts.model)
    rate, start, rest = parts.rates.pop(state), starts[state], symbol(total)
    for pivot, weight in weights.items():
        ratio = mul(float(weight), parts.scales[state], power(parts.scales[pivot], -1.0))
        rate = add(rate, mul(ratio, parts.rates[pivot]))
        start = add(start, mul(ratio, starts[pivot]))
        rest = add(rest, mul(-1.0, ratio, symbol(pivot)))
    parts.rates[total] = rate
    parts.starts[total] = start
    parts.definitions[state] = rest
    return total


def _replace_by_equilibrium(parts: Draft, state: str, reaction: str, starts: Mapping[str, Expr]) -> None:
    parts.rates.pop(state)
    law = close(parts.definitions, parts.source)(parts.definitions[reaction])
    formula = solution(law, state, allowed=parts.constants)
    if formula is not None:
        parts.definitions[state] = formula
    elif _has_one_root(law, state):
        parts.rates[state] = law
        parts.algebraic.add(state)
        parts.starts[state] = starts[state]
    else:
        what = f"the equilibrium of {state} may not exist or not be unique"
        parts.unsupported.append(f"fast reaction {reaction}: {what}")
        parts.definitions[state] = ZERO


def _has_one_root(law: Expr, state: str) -> bool:
    """A forward and a backward term of mass action, apart from constant factors."""
    if law.op == "mul":
        parts = [factor for factor in law.args if state in free_symbols(factor)]
        return len(parts) == 1 and _has_one_root(parts[0], state)
    if law.op != "add" or len(law.args) != 2:
        return False
    signs, factors = [], []
    for term in law.args:
        inner = term.args if term.op == "mul" else (term,)
        signs.append(inner[0].is_number and inner[0].value < 0.0)
        factors.append({factor for factor in inner if state in free_symbols(factor)})
        if any(factor.op not in ("symbol", "add", "pow") for factor in factors[-1]):
            return False
    return signs[0] != signs[1] and not factors[0] & factors[1]
