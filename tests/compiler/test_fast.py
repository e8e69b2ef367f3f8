"""Fast reactions that go both ways: several on the same species, and events that set their species."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascades.compiler.build_equations import build_equations
from cascades.errors import UnsupportedFeature
from cascades.model import Model
from tests.sbml.small_models import assert_course, course, model_of

TIMES = np.linspace(0.0, 2.0, 21)
CELL = "compartment c = 2; species A in c, B in c, C in c; A = 3; B = 0; C = 0; "
PAIR = CELL + "quick: A -> B; c * (A - 2 * B); "
LARGE = 1e6  # of rate constants; the distance from the limit is its inverse
NEAR_THE_LIMIT = 1e-5


def fast(antimony: str) -> Model:
    """The model with the reactions whose names begin with `quick` made fast."""
    model = model_of(antimony)
    made = tuple(replace(one, is_fast=one.id.startswith("quick")) for one in model.reactions)
    return replace(model, reactions=made)


def test_two_directions_may_be_two_reactions():
    model = fast(CELL + "quick1: A -> B; c * 3 * A; quick2: B -> A; c * B; J: B -> ; c * B")
    total = 3.0 * np.exp(-0.75 * TIMES)
    assert_course(model, TIMES, "A", 0.25 * total)
    assert_course(model, TIMES, "B", 0.75 * total)


def test_a_cycle_keeps_its_flux():
    """3 A = 2 B = 6 C, whose sum is 3."""
    model = fast(CELL + "quick1: A -> B; 3 * A; quick2: B -> C; 2 * B; quick3: C -> A; 6 * C")
    for name, share in (("A", 1.0 / 3.0), ("B", 0.5), ("C", 1.0 / 6.0)):
        assert_course(model, TIMES, name, np.full_like(TIMES, 3.0 * share))


@pytest.mark.parametrize(
    "event",
    [
        "at time > 0.55: A = 5",
        "at time > 0.55: A = A + 3",
        "at 0.25 after time > 0.3: A = 5",
        "at time > 0.55: B = 4",
        "at time > 0.55, fromTrigger = false: A = 2 * A; at time > 0.95, fromTrigger = false: B = B + A",
        "at time > 0.55: A = 5; at time > 0.95: B = 4",
        "at time > 0.55: k = 9",
    ],
)
@pytest.mark.parametrize(
    "law", ["quick: A -> B; {} * c * (k * A - 2 * B)", "quick: A + B -> C; {} * c * (k * A * B - C)"]
)
def test_an_event_shifts_the_equilibrium_as_a_large_rate_does(law, event):
    body = CELL.replace("B = 0", "B = 1") + f"J: B -> ; c * 0.5 * B; k = 1; {event}; {law}"
    for name in "ABC":  # at time 0 the large rate has yet to act
        got, wanted = (
            course(fast(body.format(1)), TIMES, name),
            course(model_of(body.format(LARGE)), TIMES, name),
        )
        np.testing.assert_allclose(got[1:], wanted[1:], atol=NEAR_THE_LIMIT)


def test_the_equilibrium_holds_between_events_of_the_same_time():
    """As an algebraic rule does: A = 2 B of 3, then 5 + 1 of which A has 4, then 4 + 4."""
    model = fast(PAIR + "at time > 1, priority = 2: A = 5; at time > 1, priority = 1: B = 4")
    assert_course(model, [0.5, 1.5], "A", [2.0, 16.0 / 3.0])


def test_what_other_events_may_come_before_is_refused():
    model = fast(PAIR + "at time > 1: A = A + B; at time > 1: B = 3")
    with pytest.raises(UnsupportedFeature, match="sets a species of a fast reaction by a formula"):
        build_equations(model)


def test_spikes_into_an_equilibrium_are_refused():
    from cascades.model import Port

    model = replace(fast(PAIR), ports=(Port("glu", "A", "spike"),))
    with pytest.raises(UnsupportedFeature, match="quick: spikes change A"):
        build_equations(model)
