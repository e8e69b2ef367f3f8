"""Fast reactions as their algebraic limit: always at equilibrium.

The combinations of amounts that no fast reaction changes become states; one species for each
independent fast reaction follows from its rate law being zero (the limit is that of Haseltine &
Rawlings 2002, J Chem Phys 117:6959).  Only where that species is unique: the law is linear in it
with a constant slope, or the difference of a forward and a backward term without a common factor.
A reaction that runs one way until its reactant is used up has its own file, `one_way`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction
from math import nan

from cascades.compiler.algebraic import solution
from cascades.compiler.closing import close
from cascades.compiler.draft import Draft, free_name, turnover
from cascades.compiler.independent import Row, combination, independent
from cascades.compiler.one_way import OneWay, one_way, run_one_way
from cascades.expression import (
    ONE,
    ZERO,
    Expr,
    add,
    call,
    evaluate,
    free_symbols,
    mul,
    piecewise,
    power,
    symbol,
)
from cascades.model import Event, EventAssignment, Species


def eliminate_fast(parts: Draft) -> None:
    """Replace the species of fast reactions by totals, which slow reactions change, and equilibria."""
    fast = [reaction.id for reaction in parts.model.reactions if reaction.is_fast]
    fast = [reaction for reaction in fast if not _runs_one_way(parts, reaction)]
    if not fast:
        return
    if not _allowed(parts, fast):
        return
    changed = _changed(parts, fast)
    found = independent(changed, fast)
    starts = {state: _take_start(parts, state) for state in changed}
    totals = {}
    for state, row in changed.items():
        if state not in found.pivots:
            weights = combination(row, found.pivots, changed, fast)
            totals[_replace_by_total(parts, state, weights, starts)] = _in_states(parts, state, weights)
    for state, reaction in found.pivots.items():
        _replace_by_equilibrium(parts, state, reaction, found.laws[reaction], starts)
    parts.events = [_of_totals(parts, event, totals, changed.keys()) for event in parts.events]


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


def _changed(parts: Draft, fast: list[str]) -> dict[str, Row]:
    """Of each state that fast reactions change, the number in each of them."""
    rows = {}
    for species, counts in turnover(parts.model).items():
        state = parts.amounts.get(species, species)
        row = {r: Fraction(count) for r, (count, _) in counts.items() if r in fast and count != 0.0}
        if state in parts.scales and row:
            rows[state] = row
    return rows


def _allowed(parts: Draft, fast: list[str]) -> bool:
    """Whether every species of a fast reaction is moved by plain reactions and events alone."""
    model = parts.model
    reactions = {reaction.id: reaction for reaction in model.reactions}
    stimulated = {port.symbol for port in model.ports if port.kind == "spike"}
    before = len(parts.unsupported)
    for name in fast:
        for reference in (*reactions[name].reactants, *reactions[name].products):
            state = parts.amounts.get(reference.species, reference.species)
            fixed = state not in parts.rates and reference.species not in parts.definitions
            if reference.id is not None and not fixed:
                parts.unsupported.append(f"fast reaction {name}: the stoichiometry {reference.id} has a name")
            elif not fixed and state not in parts.scales:
                parts.unsupported.append(f"fast reaction {name}: a rule sets {reference.species}")
            elif reference.species in stimulated:
                parts.unsupported.append(f"fast reaction {name}: spikes change {reference.species}")
    return len(parts.unsupported) == before


def _take_start(parts: Draft, state: str) -> Expr:
    """The start of a state, taken out of the draft."""
    parts.stoichiometry.pop(state, None)
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
        ratio = _ratio(parts, state, pivot, weight)
        rate = add(rate, mul(ratio, parts.rates[pivot]))
        start = add(start, mul(ratio, starts[pivot]))
        rest = add(rest, mul(-1.0, ratio, symbol(pivot)))
    parts.rates[total] = rate
    parts.starts[total] = start
    parts.definitions[state] = rest
    return total


def _ratio(parts: Draft, state: str, pivot: str, weight: Fraction) -> Expr:
    return mul(float(weight), parts.scales[state], power(parts.scales[pivot], -1.0))


def _in_states(parts: Draft, state: str, weights: Mapping[str, Fraction]) -> dict[str, Expr]:
    """The combination as a sum of states, each with its factor."""
    return {state: ONE} | {pivot: _ratio(parts, state, pivot, weight) for pivot, weight in weights.items()}


def _of_totals(
    parts: Draft, event: Event, totals: Mapping[str, Mapping[str, Expr]], changed: Collection[str]
) -> Event:
    """The event with assignments to combinations instead of species: the equilibrium follows.

    Species of a combination that the event leaves alone count as they are when it happens, so what is
    set must not be from an earlier time.
    """
    new, others, sizes = {}, [], set()
    for one in event.assignments:
        state = parts.amounts.get(one.variable, one.variable)
        if state not in changed:
            others.append(one)
            continue
        compartment = parts.model.by_id[one.variable].compartment
        new[state] = one.formula if state == one.variable else one.formula * symbol(compartment)
        sizes.add(compartment)
    if not new:
        return event
    if sizes & {one.variable for one in others}:
        parts.unsupported.append(
            f"event {event.id}: it sets a species of a fast reaction and its compartment"
        )
    is_constant = free_symbols(*(one.formula for one in event.assignments)) <= parts.constants
    is_alone = event.delay is None and len(parts.events) == 1
    if event.uses_trigger_time_values and not (is_constant or is_alone):
        what = "sets a species of a fast reaction by a formula, while delays or other events may come between"
        parts.unsupported.append(f"event {event.id}: {what}")
    for total, factors in totals.items():
        if new.keys() & factors.keys():
            terms = [mul(factor, new.get(state, symbol(state))) for state, factor in factors.items()]
            others.append(EventAssignment(total, add(*terms)))
    return replace(event, assignments=tuple(others), uses_trigger_time_values=False)


def _replace_by_equilibrium(
    parts: Draft, state: str, reaction: str, rates: Mapping[str, Fraction], starts: Mapping[str, Expr]
) -> None:
    parts.rates.pop(state)
    net = add(*(mul(float(count), parts.definitions[name]) for name, count in rates.items()))
    law = close(parts.definitions, parts.source)(net)
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
