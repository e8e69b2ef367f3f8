"""Steady states against closed forms, and what is said where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.compiler.compiled import CompiledModel
from cascades.errors import NoEquilibrium, UnknownName
from cascades.expression import ONE, ZERO, symbol
from cascades.steady import steady_state
from tests.problems import PROBLEMS, equations
from tests.sbml.small_models import equations_of

ROUNDING = 1e-10


def test_binding_against_its_quadratic():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    for a_total in (1.0, 0.3):
        found = steady_state(compiled, values={"A_total": a_total})
        b = a_total + 2.0 + 0.5 / 3.0
        assert_allclose(found["AB"], (b - np.sqrt(b * b - 8.0 * a_total)) / 2, rtol=ROUNDING)
        assert_allclose(found["A"] + found["AB"], a_total, rtol=1e-12)
        assert found.is_stable
        assert len(found.eigenvalues) == 1  # two totals are gone


def test_a_guess_chooses_between_two_states():
    """x' = x (1 - x) (x - k): the states 0 and 1 are stable, k is not."""
    x, k = symbol("x"), symbol("k")
    compiled = CompiledModel(equations("bistable", {"x": x * (1 - x) * (x - k)}, {"x": 0.35}, {"k": 0.4}))
    assert abs(steady_state(compiled)["x"]) < ROUNDING
    assert_allclose(steady_state(compiled, guess={"x": 1.2})["x"], 1.0, rtol=ROUNDING)
    middle = steady_state(compiled, guess={"x": 0.41})
    assert_allclose(middle["x"], 0.4, rtol=ROUNDING)
    assert not middle.is_stable


def test_states_that_only_events_change_stay():
    x, n = symbol("x"), symbol("n")
    compiled = CompiledModel(equations("held", {"x": n - x, "n": ZERO}, {"x": 0.0, "n": 3.0}, {}))
    assert_allclose(steady_state(compiled)["x"], 3.0, rtol=ROUNDING)


def test_events_change_what_reactions_conserve():
    """Five more of A after a while, and a counter that only the event moves."""
    found = steady_state(
        CompiledModel(
            equations_of(
                "A = 1; B = 0; n = 0; forth: A -> B; 2 * A; back: B -> A; B;at time > 1: A = A + 5, n = n + 1"
            )
        )
    )
    assert_allclose([found["A"], found["B"], found["n"]], [2.0, 4.0, 1.0], rtol=1e-6)


def test_no_steady_state_is_said_with_the_state_that_moves():
    compiled = CompiledModel(equations("growth", {"x": ONE}, {"x": 0.0}, {}))
    with pytest.raises(NoEquilibrium, match="x is only made, or only removed") as caught:
        steady_state(compiled)
    assert set(caught.value.state) == {"x"}


def test_what_is_conserved_at_some_parameter_values_only():
    """A <-> B, and a removal of A that can be switched off: then, and only then, A + B is conserved."""
    a, b, loss, k = map(symbol, ("a", "b", "loss", "k"))
    rates = {"a": b - 3 * a - loss * a, "b": 3 * a - b, "c": k * (a - symbol("c")), "idle": loss * a}
    start = {"a": 1.0, "b": 1.0, "c": 0.0, "idle": 0.7}
    compiled = CompiledModel(equations("leak", rates, start, {"loss": 0.0, "k": 1e-4}))
    found = steady_state(compiled)
    assert_allclose([found[n] for n in ("a", "b", "c", "idle")], [0.5, 1.5, 0.5, 0.7], rtol=ROUNDING)
    assert_allclose(np.sort(found.eigenvalues.real), [-4.0, -1e-4], rtol=1e-9)  # without what is conserved
    assert found.is_stable
    leaking = steady_state(
        CompiledModel(
            equations(
                "leak", {n: rates[n] for n in "abc"}, {n: start[n] for n in "abc"}, {"loss": 0.5, "k": 1e-4}
            )
        )
    )
    assert max(abs(leaking[n]) for n in "abc") < 1e-9


def test_unknown_names():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    with pytest.raises(UnknownName):
        steady_state(compiled, values={"nope": 1.0})
