"""Surgery on equations: hold a variable, drive it by spikes, keep only what matters for a read-out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from cascades.compiler.equations import Equations
from cascades.errors import RuleError, UnknownName
from cascades.expression import ZERO, Expr, add, evaluate, free_symbols, make, mul, postorder, symbol
from cascades.model import Port
from cascades.reduction.rule import CalciumTrace

PRE, POST = "glutamate", "bap"  # the ports at which spikes arrive


def clamp(equations: Equations, name: str) -> Equations:
    """The same with `name` (a state or an observable) held: a parameter, at its initial value.

    Raises UnknownName if there is no such quantity.
    """
    if name in equations.parameter_names:
        return equations
    if name in equations.state_names:
        return _without_state(equations, name)
    if name in equations.observables:
        return _without_observable(equations, name)
    known = (*equations.parameter_names, *equations.state_names, *equations.observables)
    raise UnknownName("calcium variable", name, known)


def keep(equations: Equations, names: Iterable[str]) -> Equations:
    """Only the states that the named quantities depend on, now or later, and those quantities.

    Conserved totals that lose a state are dropped, and so are events of states that are gone.
    """
    states = dict(zip(equations.state_names, equations.rates, strict=True))
    names = list(names)
    found: set[str] = set()
    front = free_symbols(*(equations.observables.get(n, symbol(n)) for n in names)) & states.keys()
    while front:
        found |= front
        event_needs = [
            part
            for event in equations.events
            for variable, formula in event.assignments
            if variable in front
            for part in (formula, event.trigger)
        ]
        needed = free_symbols(*(states[name] for name in front), *event_needs)
        front = (needed & states.keys()) - found
    rows = [i for i, name in enumerate(equations.state_names) if name in found]
    inside = set(equations.parameter_names) | found | {"time"}
    observables = {k: f for k, f in equations.observables.items() if free_symbols(f) <= inside}
    return dataclasses.replace(
        equations,
        state_names=tuple(equations.state_names[i] for i in rows),
        initial=tuple(equations.initial[i] for i in rows),
        rates=tuple(equations.rates[i] for i in rows),
        is_algebraic=tuple(equations.is_algebraic[i] for i in rows),
        observables=observables,
        events=tuple(e for e in equations.events if {v for v, _ in e.assignments} <= found),
        conserved=tuple(c for c in equations.conserved if set(c.weights) <= found),
        ports=tuple(p for p in equations.ports if p.symbol in inside or p.symbol in observables),
    )


def driven(equations: Equations, calcium: str, trace: CalciumTrace) -> Equations:
    """The same with the parameter `calcium` driven by spikes at the ports `PRE` and `POST`.

    Calcium is its resting value plus an excess that jumps and decays; the delay of the trace is not
    in the equations (spikes are shifted by it).
    """
    taken = {*equations.state_names, *equations.parameter_names, *equations.observables}
    excess, rest, tau, jump_pre, jump_post = (
        _free_name(f"{calcium}_{part}", taken) for part in ("excess", "rest", "tau", "pre", "post")
    )
    whole = add(symbol(rest), symbol(excess))
    swap = {symbol(calcium): whole}
    names = [rest if n == calcium else n for n in equations.parameter_names]
    values = [
        trace.rest if n == calcium else v
        for n, v in zip(equations.parameter_names, equations.default_values, strict=True)
    ]
    at_rest = {symbol(calcium): symbol(rest)}
    memo: dict[Expr, Expr] = dict(swap)
    return dataclasses.replace(
        equations,
        state_names=(*equations.state_names, excess),
        parameter_names=(*names, tau, jump_pre, jump_post),
        default_values=(*values, trace.tau, trace.pre, trace.post),
        initial=(*_replace(equations.initial, at_rest), ZERO),
        rates=(*_replace(equations.rates, memo), mul(-1.0, symbol(excess), 1.0 / symbol(tau))),
        is_algebraic=(*equations.is_algebraic, False),
        observables={k: _replace([f], memo)[0] for k, f in equations.observables.items()} | {calcium: whole},
        discontinuities=tuple(_replace(equations.discontinuities, memo)),
        events=tuple(
            dataclasses.replace(e, trigger=_replace([e.trigger], memo)[0]) for e in equations.events
        ),
        ports=(Port(PRE, excess, "spike", jump_pre), Port(POST, excess, "spike", jump_post)),
    )


def replace_nodes(roots: Iterable[Expr], replacement: dict[Expr, Expr]) -> list[Expr]:
    """The roots with whole subexpressions exchanged."""
    return _replace(roots, dict(replacement))


def _replace(roots: Iterable[Expr], done: dict[Expr, Expr]) -> list[Expr]:
    roots = list(roots)
    for node in postorder(*roots):
        if node in done:
            continue
        if node.is_symbol or node.is_number:
            done[node] = node
        else:
            new = tuple(done[child] for child in node.args)
            same = all(a is b for a, b in zip(new, node.args, strict=True))
            done[node] = node if same else make(node.op, new)
    return [done[root] for root in roots]


def _without_state(equations: Equations, name: str) -> Equations:
    at = equations.state_names.index(name)

    def others(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return values[:at] + values[at + 1 :]

    events = tuple(
        dataclasses.replace(e, assignments=tuple(a for a in e.assignments if a[0] != name))
        for e in equations.events
    )
    return dataclasses.replace(
        equations,
        state_names=others(equations.state_names),
        parameter_names=(*equations.parameter_names, name),
        default_values=(*equations.default_values, _initial_value(equations, equations.initial[at])),
        initial=others(equations.initial),
        rates=others(equations.rates),
        is_algebraic=others(equations.is_algebraic),
        events=tuple(e for e in events if e.assignments),
        conserved=tuple(c for c in equations.conserved if name not in c.weights),
        ports=tuple(p for p in equations.ports if p.symbol != name),
    )


def _without_observable(equations: Equations, name: str) -> Equations:
    formula = equations.observables[name]
    if formula.is_number or formula.is_symbol:
        raise RuleError(name, f"it is only another name for {formula}; use that one")
    memo: dict[Expr, Expr] = {formula: symbol(name)}
    start = dict(zip(equations.state_names, equations.initial, strict=True))
    value = _initial_value(equations, formula, start)
    return dataclasses.replace(
        equations,
        parameter_names=(*equations.parameter_names, name),
        default_values=(*equations.default_values, value),
        rates=tuple(_replace(equations.rates, memo)),
        observables={k: _replace([f], memo)[0] for k, f in equations.observables.items() if k != name},
    )


def _initial_value(equations: Equations, formula: Expr, start: dict[str, Expr] | None = None) -> float:
    values: dict[str, float] = dict(zip(equations.parameter_names, equations.default_values, strict=True))
    values["time"] = 0.0
    if start:
        values |= dict(zip(start, evaluate(start.values(), values), strict=True))
    return float(evaluate([formula], values)[0])


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


__all__ = ["POST", "PRE", "clamp", "driven", "keep", "replace_nodes"]
