"""Formulas as numba functions: for systems of a few equations, where a whole solver would cost more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cascades.errors import CompileError
from cascades.expression import Expr, postorder

_CALLS = {"exp": "math.exp", "ln": "math.log", "sqrt": "math.sqrt", "abs": "abs", "tanh": "math.tanh"}
_INFIX = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def compiled_function(roots: Sequence[Expr], where: Mapping[str, str], arguments: str) -> Callable[..., Any]:
    """A numba function of `arguments` and `out` that writes the roots into `out`; `where` says how each
    symbol is spelt.  Raises CompileError for an operator that small systems do not use."""
    import math

    from numba import njit

    lines: list[str] = []
    name: dict[Expr, str] = {}
    for node in postorder(*roots):
        if node.is_number:
            name[node] = repr(float(node.value))
        elif node.is_symbol:
            name[node] = where[node.name]
        else:
            name[node] = f"t{len(lines)}"
            lines.append(f"    {name[node]} = {_text(node, [name[a] for a in node.args])}")
    lines += [f"    out[{i}] = {name[root]}" for i, root in enumerate(roots)]
    space: dict[str, Any] = {"math": math}
    exec(f"def written({arguments}, out):\n" + "\n".join(lines or ["    pass"]), space)
    function: Callable[..., Any] = njit(nogil=True, error_model="numpy")(space["written"])
    return function


def _text(node: Expr, args: list[str]) -> str:
    if node.op == "add":
        return " + ".join(f"({a})" for a in args)
    if node.op == "mul":
        return " * ".join(f"({a})" for a in args)
    if node.op == "pow":
        exponent = node.args[1]
        if exponent.is_number and exponent.value == -1.0:
            return f"1.0 / ({args[0]})"
        if exponent.is_number and exponent.value in (2.0, 3.0, 4.0):
            return " * ".join([f"({args[0]})"] * int(exponent.value))
        return f"({args[0]}) ** ({args[1]})"
    if node.op in _CALLS:
        return f"{_CALLS[node.op]}({args[0]})"
    if node.op in _INFIX:
        return f"({args[0]}) {_INFIX[node.op]} ({args[1]})"
    if node.op == "piecewise":
        text = args[-1]
        for value, condition in reversed(list(zip(args[0:-1:2], args[1:-1:2], strict=True))):
            text = f"({value}) if ({condition}) else ({text})"
        return text
    raise CompileError(f"a small system cannot use {node.op}")
