"""Interned formulas: algebra, walks, numbers, text."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascades.expression import (
    Expr,
    add,
    call,
    evaluate,
    free_symbols,
    from_sympy,
    make,
    mul,
    number,
    piecewise,
    postorder,
    power,
    substitute,
    symbol,
    to_sympy,
    to_text,
)

ROUNDING = 1e-12
A, B, K, V = (symbol(name) for name in "ABKV")


def test_equal_formulas_are_one_object():
    assert A * B + K is K + B * A
    assert A - A is number(0)
    assert pickle.loads(pickle.dumps(A / (B + 2))) is A / (B + 2)


def test_a_compartment_cancels_from_its_rate_law():
    assert V * (K * A * B) / V is K * A * B


def test_negative_zero_and_nan_are_kept_apart():
    assert number(0.0) is not number(-0.0)
    assert number(math.nan) is number(math.nan)


def test_a_power_without_limit_is_no_whole_number():
    for exponent in (math.inf, -math.inf, math.nan):
        assert power(-2.0, exponent).op == "pow"


def test_piecewise_drops_conditions_that_are_known():
    assert piecewise((A, number(0)), (B, number(1)), (K, call("lt", A, B))) is B
    assert piecewise((A, number(0)), otherwise=K) is K


def test_substitution_simplifies_and_does_not_search_replacements_again():
    (result,) = substitute([A / (A + B)], {"B": number(0), "A": K})
    assert result is number(1)
    (swapped,) = substitute([A - B], {"A": B, "B": A})
    assert swapped is B - A


def test_walks_survive_a_formula_nested_deeper_than_the_stack():
    deep = A
    for _ in range(50_000):
        deep = call("sin", deep)
    assert sum(1 for _ in postorder(deep)) == 50_001
    assert math.isfinite(evaluate([deep], {"A": 1.0})[0])
    assert free_symbols(deep) == {"A"}


def test_a_missing_value_is_named():
    with pytest.raises(KeyError, match="B"):
        evaluate([A + B], {"A": 1.0})


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (A - B * K, "A - B * K"),
        (A / (B + K), "A / (B + K)"),
        (power(A + B, 2), "(A + B)^2"),
        (call("and", call("lt", A, B), call("ge", A, K)), "(A < B) && (A >= K)"),
        (piecewise((A, call("gt", B, K)), otherwise=B), "piecewise(A, B > K, B)"),
    ],
)
def test_text(formula, expected):
    assert evaluate_text(to_text(formula)) == pytest.approx(evaluate_text(expected))


def evaluate_text(text: str) -> float:
    """The number that libsbml's own parser and evaluator give the text, at fixed values."""
    import libsbml

    tree = libsbml.parseL3Formula(text)
    assert tree is not None, text
    values = {"A": 2.0, "B": 3.0, "K": 0.5, "V": 7.0}
    return _walk(tree, values, libsbml)


def _walk(tree, values, libsbml):
    args = [_walk(tree.getChild(i), values, libsbml) for i in range(tree.getNumChildren())]
    kind = tree.getType()
    table = {
        libsbml.AST_PLUS: lambda *a: sum(a),
        libsbml.AST_MINUS: lambda *a: -a[0] if len(a) == 1 else a[0] - a[1],
        libsbml.AST_TIMES: lambda *a: math.prod(a),
        libsbml.AST_DIVIDE: lambda a, b: a / b,
        libsbml.AST_POWER: lambda a, b: a**b,
        libsbml.AST_FUNCTION_POWER: lambda a, b: a**b,
        libsbml.AST_RELATIONAL_LT: lambda a, b: float(a < b),
        libsbml.AST_RELATIONAL_GT: lambda a, b: float(a > b),
        libsbml.AST_RELATIONAL_GEQ: lambda a, b: float(a >= b),
        libsbml.AST_LOGICAL_AND: lambda a, b: float(bool(a) and bool(b)),
        libsbml.AST_FUNCTION_PIECEWISE: lambda a, c, b: a if c else b,
    }
    if kind in table:
        return table[kind](*args)
    return values[tree.getName()] if kind == libsbml.AST_NAME else tree.getValue()


LEAVES = st.one_of(
    st.sampled_from([A, B, K, V]),
    st.floats(-3, 3, allow_nan=False).filter(lambda x: abs(x) > 1e-3).map(number),
)


def grow(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.lists(children, min_size=2, max_size=4).map(lambda terms: add(*terms)),
        st.lists(children, min_size=2, max_size=4).map(lambda factors: mul(*factors)),
        st.tuples(children, st.integers(1, 3)).map(lambda pair: power(*pair)),
        children.map(lambda x: call("exp", mul(-1, x, x))),
        children.map(lambda x: call("abs", x)),
        st.tuples(children, children).map(lambda pair: call("max", *pair)),
    )


FORMULAS = st.recursive(LEAVES, grow, max_leaves=12)
VALUES = {"A": 1.3, "B": -0.7, "K": 2.1, "V": 0.4}


@given(FORMULAS, FORMULAS)
def test_the_builders_do_arithmetic(x, y):
    (a, b), (total, product, square) = evaluate([x, y], VALUES), evaluate([x + y, x * y, power(x, 2)], VALUES)
    assert total == pytest.approx(a + b, rel=ROUNDING, abs=ROUNDING * (abs(a) + abs(b)))
    assert product == pytest.approx(a * b, rel=1e-9, abs=ROUNDING)
    assert square == pytest.approx(a**2, rel=1e-9, abs=ROUNDING)


@given(FORMULAS)
def test_rebuilding_changes_no_value(x):
    rebuilt = x if x.op in ("number", "symbol") else make(x.op, x.args)
    assert evaluate([rebuilt], VALUES)[0] == pytest.approx(evaluate([x], VALUES)[0], rel=1e-9, abs=ROUNDING)


@given(FORMULAS)
def test_sympy_agrees(x):
    (symbolic,) = to_sympy(x)
    expected = evaluate([x], VALUES)[0]
    found = float(symbolic.subs({s: VALUES[s.name] for s in symbolic.free_symbols}))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_evaluation_broadcasts():
    ramp = np.linspace(0.0, 1.0, 5)
    (found,) = evaluate([piecewise((A, call("lt", A, 0.5)), otherwise=B)], {"A": ramp, "B": 9.0})
    np.testing.assert_array_equal(found, np.where(ramp < 0.5, ramp, 9.0))


@given(FORMULAS)
def test_formulas_come_back_from_sympy(x):
    (back,) = from_sympy(*to_sympy(x))
    assert evaluate([back], VALUES)[0] == pytest.approx(evaluate([x], VALUES)[0], rel=1e-9, abs=1e-9)


def test_conditions_come_back_from_sympy():
    choice = piecewise((A, call("and", call("lt", A, B), call("ge", K, 0.5))), otherwise=V)
    (back,) = from_sympy(*to_sympy(choice))
    for values in (VALUES, VALUES | {"B": 5.0}):
        assert evaluate([back], values) == evaluate([choice], values)


def test_an_unknown_function_is_named():
    import sympy

    with pytest.raises(ValueError, match="gamma"):
        from_sympy(sympy.gamma(sympy.Symbol("x")))
