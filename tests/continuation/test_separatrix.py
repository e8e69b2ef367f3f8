"""Doses that flip the tristable switch of Pi & Lisman (2008): none, LTD, none, LTP, none."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

from cascades import compile_model, load_model
from cascades.continuation import equilibria, outcomes, separatrix, thresholds
from cascades.protocols import setting


@pytest.fixture(scope="module")
def switch():
    return compile_model(load_model("switch_pi_2008"))


@pytest.fixture(scope="module")
def states(switch):
    return equilibria(switch)


def step(calcium: float):
    """Two time units of raised calcium, as in Linden et al. (2022)."""
    return setting("Ca", calcium, start=0.0, stop=2.0)


def test_published_protocols(switch, states):
    depressed, _, basal, _, potentiated = range(5)
    reached = outcomes(switch, [step(0.1), step(2.2), step(4.0)], initial=states[basal])
    assert list(reached) == [basal, depressed, potentiated]


def test_windows_of_depression_and_potentiation(switch, states):
    found = thresholds(switch, step, (0.1, 7.0), initial=states[2], scan=12, tolerance=1e-4)
    assert [(t.before, t.after) for t in found] == [(2, 0), (0, 2), (2, 4), (4, 2)]
    assert found[0].value < 2.2 < found[1].value < found[2].value < 4.0 < found[3].value
    for t in found:
        assert t.high - t.low <= 1e-4 * 6.9


def test_plane_through_the_saddle(switch, states):
    plane = separatrix(switch, states[1])
    assert_allclose(plane.growth_rate, 0.834, rtol=2e-3)
    assert plane.side(states[0].state) * plane.side(states[2].state) < 0.0
    with pytest.raises(ValueError, match="one growing direction"):
        separatrix(switch, states[0])
