"""Assignment, rate and algebraic rules."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.compiler.build_equations import build_equations
from cascades.errors import ModelError
from cascades.expression import free_symbols, symbol
from cascades.model import AssignmentRule, Model, Parameter
from tests.sbml.small_models import assert_course, equations_of, math, sbml

TIMES = np.linspace(0.0, 2.0, 5)


def test_assignments_may_stand_in_any_order():
    equations = equations_of("z := y + 1; y := 2 * x; x' = 1; x = 0")
    assert str(equations.observables["z"]) == "2 * x + 1"
    assert equations.state_names == ("x",)


def test_an_assignment_that_defines_itself_names_the_circle():
    rules = tuple(AssignmentRule(a, symbol(b)) for a, b in (("x", "y"), ("y", "z"), ("z", "x")))
    model = Model("circle", parameters=tuple(Parameter(name) for name in "xyz"), rules=rules)
    with pytest.raises(ModelError, match=r"is defined by itself \((\w -> ){3}\w\)"):
        build_equations(model)


def test_a_linear_algebraic_rule_becomes_a_formula():
    model = algebraic("<apply><minus/><ci>total</ci><apply><plus/><ci>x</ci><ci>y</ci></apply></apply>")
    equations = build_equations(model)
    assert equations.is_algebraic == (False,)
    assert str(equations.observables["y"]) in ("-x + total", "total - x")


def test_a_nonlinear_algebraic_rule_becomes_an_algebraic_state():
    """y^2 = x with x = 1 + t."""
    power = "<apply><power/><ci>y</ci><cn>2</cn></apply>"
    model = algebraic(f"<apply><minus/>{power}<ci>x</ci></apply>", start=1.0)
    equations = build_equations(model)
    assert dict(zip(equations.state_names, equations.is_algebraic, strict=True)) == {"x": False, "y": True}
    assert_course(model, TIMES, "y", np.sqrt(1.0 + TIMES))


def test_two_linear_rules_with_two_variables():
    """u + v = x, u - v = 1."""
    first = "<apply><minus/><apply><plus/><ci>u</ci><ci>v</ci></apply><ci>x</ci></apply>"
    second = "<apply><minus/><apply><minus/><ci>u</ci><ci>v</ci></apply><cn>1</cn></apply>"
    model = sbml(
        _parameters({"x": 1.0, "u": None, "v": None})
        + f"<listOfRules><algebraicRule>{math(first)}</algebraicRule>"
        + f"<algebraicRule>{math(second)}</algebraicRule>"
        + f'<rateRule variable="x">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )
    assert_course(model, TIMES, "u", 1.0 + 0.5 * TIMES)
    assert_course(model, TIMES, "v", 0.5 * TIMES)


def test_two_rules_that_share_a_product_stay_algebraic():
    """u v + u = x, u v + v = 2 with x = t: no quotient of what may vanish, and pivots on the diagonal."""
    product = "<apply><times/><ci>u</ci><ci>v</ci></apply>"
    first = f"<apply><minus/><apply><plus/>{product}<ci>u</ci></apply><ci>x</ci></apply>"
    second = f"<apply><minus/><apply><plus/>{product}<ci>v</ci></apply><cn>2</cn></apply>"
    model = sbml(
        _parameters({"x": 0.0, "u": 0.1, "v": 1.9})
        + f"<listOfRules><algebraicRule>{math(second)}</algebraicRule>"
        + f"<algebraicRule>{math(first)}</algebraicRule>"
        + f'<rateRule variable="x">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )
    equations = build_equations(model)
    assert sum(equations.is_algebraic) == 2
    rates = dict(zip(equations.state_names, equations.rates, strict=True))
    assert "x" in free_symbols(rates["u"])  # whose slope along u, v + 1, is larger than along v
    x = TIMES
    assert_course(model, TIMES, "u", 0.5 * (x - 3.0 + np.sqrt((3.0 - x) ** 2 + 4.0 * x)))


def test_an_algebraic_rule_without_a_free_variable_is_refused():
    model = sbml(
        _parameters({"x": 1.0})
        + f"<listOfRules><algebraicRule>{math('<ci>x</ci>')}</algebraicRule>"
        + f'<rateRule variable="x">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )
    with pytest.raises(ModelError, match="no variable is left"):
        build_equations(model)


def test_a_rule_without_a_formula_has_no_effect():
    model = sbml(_parameters({"x": 3.0}) + '<listOfRules><assignmentRule variable="x"/></listOfRules>')
    assert_course(model, TIMES, "x", 3.0 + 0.0 * TIMES)


def test_the_rate_of_a_symbol():
    model = "x' = -2 * x; x = 1; y := rateOf(x)"
    assert_course(model, TIMES, "y", -2.0 * np.exp(-2.0 * TIMES))


def test_the_rate_of_a_concentration_in_a_growing_compartment():
    """A = 5 / (1 + t)."""
    model = "compartment c = 1; c' = 1; species A in c = 5; J: A -> ; 0; y := rateOf(A)"
    assert_course(model, TIMES, "y", -5.0 / (1.0 + TIMES) ** 2)


def algebraic(formula: str, start: float = 0.0):
    """0 = formula over x (rising from 1 with slope 1), y and total = 10."""
    return sbml(
        _parameters({"x": 1.0, "y": start, "total": 10.0}, constant=("total",))
        + f"<listOfRules><algebraicRule>{math(formula)}</algebraicRule>"
        + f'<rateRule variable="x">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )


def _parameters(values: dict[str, float | None], constant: tuple[str, ...] = ()) -> str:
    elements = [
        f'<parameter id="{name}" constant="{str(name in constant).lower()}"'
        + (f' value="{value}"/>' if value is not None else "/>")
        for name, value in values.items()
    ]
    return f"<listOfParameters>{''.join(elements)}</listOfParameters>"
