"""Measures that compare experiments, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cascades.card import ModelCard
from cascades.claims import comparison, timecourse
from cascades.claims.subject import Subject
from cascades.compiler.compiled import compile_model
from cascades.sbml.antimony import to_sbml
from cascades.sbml.read import read_text

CLOSE = 1e-6  # of runs at a relative tolerance of 1e-8
CARD = ModelCard(name="test", title="", citation="", doi="", module="")


def subject_of(text: str) -> Subject:
    return Subject(compile_model(read_text(to_sbml(f"model test\n{text}\nend"), "test")), CARD)


@pytest.fixture
def decay() -> Subject:
    return subject_of("x = 2; k = 1; x' = -k * x")


def test_a_ratio_is_of_the_two_experiments(decay):
    found = comparison.ratio(decay, "x", time=1.0, values={"k": 2.0}, against={"values": {"k": 1.0}})
    assert found == pytest.approx(math.exp(-1.0), rel=CLOSE)


@pytest.mark.parametrize(("k", "expected"), [(2.0, -1.0), (0.5, 1.0), (1.01, 0.0)])
def test_a_direction_has_a_sign_beyond_its_margin(decay, k, expected):
    against = {"values": {"k": 1.0}}
    assert (
        comparison.direction(decay, "x", time=1.0, values={"k": k}, against=against, margin=0.05) == expected
    )


def test_a_cycle_has_period_and_range():
    circle = subject_of("x = 1; y = 0; w = 3; x' = -w * y; y' = w * x")
    period, low, high = comparison.cycle(circle, "x", duration=20.0)
    assert period == pytest.approx(2.0 * math.pi / 3.0, rel=CLOSE)
    assert [low, high] == pytest.approx([-1.0, 1.0], rel=1e-4)  # the grid misses the very peak


def test_what_does_not_cycle_has_no_period(decay):
    assert math.isnan(comparison.cycle(decay, "x", duration=5.0)[0])


def test_the_last_time_above_a_level(decay):
    found = comparison.last_above(decay, "x", level=0.5, duration=5.0, samples=20001)
    assert found == pytest.approx(math.log(4.0), rel=1e-5)


@pytest.mark.parametrize(("level", "expected"), [(3.0, math.nan), (0.001, math.inf)])
def test_a_level_never_or_always_passed(decay, level, expected):
    found = comparison.last_above(decay, "x", level=level, duration=5.0)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.fixture
def switch() -> Subject:
    """x' = x (1 - x) (x - 0.3), started at x0: the threshold is 0.3."""
    return subject_of("x0 = 0.5; x = x0; x' = x * (1 - x) * (x - 0.3)")


def test_the_threshold_of_a_switch(switch):
    found = comparison.threshold_value(
        switch, "x", parameter="x0", bounds=(0.0, 1.0), level=0.5, duration=400.0
    )
    assert found == pytest.approx(0.3, rel=1e-4)


def test_no_threshold_between_the_bounds(switch):
    found = comparison.threshold_value(
        switch, "x", parameter="x0", bounds=(0.4, 1.0), level=0.5, duration=400.0
    )
    assert math.isnan(found)


def test_the_rate_at_which_depression_turns_into_potentiation():
    """Each spike adds 1 to c, which decays with 1 / s, and w' = 0.01 (c - 5): of 200 spikes at 5 Hz about
    5 are still to come when the train ends, so that the balance lies at 5 * 200 / 195 Hz."""
    rule = subject_of("c = 0; w = 10; c' = -c; w' = 0.01 * (c - 5)")
    found = comparison.crossover_rate(rule, "w", rates=[3.0, 5.0, 5.2, 8.0], count=200, rest=0.0, target="c")
    assert found == pytest.approx(5.0 * 200.0 / 195.0, abs=0.02)


def test_no_crossover_is_not_a_number():
    rule = subject_of("c = 0; w = 10; c' = -c; w' = 0.01 * c")
    found = comparison.crossover_rate(rule, "w", rates=[1.0, 2.0], count=5, rest=0.0, target="c")
    assert np.isnan(found)


def test_a_crossover_moves_with_the_balance():
    """The balance lies at half the rate if c has to be half as large."""
    rule = subject_of("c = 0; w = 10; theta = 5; c' = -c; w' = 0.01 * (c - theta)")
    experiment = {"rates": [1.0, 2.5, 2.6, 5.0, 5.2, 8.0], "count": 200, "rest": 0.0, "target": "c"}
    found = comparison.crossover_shift(rule, "w", values={"theta": 2.5}, against={"values": {}}, **experiment)
    assert found == pytest.approx(2.5 * 200.0 / 197.5 - 5.0 * 200.0 / 195.0, abs=0.02)


def test_a_value_over_that_at_a_given_time():
    decay = subject_of("x = 8; x' = -x")
    (found,) = timecourse.at(decay, "x", time=3.0, relative=1.0, samples=4)
    assert found == pytest.approx(math.exp(-2.0), rel=1e-6)
    (whole,) = timecourse.at(decay, "x", time=1.0, relative=True)
    assert whole == pytest.approx(math.exp(-1.0), rel=1e-6)
