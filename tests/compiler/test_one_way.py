"""Fast reactions that run one way: their limit against closed forms, and against a large rate constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import compile_model
from cascades.errors import SolverFailure, UnsupportedFeature
from cascades.model import Model, Port
from cascades.protocols import spikes
from cascades.simulate import simulate
from tests.sbml.small_models import RTOL, assert_course, course, model_of

TIMES = np.linspace(0.0, 2.0, 21)
CELL = "compartment c = 2; species A in c, B in c; "
LARGE = 1e7  # of a rate constant; the distance from the limit is its inverse
NEAR_THE_LIMIT = 1e-5


def fast(antimony: str) -> Model:
    """The model with the reactions whose names begin with `quick` made fast."""
    model = model_of(antimony)
    made = tuple(replace(one, is_fast=one.id.startswith("quick")) for one in model.reactions)
    return replace(model, reactions=made)


def test_what_flows_into_the_sink_flows_on():
    """A is fed with 1 and at once made into two B, which decays with rate 1."""
    model = fast(CELL + "A = 3; B = 1; k = 5; quick: A -> 2 B; c * k * A; feed: -> A; c; J: B -> ; c * B")
    assert_course(model, TIMES, "A", np.zeros_like(TIMES))
    assert_course(model, TIMES, "B", 2.0 + 5.0 * np.exp(-TIMES))
    assert not build_equations(model).events


def test_a_rate_constant_of_the_wrong_sign_is_no_silent_answer():
    body = CELL + "A = 3; B = 1; quick: A -> B; k * A; k = {}"
    with pytest.raises(UnsupportedFeature, match="quick: it uses up nothing that would stop it"):
        build_equations(fast(body.format(-1)))
    compiled = compile_model(fast(body.format(1)))
    for wrong in (-1.0, 0.0):
        with pytest.raises(SolverFailure):
            simulate(compiled, TIMES, values={"k": wrong})


def test_an_event_switches_the_reaction_on_and_off():
    """Off, A grows with 1; on, A is empty and B grows with 1 instead."""
    model = fast(
        CELL + "A = 1; B = 0; k = 0; quick: A -> B; k * A; feed: -> A; c;"
        "at time >= 0.55: k = 4; at time >= 1.25: k = 0"
    )
    off_again = np.maximum(TIMES - 1.25, 0.0)
    assert_course(model, TIMES, "A", np.where(TIMES < 0.55, 1.0 + TIMES, off_again))
    assert_course(model, TIMES, "B", np.where(TIMES < 0.55, 0.0, 1.0 + TIMES - off_again))


def test_the_sign_of_the_law_decides_which_of_two_species_is_used_up():
    """A turns into B before time 1, and B into A after it."""
    law = "piecewise(k * A, k > 0, k * B)"
    model = fast(CELL + f"A = 3; B = 2; quick: A -> B; {law}; k := 1 - time")
    before = TIMES < 1.0
    elsewhere = np.abs(TIMES - 1.0) > 0.01  # at time 1 either may hold
    np.testing.assert_allclose(course(model, TIMES, "A")[elsewhere], np.where(before, 0.0, 5.0)[elsewhere])
    np.testing.assert_allclose(course(model, TIMES, "B")[elsewhere], np.where(before, 5.0, 0.0)[elsewhere])


def test_a_catalyst_that_is_missing_keeps_the_reaction_from_starting():
    model = fast(CELL + "A = 3; B = 0; quick: A -> B; A * B; at time > 0.95: B = 1")
    assert_course(model, TIMES, "A", np.where(TIMES < 0.95, 3.0, 0.0))
    assert_course(model, TIMES, "B", np.where(TIMES < 0.95, 0.0, 4.0))


def test_an_event_that_fills_the_sink_is_followed_by_the_reaction():
    """With a stoichiometry that the same event changes, in a compartment that has changed its size."""
    model = fast(
        CELL + "A = 1; B = 0; n = 2; quick: A -> n B; A; at time > 0.55: c = 1; at time > 1.05: A = 4, n = 3"
    )
    b = np.select([TIMES < 0.55, TIMES < 1.05], [2.0, 4.0], 4.0 + 3.0 * 4.0)
    assert_course(model, TIMES, "A", np.zeros_like(TIMES))
    assert_course(model, TIMES, "B", b)


def test_spikes_into_the_sink_pass_through_it():
    model = fast(CELL + "A = 0; B = 0; quick: A -> B; k * A; k = 1; J: B -> ; c * B")
    model = replace(model, ports=(Port("glu", "A", "spike", 2.0),))
    times = np.array([0.25, 0.75, 1.15])
    trajectory = simulate(compile_model(model), TIMES, protocol=spikes(times, target="glu"), rtol=RTOL)
    since = TIMES[:, None] - times
    wanted = 2.0 * np.where(since > 0.0, np.exp(-since), 0.0).sum(axis=1)
    np.testing.assert_allclose(trajectory["A"][0], 0.0, atol=1e-9)
    np.testing.assert_allclose(trajectory["B"][0], wanted, atol=1e-6)


def test_the_limit_is_that_of_a_large_rate_constant():
    body = (
        CELL + "A = 1; B = 0.5; quick: A -> 2 B; c * k * A * piecewise(1, time < 0.8, 0); "
        "feed: B -> A; c * (0.3 + B / (1 + B)); J: A -> ; c * A; k = {}"
    )
    slow = model_of(body.format(LARGE))
    for name in "AB":
        got, wanted = course(fast(body.format(1)), TIMES, name), course(slow, TIMES, name)
        got, wanted = got[1:], wanted[1:]  # at time 0 the fast reaction is over already
        np.testing.assert_allclose(got, wanted, atol=NEAR_THE_LIMIT)


def test_two_species_that_could_be_used_up_are_refused():
    model = fast(CELL + "species C in c; A = 1; B = 2; C = 0; quick: A + B -> C; A * B")
    with pytest.raises(UnsupportedFeature, match="fast reaction quick"):
        build_equations(model)
