"""From a model to its equations: conserved totals, discontinuities, what changes the hash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascades.compiler.build_equations import build_equations
from cascades.compiler.conservation import conserved_totals
from cascades.compiler.discontinuities import boundaries
from cascades.compiler.equations import Equations
from cascades.errors import UnsupportedFeature
from cascades.expression import ONE, add, call, evaluate, mul, symbol
from cascades.library import load_model, model_names
from cascades.model import Port
from tests.sbml.small_models import equations_of, model_of

ENZYME = (
    "compartment c = 2; species E in c = 1, S in c = 10, ES in c = 0, P in c = 0;"
    "bind: E + S -> ES; c * (k1 * E * S - k2 * ES); k1 = 1; k2 = 2; turn: ES -> E + P; c * k3 * ES; k3 = 1"
)


def weights(equations: Equations) -> dict[str, dict[str, float]]:
    return {
        total.name: {state: evaluate([w], _values(equations))[0] for state, w in total.weights.items()}
        for total in equations.conserved
    }


def test_an_enzyme_and_its_substrate_are_conserved():
    assert weights(equations_of(ENZYME)) == {
        "total_E": {"E": 1.0, "ES": 1.0},
        "total_S": {"S": 1.0, "ES": 1.0, "P": 1.0},
    }


def test_concentrations_in_different_compartments_are_weighted_by_volume():
    text = "compartment a = 1; compartment b = 3; species A in a = 4; species B in b = 0; J: A -> B; A"
    (total,) = equations_of(text).conserved
    assert {state: str(w) for state, w in total.weights.items()} == {"A": "a", "B": "b"}


def test_stoichiometric_numbers_are_weights():
    text = "compartment c = 1; species D in c = 4, M in c = 0; J: D -> 2 M; D"
    assert weights(equations_of(text)) == {"total_D": {"D": 2.0, "M": 1.0}}


def test_conversion_factors_are_weights():
    model = model_of("compartment c = 1; species A in c = 1, B in c = 0; J: A -> B; A; f = 4")
    a, b = model.species
    (total,) = build_equations(replace(model, species=(a, replace(b, conversion_factor="f")))).conserved
    values = {"c": 1.0, "f": 4.0}
    of_a, of_b = (evaluate([total.weights[name]], values)[0] for name in ("A", "B"))
    assert of_a == 4.0 * of_b


def test_what_rules_or_events_change_is_not_conserved():
    text = "compartment c = 1; species A in c = 1, B in c = 0; J: A -> B; A; at time > 1: B = 0"
    assert equations_of(text).conserved == ()


def test_a_parameter_that_only_events_change_is_a_total_by_itself():
    equations = equations_of("x' = k; x = 0; k = 1; at time > 1: k = 2")
    assert weights(equations) == {"total_k": {"k": 1.0}}


def test_a_port_for_spikes_makes_a_state():
    model = replace(model_of("x' = k; x = 0; k = 1"), ports=(Port("kick", "k", "spike"),))
    assert "k" in build_equations(model).state_names


@pytest.mark.parametrize("name", model_names())
def test_totals_of_shipped_models_are_conserved_and_named_by_what_is_there(name: str):
    equations = build_equations(load_model(name))
    rates = dict(zip(equations.state_names, equations.rates, strict=True))
    values = _values(equations) | {state: 0.1 + 0.01 * i for i, state in enumerate(rates)}
    for total in equations.conserved:
        terms = evaluate([mul(weight, rates[state]) for state, weight in total.weights.items()], values)
        assert abs(sum(terms)) <= 1e-12 * max(1e-300, sum(map(abs, terms)))
        assert total.dependent in total.weights


@given(st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=6))
def test_totals_span_the_left_null_space(columns: list[list[int]]):
    names = [f"s{i}" for i in range(5)]
    table = np.array(columns, dtype=float).T
    stoichiometry = {
        name: {f"r{j}": table[i, j] for j in range(table.shape[1])} for i, name in enumerate(names)
    }
    found = conserved_totals(stoichiometry, dict.fromkeys(names, ONE), dict.fromkeys(names, False))
    assert len(found) == 5 - np.linalg.matrix_rank(table)
    for total in found:
        w = np.array([total.weights[n].value if n in total.weights else 0.0 for n in names])
        np.testing.assert_array_equal(w @ table, 0.0)
    dependent = [total.dependent for total in found]
    square = [[t.weights[d].value if d in t.weights else 0.0 for d in dependent] for t in found]
    assert len(found) == 0 or abs(np.linalg.det(np.array(square))) > 0.5


def test_weights_are_not_negative_where_a_moiety_explains_them():
    """A + B <-> AB, AB + C <-> ABC: three moieties."""
    text = (
        "compartment c = 1; species A in c = 1, B in c = 2, C in c = 3, AB in c = 0, ABC in c = 0;"
        "one: A + B -> AB; A * B; two: AB + C -> ABC; AB * C"
    )
    assert all(w >= 0.0 for total in weights(equations_of(text)).values() for w in total.values())


def test_jumps_of_rates_are_found():
    x, time = symbol("x"), symbol("time")
    equations = equations_of("x' = piecewise(1, (time > 5) && (x < 2), 0) + floor(x); x = 0")
    (steps,) = boundaries([call("floor", x)])
    assert set(equations.discontinuities) == {add(time, -5.0), add(x, -2.0), steps}


def test_the_hash_sees_numbers_of_formulas_but_not_values():
    model = model_of("x' = -k * x; x = 1; k = 2")
    other = model_of("x' = -k * x; x = 1; k = 3")
    changed = model_of("x' = -2 * k * x; x = 1; k = 2")
    hashes = [build_equations(m).content_hash for m in (model, other, changed)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_all_that_is_refused_is_named():
    model = model_of(
        "compartment c = 1; species A in c = 1, B in c = 0; J: n A -> B; A; K: B -> n A; B; n = 1"
    )
    fast = replace(model, reactions=tuple(replace(one, is_fast=True) for one in model.reactions))
    with pytest.raises(UnsupportedFeature) as caught:
        build_equations(fast)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "fast reaction J",
        "fast reaction K",
    ]


def _values(equations: Equations) -> dict[str, float]:
    return dict(zip(equations.parameter_names, equations.default_values, strict=True)) | {"time": 0.0}
