"""Models joined at ports, renamed and patched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascades.compiler.build_equations import build_equations
from cascades.compose import assemble, compose, extend, patch, rename
from cascades.errors import ModelError, UnitError, UnknownName
from cascades.library import load_model
from cascades.model import Model, Port
from cascades.sbml.read import read_text
from cascades.sbml.write import to_sbml
from tests.sbml.small_models import assert_course, model_of

TIMES = np.linspace(0.0, 2.0, 5)
UNITS = "unit uM = 1e-6 mole / litre; unit mV = 1e-3 volt; unit per_s = 1 / second; unit time_unit = second;"


def source() -> Model:
    """Calcium that decays."""
    model = model_of(f"{UNITS} Ca' = -k * Ca; Ca = 2; Ca has uM; V := 3; V has mV; k = 1; k has per_s")
    outputs = (Port("Ca", "Ca", "output"), Port("V", "V", "output"), Port("push", "Ca", "spike"))
    return replace(model, id="calcium_test_2000", ports=outputs)


def sink() -> Model:
    """Something that is made in proportion to calcium."""
    model = model_of(
        f"{UNITS} X' = k * Ca; X = 0; X has uM; Ca = 0; Ca has uM; k = 3; k has per_s; V = 1; V has mV"
    )
    return replace(
        model,
        id="sensor_test_2001",
        ports=(Port("Ca", "Ca", "input"), Port("V", "V", "input"), Port("X", "X", "output")),
    )


def test_an_input_becomes_the_output_that_drives_it():
    joined = compose(source(), sink(), connect={"sensor.Ca": "calcium.Ca"})
    assert build_equations(joined).state_names == ("calcium_Ca", "sensor_X")
    assert_course(joined, TIMES, "sensor_X", 6.0 * (1.0 - np.exp(-TIMES)))
    assert [p.name for p in joined.ports] == ["calcium_Ca", "calcium_V", "push", "sensor_V", "X"]
    assert joined.port("push").symbol == "calcium_Ca"


def test_an_assigned_variable_may_drive():
    joined = compose(source(), sink(), connect={"sensor.V": "calcium.V"})
    assert "sensor_V" not in joined.by_id


def test_long_names_may_be_used():
    connect = {"sensor_test_2001.Ca": "calcium_test_2000.Ca"}
    assert compose(source(), sink(), connect=connect) == compose(
        source(), sink(), connect={"sensor.Ca": "calcium.Ca"}
    )


def test_a_port_that_does_not_exist_names_those_that_do():
    with pytest.raises(UnknownName, match="no port of sensor named 'Caa'; did you mean Ca"):
        compose(source(), sink(), connect={"sensor.Caa": "calcium.Ca"})
    with pytest.raises(UnknownName, match="no model named 'sensors'; did you mean sensor"):
        compose(source(), sink(), connect={"sensors.Ca": "calcium.Ca"})


def test_units_of_a_connection_must_agree():
    with pytest.raises(UnitError, match=r"sensor\.Ca is in uM, calcium\.V in mV"):
        compose(source(), sink(), connect={"sensor.Ca": "calcium.V"})


def test_units_of_time_must_agree():
    other = model_of("unit time_unit = 1e-3 second; x = 1")
    with pytest.raises(UnitError, match=r"time unit of calcium is in s, time unit of other in ms"):
        compose(source(), replace(other, id="other"), connect={})


def test_what_its_own_model_computes_cannot_be_connected():
    with pytest.raises(ModelError, match=r"sensor\.X: is computed by a rule"):
        compose(source(), sink(), connect={"sensor.X": "calcium.Ca"})


def test_connections_in_a_circle():
    a = replace(
        model_of("p = 1; q := p + 1"), id="a", ports=(Port("p", "p", "input"), Port("q", "q", "output"))
    )
    b = replace(a, id="b")
    with pytest.raises(ModelError, match=r"a\.p -> b\.p -> a\.p"):
        compose(a, b, connect={"a.p": "b.p", "b.p": "a.p"})
    with pytest.raises(ModelError, match=r"the connections form a circle: [ab]_q -> [ab]_q -> [ab]_q"):
        compose(a, b, connect={"a.p": "b.q", "b.p": "a.q"})


def test_ids_that_meet_are_named():
    a, b = replace(model_of("b_x = 1"), id="a"), replace(model_of("x = 1"), id="a_b")
    with pytest.raises(ModelError, match="a_b_x: two elements would have this id"):
        compose(a, b, connect={})


def test_two_models_of_one_id():
    with pytest.raises(ModelError, match="two models have this id"):
        compose(source(), source(), connect={})


def test_equal_compartments_become_one():
    a = replace(model_of("compartment spine = 2; species A in spine = 1; J: A -> ; A"), id="a")
    b = replace(model_of("compartment spine = 2; species A in spine = 3; J: -> A; 4"), id="b")
    joined = compose(a, b, connect={})
    assert [c.id for c in joined.compartments] == ["spine"]
    other = patch(b, values={"spine": 5.0})
    assert [c.id for c in compose(a, other, connect={}).compartments] == ["a_spine", "b_spine"]
    assert [c.id for c in compose(a, other, connect={"b.spine": "a.spine"}).compartments] == ["a_spine"]


def test_two_species_become_one_with_the_reactions_of_both():
    a = replace(model_of("compartment spine = 2; species A in spine = 1; J: A -> ; spine * A"), id="a")
    b = replace(model_of("compartment spine = 2; species A in spine = 9; J: -> A; spine * 4"), id="b")
    joined = compose(a, b, connect={"b.A": "a.A"})
    assert_course(joined, TIMES, "a_A", 4.0 - 3.0 * np.exp(-TIMES))


def test_the_parts_of_the_spine_join():
    names = ("nmda_jahr_stevens_1990", "bap_shouval_2002", "calcium_sabatini_2002", "camkii_graupner_2007")
    connect = {
        "camkii.Ca": "calcium.Ca", "nmda.V": "bap.V", "calcium.V": "bap.V",
        "bap.i_syn": "nmda.i_syn", "calcium.g_NMDA": "nmda.g_NMDA",
    }  # fmt: skip
    joined = compose(*map(load_model, names), connect=connect, id="spine")
    equations = build_equations(joined)
    assert len(equations.state_names) == sum(len(build_equations(load_model(n)).state_names) for n in names)
    back = read_text(to_sbml(joined), "spine")
    assert back.content_hash == replace(joined, ports=()).content_hash


def test_renaming_reaches_formulas_and_keeps_the_course():
    model = rename(model_of("x' = -k * x; x = 1; k = 2; y := x^2"), {"x": "calcium", "k": "rate"})
    assert_course(model, TIMES, "y", np.exp(-4.0 * TIMES))
    assert "calcium" in model.by_id
    with pytest.raises(UnknownName, match="no element named 'z'"):
        rename(model, {"z": "w"})
    with pytest.raises(ModelError, match="y: the new id is taken"):
        rename(model, {"calcium": "y"})


@given(st.permutations(["x", "y", "k", "c"]))
def test_renaming_there_and_back(order: list[str]):
    model = model_of("compartment c = 1; species x in c = 1; k = 1; J: x -> ; k * x; y := x * k")
    names = dict(zip(["x", "y", "k", "c"], order, strict=True))
    back = rename(rename(model, names), {new: old for old, new in names.items()})
    assert back.content_hash == model.content_hash


# --- patches ------------------------------------------------------------------------------------

PATCHED = "compartment c = 1; species A in c = 1, B in c = 0; J: A -> B; k * A; k = 1; y := 2 * A; z = 5 * k"


def test_values_of_parameters_and_species():
    model = patch(model_of(PATCHED), values={"k": 3.0, "A": 2.0})
    assert_course(model, TIMES, "A", 2.0 * np.exp(-3.0 * TIMES))


def test_a_variable_with_a_value_is_clamped():
    model = patch(model_of(PATCHED), values={"y": 7.0, "z": 1.0})
    assert {"y", "z"} <= set(build_equations(model).parameter_names)


def test_another_temperature():
    """Q10 = 3, ten degrees colder."""
    model = patch(model_of(PATCHED), scale={"k": 3.0**-1})
    assert_course(model, TIMES, "A", np.exp(-TIMES / 3.0))


def test_a_reaction_is_taken_out():
    assert_course(patch(model_of(PATCHED), remove=["J"]), TIMES, "A", np.ones(5))


def test_a_species_is_knocked_out():
    model = patch(model_of(PATCHED), remove=["A"])
    assert model.reactions == ()
    assert_course(model, TIMES, "y", np.zeros(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"kk": 1.0}}, "no parameter, species or compartment named 'kk'; did you mean k"),
        ({"scale": {"y": 2.0}}, "no number named 'y'"),
        ({"remove": ["K"]}, "no reaction, event, species or parameter named 'K'"),
    ],
)
def test_a_patch_for_what_does_not_exist(change: dict, message: str):
    with pytest.raises(UnknownName, match=message):
        patch(model_of(PATCHED), **change)


def test_a_parameter_goes_with_its_rule_where_nothing_uses_it():
    changed = patch(source(), remove=["V"])
    assert "V" not in changed.by_id
    assert [port.name for port in changed.ports] == ["Ca", "push"]
    with pytest.raises(ModelError, match="k: is used"):
        patch(source(), remove=["k"])


def test_an_extension_replaces_rules_and_adds_states():
    changes = model_of(f"{UNITS} Ca' = -2 * k * Ca; Y' = k * Ca; Y = 0; Y has uM; k has per_s; Ca has uM")
    extended = extend(source(), changes)
    assert_course(extended, TIMES, "Ca", 2.0 * np.exp(-2.0 * TIMES))
    assert_course(extended, TIMES, "Y", 1.0 - np.exp(-2.0 * TIMES))
    assert extended.by_id["k"].value == 1.0


def test_an_extension_gives_new_numbers_and_keeps_the_rest():
    extended = extend(source(), model_of(f"{UNITS} k = 3; k has per_s; Ca = 5; Ca has uM"))
    assert_course(extended, TIMES, "Ca", 5.0 * np.exp(-3.0 * TIMES))
    assert extended.ports == source().ports


def test_units_of_an_extension_must_agree():
    with pytest.raises(ModelError, match="unit uM"):
        extend(source(), model_of("unit uM = 1e-3 mole / litre; z = 1; z has uM"))


def test_an_assembly_has_short_ids_where_no_two_meet():
    parts = {"calcium": source(), "sensor": sink()}
    made = assemble(parts, connect={"sensor.Ca": "calcium.Ca"}, names={"sensor.k": "gain"}, id="spine")
    assert {"Ca", "X", "k", "gain", "calcium_V", "sensor_V"} == {p.id for p in made.parameters}
    assert_course(made, TIMES, "X", 6.0 * (1.0 - np.exp(-TIMES)))


def test_an_assembly_starts_and_counts_as_it_is_told():
    parts = {"calcium": source(), "sensor": sink()}
    connect = {"sensor.Ca": "calcium.Ca"}
    made = assemble(
        parts, connect=connect, names={"sensor.k": "gain"}, values={"gain": 1.0}, start={"Ca": 4.0}
    )
    assert_course(made, TIMES, "X", 4.0 * (1.0 - np.exp(-TIMES)))


def test_an_assembly_names_what_it_does_not_have():
    with pytest.raises(UnknownName, match=r"did you mean calcium\.Ca"):
        assemble({"calcium": source()}, connect={}, names={"calcium.Cam": "x"})
