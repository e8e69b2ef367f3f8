"""What each operator does with numbers and arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _evaluate_piecewise(*args: Any) -> Any:
    result = args[-1]
    for value, condition in reversed(list(zip(args[0:-1:2], args[1:-1:2], strict=True))):
        result = np.where(np.asarray(condition, dtype=bool), value, result)
    return result if np.ndim(result) else float(result)


def _evaluate_power(base: Any, exponent: Any) -> Any:
    return np.power(np.asarray(base, dtype=float), exponent)[()]


def _factorial(x: Any) -> Any:
    from scipy.special import gamma

    return gamma(np.asarray(x, dtype=float) + 1.0)[()]


def _truth(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.multiply(f(*args), 1.0)


def _reduce(f: Any, empty: float) -> Callable[..., Any]:
    def apply(*args: Any) -> Any:
        total: Any = empty
        for i, a in enumerate(args):
            total = a if i == 0 else f(total, a)
        return total

    return apply


def _chain(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """SBML relations take two or more arguments: a < b < c."""

    def apply(*args: Any) -> Any:
        result: Any = True
        for left, right in itertools.pairwise(args):
            result = np.logical_and(result, f(left, right))
        return np.multiply(result, 1.0)

    return apply


APPLY: dict[str, Callable[..., Any]] = {
    "add": _reduce(np.add, 0.0), "mul": _reduce(np.multiply, 1.0), "pow": _evaluate_power,
    "piecewise": _evaluate_piecewise,
    "exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "floor": np.floor, "ceil": np.ceil, "factorial": _factorial,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "min": _reduce(np.minimum, math.inf), "max": _reduce(np.maximum, -math.inf),
    "quotient": lambda a, b: np.trunc(np.divide(a, b)), "rem": np.fmod,
    "lt": _chain(np.less), "le": _chain(np.less_equal),
    "gt": _chain(np.greater), "ge": _chain(np.greater_equal),
    "eq": _chain(np.equal), "ne": _truth(np.not_equal),
    "and": _truth(_reduce(np.logical_and, 1.0)), "or": _truth(_reduce(np.logical_or, 0.0)),
    "xor": _truth(_reduce(np.logical_xor, 0.0)), "not": _truth(np.logical_not),
}  # fmt: skip
