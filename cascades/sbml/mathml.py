"""Formulas as MathML text."""

from __future__ import annotations

import math
from decimal import Decimal
from xml.sax.saxutils import escape

from cascades.errors import ExportError
from cascades.expression import Expr, children, mul, postorder, power

MAX_NODES = 1_000_000  # of a formula written out: shared parts count each time
_SYMBOLS = "http://www.sbml.org/sbml/symbols/"
_NAMES = {
    "ceil": "ceiling", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "lt": "lt", "le": "leq", "gt": "gt", "ge": "geq", "eq": "eq", "ne": "neq", "sqrt": "root", "pow": "power",
}  # fmt: skip


def math_text(formula: Expr, where: str) -> str:
    """A `math` element; reading it gives back the same formula, to the last bit.

    Raises ExportError if the formula would be too long (one whose parts are shared many times over).
    """
    size: dict[Expr, int] = {}
    text: dict[Expr, str] = {}
    for node in postorder(formula):
        size[node] = 1 + sum(size[child] for child in children(node))
        if size[node] > MAX_NODES:
            raise ExportError("SBML", where, f"its formula has more than {MAX_NODES} parts when written out")
    for node in postorder(formula):
        text[node] = _node_text(node, text)
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{text[formula]}</math>'


def _node_text(node: Expr, text: dict[Expr, str]) -> str:
    if node.is_number:
        return _number_text(node.value)
    if node.is_symbol:
        return _csymbol("time") if node.name == "time" else f"<ci>{escape(node.name)}</ci>"
    arguments = [text[child] for child in node.args]
    if node.op == "add":
        return _sum_text(node, text)
    if node.op == "mul":
        return _product_text(node, text)
    if node.op == "pow" and node.args[1].is_number and node.args[1].value == -1.0:
        return _apply("<divide/>", ["<cn>1</cn>", arguments[0]])
    if node.op == "piecewise":
        return _piecewise_text(arguments)
    if node.op in ("rate_of", "delay"):
        return _apply(_csymbol({"rate_of": "rateOf"}.get(node.op, node.op)), arguments)
    return _apply(f"<{_NAMES.get(node.op, node.op)}/>", arguments)


def _sum_text(node: Expr, text: dict[Expr, str]) -> str:
    """Positive terms, then what is taken away from them."""
    added = [text[term] for term in node.args if not _is_negative(term)]
    taken = [
        text[term] if term.is_number else _negated(term, text) for term in node.args if _is_negative(term)
    ]
    if not added or not taken:
        return _apply("<plus/>", [text[term] for term in node.args])
    numbers = [text[term] for term in node.args if _is_negative(term) and term.is_number]
    if numbers:
        added, taken = added + numbers, [t for t in taken if t not in numbers]
    first = added[0] if len(added) == 1 else _apply("<plus/>", added)
    for one in taken:
        first = _apply("<minus/>", [first, one])
    return first


def _is_negative(term: Expr) -> bool:
    if term.is_number:
        return term.value < 0.0
    return term.op == "mul" and term.args[0].is_number and term.args[0].value < 0.0


def _negated(term: Expr, text: dict[Expr, str]) -> str:
    coefficient = -term.args[0].value
    factors = term.args[1:] if coefficient == 1.0 else (mul(coefficient), *term.args[1:])
    return _factors_text(factors, text)


def _product_text(node: Expr, text: dict[Expr, str]) -> str:
    if node.args[0].is_number and node.args[0].value == -1.0:
        return _apply("<minus/>", [_factors_text(node.args[1:], text)])
    return _factors_text(node.args, text)


def _factors_text(factors: tuple[Expr, ...], text: dict[Expr, str]) -> str:
    """A number stands before the fraction: 2 * ((a + b) / c) is read as it was, where (2 * (a + b)) / c
    would be multiplied out."""
    numbers = [_number_text(factor.value) for factor in factors if factor.is_number]
    above, below = [], []
    for factor in factors:
        if factor.op == "pow" and factor.args[1].is_number and factor.args[1].value < 0.0:
            below.append(_inverse_text(factor, text))
        elif not factor.is_number:
            above.append(text[factor])
    if not above:
        above, numbers = (numbers or ["<cn>1</cn>"]), []
    result = above[0] if len(above) == 1 else _apply("<times/>", [*([] if below else numbers), *above])
    for one in below:
        result = _apply("<divide/>", [result, one])
    if numbers and (below or len(above) == 1):
        result = _apply("<times/>", [*numbers, result])
    return result


def _inverse_text(factor: Expr, text: dict[Expr, str]) -> str:
    base, exponent = factor.args
    inverse = power(base, -exponent.value)
    if inverse is base:
        return text[base]
    return _apply("<power/>", [text[base], _number_text(-exponent.value)])


def _piecewise_text(arguments: list[str]) -> str:
    pieces = [
        f"<piece>{value}{condition}</piece>"
        for value, condition in zip(arguments[0:-1:2], arguments[1:-1:2], strict=True)
    ]
    return f"<piecewise>{''.join(pieces)}<otherwise>{arguments[-1]}</otherwise></piecewise>"


def _apply(operator: str, arguments: list[str]) -> str:
    return f"<apply>{operator}{''.join(arguments)}</apply>"


def _csymbol(name: str) -> str:
    return f'<csymbol encoding="text" definitionURL="{_SYMBOLS}{name}">{name}</csymbol>'


def _number_text(value: float) -> str:
    """Decimal digits without exponent, as MathML wants them, and as many as the number needs."""
    if math.isnan(value):
        return "<notanumber/>"
    if math.isinf(value):
        return "<infinity/>" if value > 0 else _apply("<minus/>", ["<infinity/>"])
    if value == int(value) and abs(value) < 1e9 and (value or math.copysign(1.0, value) > 0.0):
        return f'<cn type="integer">{int(value)}</cn>'
    return f"<cn>{Decimal(repr(value)):f}</cn>"
