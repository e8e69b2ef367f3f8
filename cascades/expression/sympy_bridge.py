"""Formulas to and from sympy, where symbolic algebra is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cascades.expression.node import OPERATORS, Expr, children, make, number, piecewise, postorder, symbol


def to_sympy(*roots: Expr) -> list[Any]:
    """The same formulas as sympy expressions (symbols are real)."""
    import sympy

    special: dict[str, Callable[..., Any]] = {
        "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow, "ln": sympy.log, "ceil": sympy.ceiling,
        "lt": sympy.Lt, "le": sympy.Le, "gt": sympy.Gt, "ge": sympy.Ge, "eq": sympy.Eq,
        "ne": sympy.Ne, "and": sympy.And, "or": sympy.Or, "xor": sympy.Xor, "not": sympy.Not,
        "min": sympy.Min, "max": sympy.Max, "abs": sympy.Abs,
        "quotient": lambda a, b: sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
        "rem": lambda a, b: a - b * sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
    }  # fmt: skip
    done: dict[Expr, Any] = {}
    for node in postorder(*roots):
        args = [done[child] for child in children(node)]
        if node.is_number:
            done[node] = (
                sympy.Integer(int(node.value)) if node.value == int(node.value) else sympy.Float(node.value)
            )
        elif node.is_symbol:
            done[node] = sympy.Symbol(node.name, real=True)
        elif node.op == "piecewise":
            pairs = list(zip(args[0:-1:2], args[1:-1:2], strict=True))
            done[node] = sympy.Piecewise(*pairs, (args[-1], True))
        else:
            done[node] = special.get(node.op, getattr(sympy, node.op, None) or sympy.Function(node.op))(*args)
    return [done[root] for root in roots]


def from_sympy(*roots: Any) -> list[Expr]:
    """Nodes from sympy expressions.  Raises ValueError for a function that is not known here."""
    return [_from_sympy(root) for root in roots]


def _from_sympy(root: Any) -> Expr:
    import sympy

    done: dict[Any, Expr] = {}
    for part in sympy.postorder_traversal(root):
        if part in done:
            continue
        if part.is_Symbol:
            done[part] = symbol(part.name)
        elif part.is_number:
            done[part] = number(float(part))
        elif part in (sympy.true, sympy.false):
            done[part] = number(float(part == sympy.true))
        elif not isinstance(part, sympy.functions.elementary.piecewise.ExprCondPair):
            done[part] = _sympy_call(part, done)
    return done[root]


_SYMPY_NAMES = {
    "Add": "add", "Mul": "mul", "Pow": "pow", "log": "ln", "Abs": "abs", "ceiling": "ceil", "Max": "max",
    "Min": "min", "StrictLessThan": "lt", "LessThan": "le", "StrictGreaterThan": "gt", "GreaterThan": "ge",
    "Equality": "eq", "Unequality": "ne", "And": "and", "Or": "or", "Xor": "xor", "Not": "not",
}  # fmt: skip


def _sympy_call(part: Any, done: Mapping[Any, Expr]) -> Expr:
    kind = type(part).__name__
    if kind == "Piecewise":
        pairs = [(done[pair.expr], done[pair.cond]) for pair in part.args]
        return piecewise(*pairs)
    op = _SYMPY_NAMES.get(kind, kind)
    if op not in OPERATORS:
        raise ValueError(f"the function {kind} is not known in formulas")
    return make(op, [done[arg] for arg in part.args])
