"""Events: when they fire, what they set, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sbml.reference_integrator import reference_run
from tests.sbml.small_models import assert_course, course, equations_of

TIMES = np.array([0.5, 1.5, 2.5, 3.5])


def test_an_event_sets_a_parameter_once():
    assert_course("k = 1; at time >= 1: k = k + 1", TIMES, "k", [1.0, 2.0, 2.0, 2.0])


def test_a_delay_with_the_values_of_the_trigger_or_of_the_end():
    at_trigger = "x' = 1; x = 0; y = 0; at 1 after time >= 1: y = x"
    assert_course(at_trigger, TIMES, "y", [0.0, 0.0, 1.0, 1.0])
    at_end = at_trigger.replace("time >= 1:", "time >= 1, fromTrigger = false:")
    assert_course(at_end, TIMES, "y", [0.0, 0.0, 2.0, 2.0])


@pytest.mark.parametrize(("persistent", "expected"), [("true", 1.0), ("false", 0.0)])
def test_a_trigger_that_turns_false_before_the_delay_is_over(persistent: str, expected: float):
    model = f"y = 0; at 1 after (time > 1) && (time < 1.5), persistent = {persistent}: y = 1"
    assert course(model, [3.0], "y")[0] == expected


@pytest.mark.parametrize(("before", "expected"), [("true", 0.0), ("false", 1.0)])
def test_a_trigger_that_is_true_at_the_start(before: str, expected: float):
    assert course(f"y = 0; at time >= 0, t0 = {before}: y = 1", [0.0, 1.0], "y")[1] == expected


def test_the_higher_priority_goes_first():
    """The values are those of the moment of the assignment: (1 * 2) + 10."""
    model = (
        "y = 1; at time >= 1, priority = 1, fromTrigger = false: y = y + 10;"
        "at time >= 1, priority = 2, fromTrigger = false: y = y * 2"
    )
    assert course(model, [2.0], "y")[0] == 12.0


def test_an_event_may_cancel_another_at_the_same_time():
    model = (
        "y = 0; on = 1; at (time >= 1) && (on > 0), priority = 1, persistent = false: y = 1;"
        "at time >= 1, priority = 2: on = 0"
    )
    assert course(model, [2.0], "y")[0] == 0.0


def test_a_trigger_that_is_true_for_a_moment_is_not_missed():
    """As in the SBML semantic suite's case 01511; the grid of results does not hit it."""
    model = "x' = 1; x = 0; y = 0; at (x > 4.1) && (x < 4.125): y = 1"
    assert course(model, [0.0, 10.0], "y")[1] == 1.0


def test_a_time_that_a_trigger_names_by_equality_is_met():
    """A train of pulses whose beginnings and ends are equalities; no step and no result falls on them."""
    model = (
        "on = 0; n = 0; began = -1; x' = on; x = 0; "
        "at time == 0.3 + n / 7: on = 1, began = time, n = n + 1; at time == began + 0.08: on = 0"
    )
    times = np.array([0.0, 0.2, 1.0, 2.0])
    complete = [0, 0, 5, 12]  # of pulses that begin at 0.3 + k / 7; none is under way at these times
    np.testing.assert_allclose(course(model, times, "x"), np.multiply(0.08, complete), atol=1e-9)


def test_a_bouncing_quantity():
    """x falls with slope -1 and is put back to 1 at 0: a sawtooth of period 1."""
    model = "x' = -1; x = 1; n = 0; at x <= 0: x = 1, n = n + 1"
    times = np.array([0.5, 1.25, 2.75, 9.5])
    assert_course(model, times, "x", [0.5, 0.75, 0.25, 0.5])
    assert_course(model, times, "n", [0.0, 1.0, 2.0, 9.0])


def test_assignments_of_one_event_happen_at_once():
    model = "x = 1; y = 2; at time >= 1: x = y, y = x"
    assert [course(model, [2.0], name)[0] for name in ("x", "y")] == [2.0, 1.0]


def test_the_slow_reference_agrees():
    model = (
        "x' = y; y' = -x; x = 1; y = 0; n = 0; k = 0; at x < 0: n = n + 1; at 0.3 after x > 0.5: k = k + x;"
        "at time > 5: y = y + 1"
    )
    times = np.linspace(0.0, 20.0, 11)
    reference = reference_run(equations_of(model), times, ["x", "n", "k"])
    for column, name in enumerate(("x", "n", "k")):
        np.testing.assert_allclose(course(model, times, name), reference[:, column], atol=1e-5)
