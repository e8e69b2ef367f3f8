"""Through which formulas calcium acts."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.expression import evaluate, symbol
from cascades.reduction.cut import clamp, keep
from cascades.reduction.sensors import sensors


@pytest.mark.parametrize(
    ("name", "weight", "count"), [("camkii_graupner_2007", "S", 4), ("switch_pi_2008", "A", 2)]
)
def test_shipped_switches_are_affine_in_few_sensors(name, weight, count):
    """Graupner & Brunel (2007): gamma^2, gamma, vPKA and vCaN; Pi & Lisman (2008): two Hill functions."""
    equations = keep(clamp(cascades.compile_model(cascades.load_model(name)).equations, "Ca"), [weight])
    found = sensors(equations.rates, "Ca", equations.state_names)
    levels = np.geomspace(0.05, 5.0, 40)
    values = dict(zip(equations.parameter_names, equations.default_values, strict=True)) | {"Ca": levels}
    columns = np.log(np.array(evaluate(found.formulas, values)))
    shapes = {tuple(np.round(c - c[0], 9)) for c in columns if np.ptp(c) > 0.0}
    assert len(shapes) == count  # proportional sensors count once
    assert found.is_affine


def test_sensors_put_back_give_the_rates():
    compiled = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    equations = compiled.equations
    found = sensors(equations.rates, "Ca", equations.state_names)
    values = {**compiled.default_values, **compiled.initial_values, "Ca": 0.37, "B2": 0.3, "time": 0.0}
    inserted = values | dict(zip(found.names, evaluate(found.formulas, values), strict=True))
    assert_allclose(
        evaluate(found.rates, inserted), evaluate(equations.rates, values), rtol=1e-12, atol=1e-14
    )


def test_a_product_of_sensors_with_a_state_between_is_not_affine():
    x, c = symbol("x"), symbol("c")
    assert sensors([x * c + c * c], "c", ["x"]).is_affine
    assert not sensors([1 / (x + c)], "c", ["x"]).is_affine
    assert not sensors([c * (x + c * c) * x], "c", ["x"]).is_affine


LARGE, REACTIONS = 230, 800
SECONDS = 5.0  # measured 0.03 to 0.06; a busy machine is slower


def test_large_models_take_no_time():
    """A random mass-action network in which every fifth reaction needs calcium, by one of three formulas."""
    draw = np.random.default_rng(0)
    names = [f"x{i}" for i in range(LARGE)]
    c = symbol("c")
    formulas = [c * c / (c * c + 0.3), c / (c + 1.0), 1.0 / (1.0 + (0.1 / c) * (0.1 / c) * (0.1 / c))]
    rates = [0.0 * symbol(name) for name in names]
    for k in range(REACTIONS):
        i, j, to = draw.integers(0, LARGE, 3)
        flow = float(draw.uniform(0.1, 2.0)) * symbol(names[i]) * symbol(names[j])
        flow = flow * formulas[k % 3] if k % 5 == 0 else flow
        rates[i], rates[to] = rates[i] - flow, rates[to] + flow
    begin = time.perf_counter()
    found = sensors(rates, "c", names)
    assert found.is_affine
    assert time.perf_counter() - begin < SECONDS
    assert len(found.names) == len(formulas)
