"""Formulas over all symbols of a model to formulas over states, parameters and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from cascades.errors import ModelError
from cascades.expression import Expr, children, free_symbols, postorder, substitute


def close(definitions: Mapping[str, Expr], source: str) -> Closing:
    """Every definition with the others put into it.

    Raises ModelError naming the symbols of a definition that depends on itself.
    """
    plain = _plain(definitions)
    closing = Closing({name: f for name, f in definitions.items() if f in plain}, plain)
    nested = {name: f for name, f in definitions.items() if f not in plain}
    uses = {name: free_symbols(formula) & nested.keys() for name, formula in nested.items()}
    for name in _in_order(uses, source):
        closing.closed[name] = closing(nested[name])
    closing.closed = {name: closing.closed[name] for name in definitions}
    return closing


def _plain(definitions: Mapping[str, Expr]) -> dict[Expr, Expr]:
    """The formulas below the definitions that use no definition: they stand for themselves."""
    plain: dict[Expr, Expr] = {}
    for node in postorder(*definitions.values()):
        if node.name not in definitions if node.is_symbol else all(c in plain for c in children(node)):
            plain[node] = node
    return plain


class Closing:
    """Puts closed definitions into formulas."""

    def __init__(self, closed: dict[str, Expr], memo: dict[Expr, Expr]):
        self.closed = closed
        self._memo = memo

    def __call__(self, formula: Expr) -> Expr:
        known = self._memo.get(formula)
        return self.all([formula])[0] if known is None else known

    def all(self, formulas: Iterable[Expr]) -> list[Expr]:
        return substitute(formulas, self.closed, self._memo)


def _in_order(uses: Mapping[str, set[str]], source: str) -> list[str]:
    """Names such that each comes after those it uses."""
    try:
        return list(TopologicalSorter({name: sorted(used) for name, used in uses.items()}).static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        raise ModelError(source, [f"{circle[0]}: is defined by itself ({' -> '.join(circle)})"]) from None
