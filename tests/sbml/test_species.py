"""Amounts, concentrations and compartments whose size changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.sbml.small_models import assert_course, course, equations_of, model_of

TIMES = np.linspace(0.0, 2.0, 5)


def test_a_species_in_a_constant_compartment_is_a_concentration():
    equations = equations_of("compartment c = 2; species A in c = 3; J: A -> ; c * k * A; k = 0.5")
    assert equations.state_names == ("A",)
    assert equations.parameter_names == ("c", "k")
    assert str(equations.rates[0]) == "-A * k"
    assert str(equations.observables["A_amount"]) == "A * c"


def test_a_rate_in_extent_moves_concentrations_by_volume():
    assert_course("compartment c = 2; species A in c = 0; J: -> A; 3", TIMES, "A", 1.5 * TIMES)


def test_a_species_that_is_an_amount_is_one_in_formulas():
    model = "compartment c = 4; substanceOnly species A in c = 8; J: A -> ; k * A; k = 1"
    assert_course(model, TIMES, "A", 8.0 * np.exp(-TIMES))
    assert_course(model, TIMES, "A_concentration", 2.0 * np.exp(-TIMES))


def test_two_compartments_share_an_amount():
    model = "compartment a = 1; compartment b = 3; species A in a = 4; species B in b = 0; J: A -> B; A"
    assert_course(model, TIMES, "B", 4.0 / 3.0 * (1.0 - np.exp(-TIMES)))


def test_a_growing_compartment_dilutes():
    model = "compartment c = 1; var c; c' = 1; species A in c = 5; species $B in c = 2; J: A -> ; 0"
    for name, start in (("A", 5.0), ("B", 2.0)):
        assert_course(model, TIMES, name, start / (1.0 + TIMES))


def test_an_assigned_compartment_dilutes():
    model = "compartment c; c := 1 + time; species A in c; A = 6; J: -> A; 3"
    assert_course(model, TIMES, "A", (6.0 + 3.0 * TIMES) / (1.0 + TIMES))


def test_an_event_that_halves_a_compartment_doubles_concentrations():
    model = "compartment c = 2; species A in c = 1; species B in c = 3; B' = 0; at time >= 1: c = 1"
    for name, start in (("A", 1.0), ("B", 3.0)):
        np.testing.assert_allclose(course(model, [0.5, 1.5], name), [start, 2.0 * start])


def test_a_concentration_set_with_the_size_is_set_before_the_size_changes():
    """SBML semantic suite, case 01780: the amount is 0.2 * 0.5, the size then 0.2."""
    model = "compartment c = 0.5; var c; species $A in c = 2; at time >= 1: c = 0.2, A = 0.2"
    np.testing.assert_allclose(course(model, [0.5, 1.5], "A"), [2.0, 0.5])


def test_conversion_factors_turn_extent_into_amount():
    model = model_of("compartment c = 1; species A in c = 0, B in c = 0; J: -> A + B; 1; f = 2; g = 3")
    own = tuple(replace(s, conversion_factor="g" if s.id == "A" else None) for s in model.species)
    model = replace(model, conversion_factor="f", species=own)
    assert_course(model, TIMES, "A", 3.0 * TIMES)
    assert_course(model, TIMES, "B", 2.0 * TIMES)


def test_boundary_and_constant_species_are_not_moved_by_reactions():
    equations = equations_of("compartment c = 1; species $A in c = 1; species B in c = 0; J: A -> B; A")
    assert equations.state_names == ("B",)
    assert "A" in equations.parameter_names


def test_stoichiometry_counts():
    model = "compartment c = 1; species A in c = 10, B in c = 0; J: 2 A -> 3 B; 1"
    assert_course(model, TIMES, "A", 10.0 - 2.0 * TIMES)
    assert_course(model, TIMES, "B", 3.0 * TIMES)


def test_a_catalyst_is_not_changed():
    equations = equations_of(
        "compartment c = 1; species E in c = 1, A in c = 1, B in c = 0; J: A + E -> B + E; c * A * E"
    )
    assert [str(rate) for rate in equations.rates] == ["0", "-A * E", "A * E"]


@pytest.mark.parametrize("name", ["A", "B"])
def test_a_species_may_have_a_rule(name: str):
    model = "compartment c = 2; species A in c = 1; A' = -A; species $B in c; B := 3 * A"
    factor = {"A": 1.0, "B": 3.0}[name]
    assert_course(model, TIMES, name, factor * np.exp(-TIMES))
    assert_course(model, TIMES, f"{name}_amount", 2.0 * factor * np.exp(-TIMES))


def test_units_of_everything():
    equations = equations_of(
        "unit substance = 1e-21 mole; unit extent = 1e-21 mole; unit volume = 1e-15 litre;"
        "unit time_unit = second;"
        "unit per_s = 1/second; unit uM = 1e-6 mole/litre;"
        "compartment c = 1; species A in c = 1; J: A -> ; c * k * A;"
        "k = 1; k has per_s; S := 2 * A; S has uM"
    )
    assert {name: equations.units[name] for name in ("A", "A_amount", "J", "k", "S", "c")} == {
        "A": "uM", "A_amount": "zmol", "J": "zmol/s", "k": "1/s", "S": "uM", "c": "fL",
    }  # fmt: skip
    assert equations.time_unit == "s"


def test_a_foreign_model_keeps_its_time_unit():
    assert model_of("unit time_unit = 60 second; p = 1").time_unit == "time_unit"
    assert equations_of("unit time_unit = 60 second; p = 1").time_unit == "min"
