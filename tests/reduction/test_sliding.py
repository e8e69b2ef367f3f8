"""The rule along slow variables."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.errors import RuleError, UnknownName
from cascades.reduction import derive_rule
from cascades.reduction.figures import sliding_figure

HELPS = 0.05  # in held-out R2 and outcome accuracy


@pytest.fixture(scope="module")
def camkii():
    return cascades.compile_model(cascades.load_model("camkii_graupner_2007"))


@pytest.mark.slow
def test_thresholds_slide_and_the_folds_with_them(camkii):
    sliding = derive_rule(camkii, calcium="Ca", weight="S", along={"PP10": [0.16, 0.22]}, budget="quick")
    axis = sliding.axes[0]
    assert axis.values == (0.16, 0.2, 0.22)
    # more phosphatase: UP is lost at lower calcium, DOWN is left at higher calcium
    losing = [folds[1] for folds in axis.folds[1:]]
    leaving = [folds[-1] for folds in axis.folds]
    assert losing == sorted(losing, reverse=True)
    assert leaving == sorted(leaving)
    for value, rule in zip(axis.values, axis.rules, strict=True):
        there = sliding.at(PP10=value)
        assert_allclose([there.theta_d, there.theta_p], [rule.theta_d, rule.theta_p], rtol=1e-9)
        assert (there.tau, there.well, there.calcium) == (
            sliding.rule.tau,
            sliding.rule.well,
            sliding.rule.calcium,
        )
    assert sliding.at().theta_d == pytest.approx(sliding.rule.theta_d, rel=1e-12)
    assert len(sliding.checks) == 5
    assert [check.is_between for check in sliding.checks] == [False, True, False, True, False]
    assert len(sliding.moved_checks) == 4
    assert "not sliding" in str(sliding)
    graded = sliding.graded_at()
    assert_allclose(graded.rates_at(0.5), sliding.graded.rates_at(0.5), rtol=1e-9)
    # with a fifth less phosphatase the rule that does not slide is off
    away = sliding.checks[0]
    assert away.sliding.r2 > away.fixed.r2 + HELPS
    assert away.sliding.outcome_accuracy > away.fixed.outcome_accuracy + HELPS
    assert away.step_sliding.outcome_accuracy > away.step_fixed.outcome_accuracy + HELPS
    assert len(sliding_figure(sliding).axes) == 2
    with pytest.raises(UnknownName, match="PP1_total"):
        sliding.at(PP1_total=0.2)


def test_a_slow_variable_must_be_a_parameter(camkii):
    with pytest.raises(UnknownName, match="PP10"):
        derive_rule(camkii, calcium="Ca", weight="S", along={"PP100": [1.0, 2.0]})


def test_one_value_is_not_a_direction(camkii):
    with pytest.raises(RuleError, match="two values"):
        derive_rule(camkii, calcium="Ca", weight="S", along={"PP10": [0.2]})
