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


def test_threshold_of_a_duration(switch, states):
    """How long calcium must stay at 4 uM; a little shorter and a little longer end differently."""

    def pulse(duration: float):
        return setting("Ca", 4.0, start=0.0, stop=duration)

    found = thresholds(switch, pulse, (0.005, 0.2), initial=states[2], scan=8, tolerance=1e-4)
    (last,) = [t for t in found if t.after == 4]
    reached = outcomes(switch, [pulse(0.999 * last.low), pulse(1.001 * last.high)], initial=states[2])
    assert list(reached) == [last.before, 4]


def test_threshold_of_a_count(switch, states):
    """How many pulses of 0.005 at 4 uM; doses between two whole numbers are the lower one."""

    def pulses(count: float):
        return setting("Ca", 4.0, start=0.0, stop=0.005).repeat(int(count), every=0.02)

    found = thresholds(switch, pulses, (1.0, 12.0), initial=states[2], scan=12, tolerance=1e-3)
    last = found[-1]
    assert last.after == 4
    assert abs(last.value - round(last.value)) < 2e-3 * 11.0
    needed = round(last.value)
    reached = outcomes(switch, [pulses(needed - 1), pulses(needed)], initial=states[2])
    assert list(reached) == [last.before, 4]


def test_plane_through_the_saddle(switch, states):
    plane = separatrix(switch, states[1])
    assert_allclose(plane.growth_rate, 0.834, rtol=2e-3)
    assert plane.side(states[0].state) * plane.side(states[2].state) < 0.0
    with pytest.raises(ValueError, match="one growing direction"):
        separatrix(switch, states[0])
