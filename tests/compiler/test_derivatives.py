"""Derivatives by rule against differences and against sympy, operator by operator."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.compiler.derivatives import dependencies, directional, gradients
from cascades.expression import ZERO, Expr, call, evaluate, number, piecewise, symbol

X, Y, K = symbol("x"), symbol("y"), symbol("k")
AT = {"x": 0.63, "y": 0.31, "k": 2.4}
STEP, TOLERANCE = 1e-6, 1e-8  # of central differences

FORMULAS: dict[str, Expr] = {
    "product": 3 * X * Y**2 * K,
    "quotient of sums": (X + 2 * Y) / (K + X * Y),
    "hill": X**K / (Y**K + X**K),
    "power of zero base": call("max", X - 5, 0) ** K,
    "exponent": K**X,
    "piecewise": piecewise((X * Y, call("lt", X, Y)), (X**2, call("gt", X, 0.5)), otherwise=Y),
    "min": call("min", X, Y, K),
    "max": call("max", X, Y, K),
    "rem": call("rem", K, X),
    "factorial": call("factorial", K * X),
    "abs": call("abs", Y - X),
    "nested": call("exp", -X * call("ln", 1 + Y**2)) * call("sqrt", K + X),
}
FORMULAS |= {
    f: call(f, X * Y)
    for f in (
        "exp",
        "ln",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atanh",
    )
}
FORMULAS["acosh"] = call("acosh", K + X)


@pytest.mark.parametrize("name", FORMULAS)
def test_against_differences(name):
    formula = FORMULAS[name]
    slopes = gradients([formula], AT)[0]
    for symbol_name, value in AT.items():
        above, below = ({**AT, symbol_name: value + s} for s in (STEP, -STEP))
        difference = (evaluate([formula], above)[0] - evaluate([formula], below)[0]) / (2 * STEP)
        by_rule = evaluate([slopes.get(symbol_name, ZERO)], AT)[0]
        assert_allclose(by_rule, difference, rtol=TOLERANCE, atol=TOLERANCE)
        along = evaluate(directional([formula], {symbol_name: number(2.0)}), AT)[0]
        assert_allclose(along, 2.0 * by_rule, rtol=1e-13, atol=1e-13)


def test_steps_and_conditions_do_not_count_as_dependence():
    formula = piecewise((X, call("gt", Y, 0)), otherwise=call("floor", K))
    assert dependencies([formula], ["x", "y", "k"]) == [[0]]
    assert gradients([formula], ["y", "k"]) == [{}]


def test_a_formula_of_many_levels():
    formula = X
    for _ in range(300):
        formula = call("sin", formula)
    assert np.isfinite(evaluate([gradients([formula], ["x"])[0]["x"]], {"x": 0.1})[0])
