"""`rateOf`: the derivative of a symbol, as a symbol of its own with a definition."""

from __future__ import annotations

from collections.abc import Collection

from cascades.compiler.derivatives import directional
from cascades.compiler.draft import Draft
from cascades.expression import ONE, ZERO, Expr, children, free_symbols, make, postorder, symbol

_PREFIX = "rateOf("


def name_rates(parts: Draft) -> None:
    """Replace every rateOf(x) by a symbol."""
    if any(node.op == "rate_of" for node in postorder(*parts.formulas())):
        memo: dict[Expr, Expr] = {}
        parts.rewrite(lambda formula: _named(formula, memo))


def define_rates(parts: Draft, unknown: Collection[str] = ()) -> None:
    """Define the rates that formulas ask for, but of the symbols `unknown`, which have none yet."""
    waiting = sorted(_asked(parts.formulas()) - parts.definitions.keys())
    while waiting:
        name = waiting.pop()
        if name in parts.definitions:
            continue
        target = name[len(_PREFIX) : -1]
        if target in unknown:
            continue
        if target in parts.algebraic:
            parts.unsupported.append(f"rateOf {target}: {target} follows from an algebraic rule")
        formula = _rate(parts, target)
        parts.definitions[name] = formula
        waiting += sorted(_asked([formula]) - parts.definitions.keys())


def _named(formula: Expr, memo: dict[Expr, Expr]) -> Expr:
    for node in postorder(formula):
        if node in memo:
            continue
        if node.op == "rate_of":
            memo[node] = _rate_symbol(node.args[0].name)
        elif children(node):
            memo[node] = make(node.op, [memo[child] for child in node.args])
        else:
            memo[node] = node
    return memo[formula]


def _rate_symbol(name: str) -> Expr:
    return symbol(f"{_PREFIX}{name})")


def _asked(formulas: object) -> set[str]:
    return {name for name in free_symbols(*formulas) if name.startswith(_PREFIX)}  # type: ignore[misc]


def _rate(parts: Draft, target: str) -> Expr:
    if target in parts.rates and target not in parts.algebraic:
        return parts.rates[target]
    if target not in parts.definitions:
        return ZERO
    formula = parts.definitions[target]
    moving = free_symbols(formula) - parts.constants
    direction = {name: ONE if name == "time" else _rate_symbol(name) for name in moving}
    return directional([formula], direction)[0]
