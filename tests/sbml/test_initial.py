"""Initial values and assignments."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import compile_model
from cascades.errors import ModelError
from cascades.simulate import simulate
from tests.sbml.small_models import assert_course, equations_of, math, model_of, sbml

TIMES = np.array([0.0, 1.0])


def test_initial_values_are_formulas_of_parameters():
    of_x = math("<apply><times/><cn>3</cn><ci>y</ci></apply>")
    of_y = math("<apply><plus/><ci>k</ci><cn>1</cn></apply>")
    model = sbml(
        '<listOfParameters><parameter id="k" value="2" constant="true"/><parameter id="x" constant="false"/>'
        '<parameter id="y" constant="false"/></listOfParameters><listOfInitialAssignments>'
        f'<initialAssignment symbol="x">{of_x}</initialAssignment>'
        f'<initialAssignment symbol="y">{of_y}</initialAssignment>'
        f'</listOfInitialAssignments><listOfRules><rateRule variable="x">{math("<cn>0</cn>")}</rateRule>'
        f'<rateRule variable="y">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )
    equations = build_equations(model)
    assert [str(formula) for formula in equations.initial] == ["3 * k + 3", "k + 1"]
    compiled = compile_model(model)
    batch = simulate(compiled, TIMES, values={"k": np.array([1.0, 5.0])})
    np.testing.assert_allclose(batch["x"][:, 0], [6.0, 18.0])


def test_a_constant_that_follows_from_others_is_an_observable():
    equations = equations_of("k1 = 2; k2 = 3 * k1; x' = k2; x = 0")
    assert equations.parameter_names == ("k1",)
    assert str(equations.observables["k2"]) == "3 * k1"
    assert str(equations.rates[0]) == "3 * k1"


def test_a_constant_computed_from_numbers_is_a_parameter():
    equations = equations_of("k = 3 * 2")
    assert dict(zip(equations.parameter_names, equations.default_values, strict=True)) == {"k": 6.0}


def test_a_start_may_use_an_assigned_variable_and_a_rate():
    assert_course("y := 2 + time; x = y * 5; x' = -1; z = rateOf(x)", TIMES, "x", [10.0, 9.0])
    assert_course("y := 2 + time; x = y * 5; x' = -1; z = rateOf(x)", TIMES, "z", [-1.0, -1.0])


def test_an_amount_is_divided_by_the_size():
    model = model_of("compartment c = 4; species A in c; A = 8 / c; J: A -> ; 0 ")
    assert_course(model, TIMES, "A", [2.0, 2.0])


def test_a_missing_value_is_named_when_a_run_starts():
    model = sbml(
        '<listOfParameters><parameter id="k" constant="true"/><parameter id="x" value="1" constant="false"/>'
        '<parameter id="y" constant="false"/><parameter id="unused" constant="true"/></listOfParameters>'
        f'<listOfRules><rateRule variable="x">{math("<ci>k</ci>")}</rateRule>'
        f'<rateRule variable="y">{math("<cn>1</cn>")}</rateRule></listOfRules>'
    )
    assert build_equations(model).missing == ("k", "y")
    compiled = compile_model(model)
    with pytest.raises(ModelError, match="k: has no value"):
        simulate(compiled, TIMES)
    with pytest.raises(ModelError, match="y: has no value"):
        simulate(compiled, TIMES, values={"k": 2.0})
    got = simulate(compiled, TIMES, values={"k": 2.0}, initial={"y": 0.0})
    np.testing.assert_allclose(got["x"][0], [1.0, 3.0])
