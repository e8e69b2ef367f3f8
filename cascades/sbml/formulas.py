"""MathML, as libsbml holds it, to formulas.

The tree is walked once, in a loop.  Relations and logic are truth values 0 or 1; where a formula
needs a truth value and is given a number, the number is compared with zero (SBML Level 3 Version 2,
section 3.4.9).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import libsbml

from cascades.errors import ModelError
from cascades.expression import (
    LOGIC,
    ONE,
    RELATIONS,
    TIME,
    ZERO,
    Expr,
    add,
    call,
    mul,
    number,
    piecewise,
    power,
    symbol,
)

if TYPE_CHECKING:
    from cascades.sbml.reading import Reading

# SBML Level 3 Version 2, section 3.4.6: the value of the symbol `avogadro` (CODATA 2006).
AVOGADRO = 6.02214179e23
UNDEFINED = number(math.nan)

Build = Callable[[Sequence[Expr]], Expr]


def read_formula(ast: Any, reading: Reading, where: str, names: Mapping[str, Expr] | None = None) -> Expr:
    """The formula of a MathML tree.

    `names` replaces identifiers (arguments of a function, local parameters); what is wrong goes to
    `reading`, with `where` as the element.
    """
    names = names or {}
    values: list[Expr] = []
    for node, kind, count in reversed(_preorder(ast)):
        arguments = [values.pop() for _ in range(count)]
        try:
            values.append(_node(node, kind, arguments, names, reading, where))
        except (ValueError, OverflowError, IndexError, TypeError) as failure:
            why = "; ".join(failure.problems) if isinstance(failure, ModelError) else failure
            reading.problem(where, f"formula cannot be read ({why})")
            values.append(UNDEFINED)
    return values[0]


def truth(node: Expr) -> Expr:
    """The node as a truth value."""
    if node.op in RELATIONS or node.op in LOGIC:
        return node
    if node.is_number:
        return ONE if node.value != 0.0 else ZERO
    return call("ne", node, ZERO)


def called_functions(ast: Any) -> set[str]:
    return {node.getName() for node, kind, _ in _preorder(ast) if kind == libsbml.AST_FUNCTION}


def _preorder(ast: Any) -> list[tuple[Any, int, int]]:
    """Every node with its type and its number of arguments; a node before its arguments.

    Sums within sums and products within products are one: libsbml makes a chain of pairs of them.
    """
    found: list[tuple[Any, int, int]] = []
    stack = [(ast, ast.getType())]
    while stack:
        node, kind = stack.pop()
        arguments = _arguments(node, kind)
        found.append((node, kind, len(arguments)))
        stack.extend(reversed(arguments))
    return found


def _arguments(node: Any, kind: int) -> list[tuple[Any, int]]:
    arguments = []
    waiting = [node]
    while waiting:
        one = waiting.pop()
        for i in range(one.getNumChildren()):
            child = one.getChild(i)
            child_kind = child.getType()
            if child_kind == kind and kind in _ASSOCIATIVE:
                waiting.append(child)
            else:
                arguments.append((child, child_kind))
    return arguments


def _node(
    node: Any, kind: int, arguments: list[Expr], names: Mapping[str, Expr], reading: Reading, where: str
) -> Expr:
    if kind in _NAMES:
        name = node.getName()
        return names[name] if name in names else symbol(name)
    if kind in _NUMBERS:
        return number(node.getValue())
    if kind == libsbml.AST_REAL_E:  # rounded once, as Python does
        return number(float(f"{node.getMantissa()!r}e{node.getExponent()}"))
    build = _BUILD.get(kind)
    if build is not None:
        return build(arguments)
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind == libsbml.AST_FUNCTION:
        return _called(node.getName(), arguments, reading, where)
    reading.refuse(where, f"MathML element {node.getName() or kind}")
    return UNDEFINED


def _called(name: str, arguments: list[Expr], reading: Reading, where: str) -> Expr:
    function = reading.functions.get(name)
    if function is None:
        reading.problem(where, f"calls {name}, which is not a function with a formula")
        return UNDEFINED
    if len(function.arguments) != len(arguments):
        wanted = len(function.arguments)
        reading.problem(where, f"calls {name} with {len(arguments)} arguments; it takes {wanted}")
        return UNDEFINED
    reading.put_in(function.size)
    return function(arguments)


def _minus(args: Sequence[Expr]) -> Expr:
    return mul(-1.0, args[0]) if len(args) == 1 else add(args[0], mul(-1.0, args[1]))


def _root(args: Sequence[Expr]) -> Expr:
    degree, radicand = (args[0], args[1]) if len(args) == 2 else (number(2.0), args[0])
    if degree.is_number and degree.value == 2.0:
        return call("sqrt", radicand)
    return power(radicand, power(degree, -1.0))


def _log(args: Sequence[Expr]) -> Expr:
    base, x = (args[0], args[1]) if len(args) == 2 else (number(10.0), args[0])
    return mul(call("ln", x), power(call("ln", base), -1.0))


def _piecewise(args: Sequence[Expr]) -> Expr:
    pairs = [(args[i], truth(args[i + 1])) for i in range(0, len(args) - 1, 2)]
    return piecewise(*pairs, otherwise=args[-1] if len(args) % 2 else math.nan)


def _logic(name: str) -> Build:
    return lambda args: call(name, *map(truth, args))


def _implies(args: Sequence[Expr]) -> Expr:
    premise, conclusion = map(truth, args)
    return call("or", call("not", premise), conclusion)


def _function(name: str) -> Build:
    return lambda args: call(name, *args)


def _extremum(name: str) -> Build:
    return lambda args: call(name, *args) if len(args) > 1 else args[0]


def _inverse(name: str) -> Build:
    """sec x = 1 / cos x, and so on."""
    return lambda args: power(call(name, *args), -1.0)


def _of_inverse(name: str) -> Build:
    """arcsec x = arccos 1/x, and so on."""
    return lambda args: call(name, power(args[0], -1.0))


def _arccot(args: Sequence[Expr]) -> Expr:
    """arctan 1/x, which is pi/2 at x = 0."""
    return piecewise((math.pi / 2.0, call("eq", args[0], ZERO)), otherwise=call("atan", power(args[0], -1.0)))


_ASSOCIATIVE = frozenset({libsbml.AST_PLUS, libsbml.AST_TIMES})
_NAMES = frozenset({libsbml.AST_NAME})
_NUMBERS = frozenset({libsbml.AST_INTEGER, libsbml.AST_REAL, libsbml.AST_RATIONAL})
_CONSTANTS = {
    libsbml.AST_NAME_TIME: TIME,
    libsbml.AST_NAME_AVOGADRO: number(AVOGADRO),
    libsbml.AST_CONSTANT_E: number(math.e),
    libsbml.AST_CONSTANT_PI: number(math.pi),
    libsbml.AST_CONSTANT_TRUE: ONE,
    libsbml.AST_CONSTANT_FALSE: ZERO,
}
_BUILD: dict[int, Build] = {
    libsbml.AST_PLUS: lambda args: add(*args),
    libsbml.AST_TIMES: lambda args: mul(*args),
    libsbml.AST_MINUS: _minus,
    libsbml.AST_DIVIDE: lambda args: mul(args[0], power(args[1], -1.0)),
    libsbml.AST_POWER: lambda args: power(args[0], args[1]),
    libsbml.AST_FUNCTION_POWER: lambda args: power(args[0], args[1]),
    libsbml.AST_FUNCTION_ROOT: _root,
    libsbml.AST_FUNCTION_LOG: _log,
    libsbml.AST_FUNCTION_PIECEWISE: _piecewise,
    libsbml.AST_FUNCTION_RATE_OF: lambda args: Expr("rate_of", tuple(args)),
    libsbml.AST_FUNCTION_DELAY: lambda args: Expr("delay", (args[0], args[1])),
    libsbml.AST_LOGICAL_IMPLIES: _implies,
    libsbml.AST_FUNCTION_ARCCOT: _arccot,
    libsbml.AST_FUNCTION_MIN: _extremum("min"),
    libsbml.AST_FUNCTION_MAX: _extremum("max"),
}
_BUILD |= {
    kind: _function(name)
    for kind, name in {
        libsbml.AST_FUNCTION_EXP: "exp", libsbml.AST_FUNCTION_LN: "ln", libsbml.AST_FUNCTION_ABS: "abs",
        libsbml.AST_FUNCTION_FLOOR: "floor", libsbml.AST_FUNCTION_CEILING: "ceil",
        libsbml.AST_FUNCTION_FACTORIAL: "factorial",
        libsbml.AST_FUNCTION_QUOTIENT: "quotient", libsbml.AST_FUNCTION_REM: "rem",
        libsbml.AST_FUNCTION_SIN: "sin", libsbml.AST_FUNCTION_COS: "cos", libsbml.AST_FUNCTION_TAN: "tan",
        libsbml.AST_FUNCTION_ARCSIN: "asin", libsbml.AST_FUNCTION_ARCCOS: "acos",
        libsbml.AST_FUNCTION_ARCTAN: "atan",
        libsbml.AST_FUNCTION_SINH: "sinh", libsbml.AST_FUNCTION_COSH: "cosh",
        libsbml.AST_FUNCTION_TANH: "tanh",
        libsbml.AST_FUNCTION_ARCSINH: "asinh", libsbml.AST_FUNCTION_ARCCOSH: "acosh",
        libsbml.AST_FUNCTION_ARCTANH: "atanh",
        libsbml.AST_RELATIONAL_EQ: "eq", libsbml.AST_RELATIONAL_NEQ: "ne",
        libsbml.AST_RELATIONAL_LT: "lt", libsbml.AST_RELATIONAL_LEQ: "le",
        libsbml.AST_RELATIONAL_GT: "gt", libsbml.AST_RELATIONAL_GEQ: "ge",
    }.items()
}  # fmt: skip
_BUILD |= {
    kind: _logic(name)
    for kind, name in {
        libsbml.AST_LOGICAL_AND: "and", libsbml.AST_LOGICAL_OR: "or",
        libsbml.AST_LOGICAL_XOR: "xor", libsbml.AST_LOGICAL_NOT: "not",
    }.items()
}  # fmt: skip
_BUILD |= {
    kind: _inverse(name)
    for kind, name in {
        libsbml.AST_FUNCTION_SEC: "cos", libsbml.AST_FUNCTION_CSC: "sin", libsbml.AST_FUNCTION_COT: "tan",
        libsbml.AST_FUNCTION_SECH: "cosh", libsbml.AST_FUNCTION_CSCH: "sinh",
        libsbml.AST_FUNCTION_COTH: "tanh",
    }.items()
}  # fmt: skip
_BUILD |= {
    kind: _of_inverse(name)
    for kind, name in {
        libsbml.AST_FUNCTION_ARCSEC: "acos", libsbml.AST_FUNCTION_ARCCSC: "asin",
        libsbml.AST_FUNCTION_ARCSECH: "acosh", libsbml.AST_FUNCTION_ARCCSCH: "asinh",
        libsbml.AST_FUNCTION_ARCCOTH: "atanh",
    }.items()
}  # fmt: skip
