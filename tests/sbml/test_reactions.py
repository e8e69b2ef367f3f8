"""Reactions: local parameters, named stoichiometries, fast reactions, delays."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import compile_model
from cascades.errors import ModelError, ProtocolError, UnsupportedFeature
from cascades.protocols import pulse_train
from cascades.simulate import simulate
from tests.sbml.small_models import TOLERANCE, assert_course, course, equations_of, math, model_of, sbml

TIMES = np.linspace(0.0, 2.0, 5)
SPECIES = (
    '<listOfCompartments><compartment id="c" size="1" constant="true" spatialDimensions="3"/>'
    "</listOfCompartments>"
    "<listOfSpecies>{}</listOfSpecies>"
)


def species(**starts: float) -> str:
    return SPECIES.format(
        "".join(
            f'<species id="{name}" compartment="c" initialConcentration="{start}" '
            'hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>'
            for name, start in starts.items()
        )
    )


def reaction(name: str, used: str, made: str, law: str, fast: bool, local: str = "") -> str:
    def references(kind: str, names: str) -> str:
        inner = "".join(
            f'<speciesReference species="{one}" stoichiometry="1" constant="true"/>' for one in names.split()
        )
        return f"<listOf{kind}>{inner}</listOf{kind}>" if inner else ""

    return (
        f'<reaction id="{name}" reversible="true" fast="{str(fast).lower()}">{references("Reactants", used)}'
        f"{references('Products', made)}<kineticLaw>{math(law)}{local}</kineticLaw></reaction>"
    )


def test_a_local_parameter_hides_a_global_one():
    model = sbml(
        species(A=1.0)
        + '<listOfParameters><parameter id="k" value="100" constant="true"/></listOfParameters>'
        + "<listOfReactions>"
        + reaction(
            "J", "A", "", "<apply><times/><ci>k</ci><ci>A</ci></apply>", False,
            '<listOfLocalParameters><localParameter id="k" value="2"/></listOfLocalParameters>',
        )
        + "</listOfReactions>",
        version=1,
    )  # fmt: skip
    assert set(build_equations(model).parameter_names) == {"c", "k", "J__k"}
    assert_course(model, TIMES, "A", np.exp(-2.0 * TIMES))


def test_a_named_stoichiometry_may_change():
    model = "compartment c = 1; species A in c = 0; J: -> n A; 1; n := 1 + time"
    assert_course(model, TIMES, "A", TIMES + 0.5 * TIMES**2)


def test_a_reaction_in_a_formula_is_its_rate():
    model = "compartment c = 1; species A in c = 1; J: A -> ; 2 * A; r := 3 * J"
    assert_course(model, TIMES, "r", 6.0 * np.exp(-2.0 * TIMES))


def test_a_fast_reaction_is_at_equilibrium_from_the_start():
    """A <-> B fast with B = 2 A, B -> slow with rate B: A + B decays with 2/3."""
    model = sbml(
        species(A=3.0, B=0.0)
        + "<listOfReactions>"
        + reaction("quick", "A", "B", _difference("<ci>A</ci>", "<ci>B</ci>"), True)
        + reaction("slow", "B", "", "<ci>B</ci>", False)
        + "</listOfReactions>",
        version=1,
    )
    total = 3.0 * np.exp(-2.0 / 3.0 * TIMES)
    assert_course(model, TIMES, "A", total / 3.0)
    assert_course(model, TIMES, "B", total * 2.0 / 3.0)


def test_a_fast_binding_is_an_algebraic_state():
    """A + B <-> C with 2 A B = C, A = B: C = (A_total - C)^2 * 2."""
    product = "<apply><times/><ci>A</ci><ci>B</ci></apply>"
    model = sbml(
        species(A=1.0, B=1.0, C=0.0)
        + "<listOfReactions>"
        + reaction("bind", "A B", "C", _difference(product, "<ci>C</ci>"), True)
        + "</listOfReactions>",
        version=1,
    )
    assert any(build_equations(model).is_algebraic)
    np.testing.assert_allclose(course(model, TIMES, "C"), 0.5, atol=TOLERANCE)


def test_a_fast_reaction_without_a_unique_equilibrium_is_refused():
    product = "<apply><times/><ci>A</ci><ci>B</ci></apply>"
    model = sbml(
        species(A=1.0, B=2.0, C=0.0)
        + "<listOfReactions>" + reaction("both", "A B", "C", product, True) + "</listOfReactions>",
        version=1,
    )  # fmt: skip
    with pytest.raises(UnsupportedFeature, match="fast reaction both"):
        build_equations(model)


def _difference(forward: str, backward: str) -> str:
    return f"<apply><minus/><apply><times/><cn>2</cn>{forward}</apply>{backward}</apply>"


# --- delays -------------------------------------------------------------------------------------


def test_a_delayed_state_follows_by_a_second_copy():
    model = "x' = -x; x = 1; y := delay(x, 0.75)"
    expected = np.exp(-np.maximum(TIMES - 0.75, 0.0))
    assert_course(model, TIMES, "y", expected)
    assert dict(equations_of(model).delayed) == {"x_delayed": "x"}


def test_a_delayed_function_of_time_reaches_before_the_start():
    assert_course("x := sin(time); y := delay(x, 0.75)", TIMES, "y", np.sin(TIMES - 0.75))


def test_a_lag_may_vary_where_the_course_is_known():
    assert_course("x' = 2; x = 1; y := delay(x, time / 2)", TIMES, "y", 1.0 + TIMES)


def test_a_delayed_state_starts_with_its_original():
    compiled = compile_model(model_of("x' = -x; x = 1; y := delay(x, 0.75)"))
    got = simulate(compiled, TIMES, initial={"x": 3.0})["y"][0]
    np.testing.assert_allclose(got, 3.0 * np.exp(-np.maximum(TIMES - 0.75, 0.0)), atol=1e-5)
    with pytest.raises(ProtocolError, match="delays"):
        simulate(compiled, TIMES, protocol=pulse_train(rate=1.0, count=1, target="x"))


@pytest.mark.parametrize(
    "event",
    [
        "at time > 0.4: x = 5",
        "at x < 0.8: x = x + z",
        "at 0.3 after x < 0.8, fromTrigger = false: x = x + z",
        "at 0.3 after x < 0.8: x = x + z",
        "at 0.3 after x < 0.8, persistent = false: x = 5; at time > 0.4: x = 2",
        "at x < 0.8, persistent = false: x = 2; at x < 0.8, persistent = false, priority = 2: x = 3",
        "at time > 0.4: z = 7, x = z",
    ],
)
@pytest.mark.parametrize(
    "what", ["x' = -x; x = 1", "compartment c; c' = 0.2; c = 1; species x in c = 1; J: x -> ; x"]
)
def test_what_an_event_sets_is_delayed_with_its_jumps(what, event):
    model = f"{what}; z = 2; z' = 0.5; y := delay(x, 0.75); {event}"
    times = np.linspace(0.8, 2.5, 35)
    np.testing.assert_allclose(course(model, times, "y"), course(model, times - 0.75, "x"), rtol=TOLERANCE)


def test_a_delay_that_feeds_back_is_refused_by_name():
    with pytest.raises(UnsupportedFeature, match=r"delay of x: .* depends on the delay itself"):
        equations_of("x' = -y; x = 1; y := delay(x, 1)")


def test_a_missing_stoichiometry_is_named():
    text = (
        species(A=1.0)
        + '<listOfReactions><reaction id="J" reversible="false"><listOfReactants>'
        + '<speciesReference species="A" constant="true"/></listOfReactants></reaction></listOfReactions>'
    )
    with pytest.raises(ModelError, match="reaction J: the stoichiometry of A is missing"):
        sbml(text)
