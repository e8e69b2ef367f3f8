"""Formulas as infix text."""

from __future__ import annotations

import math
from collections.abc import Callable

from cascades.expression.node import Expr, children, number, postorder, power

_INFIX = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_INFIX |= {"and": "&&", "or": "||"}
_TIGHT = {"add": 1, "mul": 2, "pow": 3}


def to_text(root: Expr) -> str:
    """Infix text that Antimony and libsbml's level-3 parser read back."""
    done: dict[Expr, tuple[str, int]] = {}
    for node in postorder(root):
        done[node] = _node_text(node, [done[child] for child in children(node)])
    return done[root][0]


def _node_text(node: Expr, args: list[tuple[str, int]]) -> tuple[str, int]:
    """The text of a node and how tightly it binds (4: an atom)."""

    def wrapped(i: int, tightness: int) -> str:
        text, own = args[i]
        return f"({text})" if own < tightness else text

    if node.op == "symbol":
        return node.name, 4
    if node.op == "number":
        return _number_text(node.value)
    if node.op == "add":
        terms = [wrapped(i, 1) for i in range(len(args))]
        return terms[0] + "".join(f" - {t[1:]}" if t[0] == "-" else f" + {t}" for t in terms[1:]), 1
    if node.op == "mul":
        return _product_text(node, wrapped), 2
    if node.op == "pow":
        if node.args[1] is number(-1.0):
            return f"1 / {wrapped(0, 3)}", 2
        return f"{wrapped(0, 4)}^{wrapped(1, 4)}", 3
    if node.op in _INFIX and len(args) > 1:
        return f" {_INFIX[node.op]} ".join(wrapped(i, 1) for i in range(len(args))), 0
    name = {"rate_of": "rateOf", "not": "!"}.get(node.op, node.op)
    return f"{name}({', '.join(text for text, _ in args)})", 4


def _product_text(node: Expr, wrapped: Callable[[int, int], str]) -> str:
    above: list[str] = []
    below: list[str] = []
    sign = ""
    for i, factor in enumerate(node.args):
        if factor is number(-1.0):
            sign = "-"
        elif factor.op == "pow" and factor.args[1].is_number and factor.args[1].value < 0:
            inverse, tightness = _node_text_of(power(factor.args[0], -factor.args[1].value))
            below.append(f"({inverse})" if tightness < 3 else inverse)
        else:
            above.append(wrapped(i, 2))
    text = sign + (" * ".join(above) or "1")
    return text + "".join(f" / {b}" for b in below)


def _node_text_of(node: Expr) -> tuple[str, int]:
    return to_text(node), _TIGHT.get(node.op, 4)


def _number_text(value: float) -> tuple[str, int]:
    if value != value:
        return "NaN", 4
    if math.isinf(value):
        return ("INF" if value > 0 else "-INF"), 4
    text = repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return text, 1 if value < 0 else 4
