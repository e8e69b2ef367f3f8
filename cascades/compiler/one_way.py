"""A fast reaction that runs one way, as its limit: at once, until what it consumes is used up.

Its rate law is a product (or such products by cases) of powers of species that it moves and a factor
that it does not move.  While it runs, its one reactant in the law, the sink, is zero, and what slow
reactions bring to the sink goes on through the reaction; while the factor is zero nothing happens.
An event empties the sink whenever the reaction runs and the sink is not empty: at the start, when the
factor is switched on, when a stimulus or another event fills it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cascades.compiler.closing import close
from cascades.compiler.draft import Draft, free_name, turnover
from cascades.expression import (
    ONE,
    ZERO,
    Expr,
    add,
    call,
    free_symbols,
    mul,
    number,
    piecewise,
    power,
    symbol,
)
from cascades.model import Event, EventAssignment

_FIRST = number(math.inf)  # the priority of emptying a sink
_BOUNDLESS = number(math.nan)  # the rate of what has no limit: the solver stops there and says so


@dataclass(frozen=True)
class Direction:
    """The reaction runs towards emptying `sink` where `drive` is positive; without a sink it has no limit."""

    sink: str | None
    drive: Expr


@dataclass(frozen=True)
class OneWay:
    """`shifts` : how one unit of extent changes each state that the reaction moves."""

    reaction: str
    shifts: Mapping[str, Expr]
    directions: tuple[Direction, ...]


def one_way(parts: Draft, reaction: str) -> OneWay | None:
    """The reaction as one that runs one way at a time; None if it is not, or if other fast reactions
    move its species."""
    shifts = _shifts(parts, reaction)
    if not shifts:
        return None
    law = close(parts.definitions, parts.source)(parts.definitions[reaction])
    cases = _cases(law, shifts)
    if cases is None:
        return None
    consumed, made = _sides(parts, reaction)
    forward = _directions(cases, 1.0, consumed, made)
    backward = _directions(cases, -1.0, made, consumed)
    if forward is None or backward is None:
        return None
    return OneWay(reaction, shifts, (*forward, *backward))


def run_one_way(parts: Draft, found: OneWay) -> None:
    """Let the reaction pass on what slow reactions bring to its sink, and empty the sink by events."""
    slow = {state: parts.rates[state] for state in found.shifts}
    for state in found.shifts:
        parts.stoichiometry.pop(state, None)
        pairs = [
            (_passed_on(state, one.sink, slow, found.shifts), call("gt", one.drive, ZERO))
            for one in found.directions
        ]
        if any(rate is not slow[state] for rate, _ in pairs):
            parts.rates[state] = piecewise(*pairs, otherwise=slow[state])
    for one in found.directions:
        if one.sink is not None:
            parts.events.append(_emptying(parts, found, one.sink, one.drive))


def _passed_on(state: str, sink: str | None, slow: Mapping[str, Expr], shifts: Mapping[str, Expr]) -> Expr:
    """The rate of a state while the sink is held at zero."""
    if sink is None:
        return _BOUNDLESS
    return ZERO if state == sink else add(slow[state], mul(-1.0, _moved(state, sink, shifts), slow[sink]))


def _moved(state: str, sink: str, shifts: Mapping[str, Expr]) -> Expr:
    """The change of a state for one unit that the sink gains."""
    divisor = shifts[sink]
    factors = divisor.args if divisor.op == "mul" else (divisor,)
    return mul(shifts[state], *(power(factor, -1.0) for factor in factors))


def _emptying(parts: Draft, found: OneWay, sink: str, drive: Expr) -> Event:
    full = call("ne", symbol(sink), ZERO)
    runs = call("gt", drive, ZERO)
    assignments = []
    for state in found.shifts:
        rest = add(symbol(state), mul(-1.0, _moved(state, sink, found.shifts), symbol(sink)))
        assignments.append(EventAssignment(state, ZERO if state == sink else rest))
    return Event(
        id=free_name(f"{found.reaction}_empties_{sink}", parts.model),
        trigger=full if runs.is_number else call("and", runs, full),
        assignments=tuple(assignments),
        priority=_FIRST,
        initial_value=False,
    )


def _shifts(parts: Draft, reaction: str) -> dict[str, Expr] | None:
    """How one unit of extent changes each state; None where a rule or another fast reaction does, too."""
    model = parts.model
    shifts = {}
    for species, row in turnover(model).items():
        fixed = model.by_id[species].is_constant or model.by_id[species].is_boundary
        if fixed or reaction not in row or (weight := add(*row[reaction])) is ZERO:
            continue
        state = parts.amounts.get(species, species)
        if state not in parts.scales or any(model.by_id[r].is_fast for r in row if r != reaction):
            return None
        shifts[state] = mul(parts.scales[state], weight)
    return shifts


def _sides(parts: Draft, reaction: str) -> tuple[set[str], set[str]]:
    """The states that the reaction consumes, and those that it makes."""
    one = parts.model.by_id[reaction]
    used, made = (
        {parts.amounts.get(r.species, r.species) for r in side} for side in (one.reactants, one.products)
    )
    return used - made, made - used


Case = tuple[Expr, Expr, frozenset[str]]  # a condition, a factor, and the moved states that it multiplies


def _cases(law: Expr, shifts: Mapping[str, Expr]) -> list[Case] | None:
    """The law by cases; None if it is not a product of powers of moved states and a factor without them."""
    if law.op == "piecewise":
        values, conditions = (*law.args[0:-1:2], law.args[-1]), (*law.args[1:-1:2], ONE)
    else:
        values, conditions = (law,), (ONE,)
    cases = []
    for value, condition in zip(values, conditions, strict=True):
        factor, moved = [], set()
        for part in value.args if value.op == "mul" else (value,):
            if not free_symbols(part) & shifts.keys():
                factor.append(part)
                continue
            base = part.args[0] if part.op == "pow" else part
            if not base.is_symbol or (part.op == "pow" and not _is_positive(part.args[1])):
                return None
            moved.add(base.name)
        if free_symbols(condition) & shifts.keys():
            return None
        cases.append((condition, mul(*factor), frozenset(moved)))
    return cases


def _is_positive(exponent: Expr) -> bool:
    return exponent.is_number and exponent.value > 0.0


def _directions(cases: list[Case], sign: float, consumed: set[str], made: set[str]) -> list[Direction] | None:
    """The reaction in one direction, once for each sink; None if two species could be used up."""
    drives: dict[str | None, list[Expr]] = {}
    for i, (_, factor, moved) in enumerate(cases):
        drive = mul(sign, factor, *(symbol(name) for name in sorted(moved & made)))
        if drive.is_number and not drive.value > 0.0:
            continue
        sinks = sorted(moved & consumed)
        if len(sinks) > 1 or not moved <= consumed | made:
            return None
        drives.setdefault(sinks[0] if sinks else None, [ZERO] * len(cases))[i] = drive
    conditions = [condition for condition, _, _ in cases]
    return [
        Direction(sink, piecewise(*zip(values, conditions, strict=True))) for sink, values in drives.items()
    ]
