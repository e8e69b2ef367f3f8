"""Algebraic rules: which variable each determines, and its formula where the rule is linear in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from cascades.compiler.closing import close
from cascades.compiler.derivatives import gradients
from cascades.compiler.draft import Draft
from cascades.compiler.rate_of import define_rates
from cascades.errors import ModelError
from cascades.expression import (
    LOGIC,
    ONE,
    RELATIONS,
    ZERO,
    Expr,
    children,
    evaluate,
    free_symbols,
    mul,
    postorder,
    power,
    substitute,
    symbol,
)
from cascades.model import Species

_VANISHING, _FORBIDDEN = -1e3, -1e6  # as logarithms of slopes
_STEPPED = frozenset((*RELATIONS, *LOGIC, "floor", "ceil", "quotient", "rem"))


def solve_algebraic(parts: Draft) -> None:
    """Give every algebraic rule its variable.

    A rule that is linear in its variable becomes a definition; any other makes the variable an
    algebraic state.

    Raises ModelError if some rule has no variable that it could determine.
    """
    free = _candidates(parts)
    define_rates(parts, unknown=free)
    if not parts.residuals:
        return
    for name in free:
        _release(parts, name)
    residuals = close(parts.definitions, parts.source).all(parts.residuals)
    variables = _matched(residuals, free, parts)
    unused = [name for name in free if name not in variables]
    for name in unused:
        _restore(parts, name)
    _solve(parts, residuals, variables)
    parts.residuals = []
    define_rates(parts)


def _candidates(parts: Draft) -> list[str]:
    """Variables that nothing else determines, those that no event sets first."""
    if not parts.residuals:
        return []
    model = parts.model
    elements: list[Any] = [*model.compartments, *model.parameters, *model.species]
    variable = {element.id for element in elements if not element.is_constant}
    for reaction in model.reactions:
        variable |= {r.id for r in (*reaction.reactants, *reaction.products) if r.id and not r.is_constant}
    rate_rules = {rule.variable for rule in model.rules if hasattr(rule, "variable")}
    moved = {state for state, formula in parts.rates.items() if formula is not ZERO}
    found = []
    for name in sorted(variable - rate_rules):
        state = parts.amounts.get(name, name)
        if state in moved or (name in parts.definitions and name not in parts.amounts):
            continue
        found.append(name)
    return sorted(found, key=lambda name: (parts.amounts.get(name, name) in parts.rates, name))


def _release(parts: Draft, name: str) -> None:
    """Make the symbol stand for itself in closed formulas."""
    if name in parts.amounts:
        parts.definitions.pop(name)


def _restore(parts: Draft, name: str) -> None:
    if name in parts.amounts:
        species: Species = parts.model.by_id[name]
        parts.definitions[name] = symbol(parts.amounts[name]) / symbol(species.compartment)


def _matched(residuals: Sequence[Expr], free: Sequence[str], parts: Draft) -> list[str]:
    """A different variable for each rule (a maximum matching by augmenting paths)."""
    rank = {name: i for i, name in enumerate(free)}
    options = [sorted(free_symbols(r) & rank.keys(), key=rank.__getitem__) for r in residuals]
    owner: dict[str, int] = {}

    def assign(rule: int, tried: set[str]) -> bool:
        for name in options[rule]:
            if name in tried:
                continue
            tried.add(name)
            if name not in owner or assign(owner[name], tried):
                owner[name] = rule
                return True
        return False

    problems = []
    for rule, residual in enumerate(residuals):
        if not assign(rule, set()):
            names = ", ".join(sorted(free_symbols(residual) - {"time"})) or "nothing"
            problems.append(
                f"algebraic rule {rule + 1}: no variable is left that it could determine (of {names})"
            )
    if problems:
        raise ModelError(parts.source, problems)
    return _paired(residuals, sorted(owner, key=owner.__getitem__), parts)


def _paired(residuals: Sequence[Expr], names: Sequence[str], parts: Draft) -> list[str]:
    """The variables in the order of the rules that feel them most, so that the equations have pivots on
    their diagonal: slopes where symbols have their starts (Duff & Koster 1999, SIAM J. Matrix Anal.
    20:889, match the largest entries likewise)."""
    if len(names) < 2:
        return list(names)
    from scipy.optimize import linear_sum_assignment

    slopes = gradients(residuals, names)
    starts = {name: f.value for name, f in parts.starts.items() if f.is_number and f.value == f.value}
    at = dict.fromkeys(free_symbols(*residuals), 1.0) | starts | {"time": 1.0}
    weight = np.full((len(names), len(names)), _FORBIDDEN)
    for row, found in enumerate(slopes):
        values = evaluate(found.values(), at)
        for name, value in zip(found, values, strict=True):
            size = abs(float(value))
            weight[row, names.index(name)] = np.log(size) if 0.0 < size < np.inf else _VANISHING
    _, columns = linear_sum_assignment(weight, maximize=True)
    return [names[k] for k in columns]


def _solve(parts: Draft, residuals: Sequence[Expr], variables: Sequence[str]) -> None:
    solved: dict[str, Expr] = {}
    waiting = dict(zip(variables, residuals, strict=True))
    while True:
        formulas = ((name, _formula(name, waiting, parts.constants)) for name in waiting)
        found = next(((name, f) for name, f in formulas if f is not None), None)
        if found is None:
            break
        name, formula = found
        del waiting[name]
        solved = dict(zip(solved, substitute(solved.values(), {name: formula}), strict=True))
        solved[name] = formula
        waiting = dict(zip(waiting, substitute(waiting.values(), {name: formula}), strict=True))
    for name in variables:
        state = parts.amounts.pop(name, name)
        parts.rates.pop(state, None)
        parts.constants.discard(state)
        if state != name:
            parts.starts.pop(state, None)
    for name, formula in solved.items():
        parts.definitions[name] = formula
        parts.starts.pop(name, None)
    for name, residual in waiting.items():
        parts.rates[name] = residual
        parts.algebraic.add(name)
        if not (start := parts.starts[name]).is_number or start.value == start.value:
            continue
        parts.starts[name] = ONE


def _formula(name: str, waiting: Mapping[str, Expr], constants: Collection[str]) -> Expr | None:
    """The variable's formula; where its rule holds other such variables, only with a constant slope:
    a slope that vanishes somewhere would be passed on to them."""
    residual = waiting[name]
    is_coupled = bool(free_symbols(residual) & (waiting.keys() - {name}))
    return solution(residual, name, set(constants) - waiting.keys() if is_coupled else None)


def solution(residual: Expr, name: str, allowed: Collection[str] | None = None) -> Expr | None:
    """The formula of `name` that makes the residual zero, if the residual is linear in it.

    With `allowed`, only if what multiplies `name` consists of these symbols.
    """
    for node in postorder(residual):
        if (node.op in _STEPPED or node.op == "piecewise") and any(
            name in free_symbols(child) for child in children(node)
        ):
            return None
    slope = gradients([residual], [name])[0].get(name, ZERO)
    symbols = free_symbols(slope)
    if slope is ZERO or name in symbols or (allowed is not None and not symbols <= set(allowed)):
        return None
    rest = substitute([residual], {name: ZERO})[0]
    if name in free_symbols(rest):
        return None
    return mul(-1.0, rest, power(slope, -1.0))
