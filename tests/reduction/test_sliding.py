"""The rule along slow variables."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.errors import RuleError, UnknownName
from cascades.reduction import derive_rule
from cascades.reduction.figures import sliding_figure


@pytest.fixture(scope="module")
def camkii():
    return cascades.compile_model(cascades.load_model("camkii_graupner_2007"))


@pytest.mark.slow
def test_thresholds_slide_and_the_folds_with_them(camkii):
    sliding = derive_rule(camkii, calcium="Ca", weight="S", along={"PP10": [0.18, 0.22]})
    axis = sliding.axes[0]
    assert axis.values == (0.18, 0.2, 0.22)
    # more phosphatase: UP is lost at lower calcium, DOWN is left at higher calcium
    losing = [folds[1] for folds in axis.folds]
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
    assert len(sliding.checks) == 2
    assert "not sliding" in str(sliding)
    assert len(sliding_figure(sliding).axes) == 2
    with pytest.raises(UnknownName, match="PP1_total"):
        sliding.at(PP1_total=0.2)


def test_a_slow_variable_must_be_a_parameter(camkii):
    with pytest.raises(UnknownName, match="PP10"):
        derive_rule(camkii, calcium="Ca", weight="S", along={"PP100": [1.0, 2.0]})


def test_one_value_is_not_a_direction(camkii):
    with pytest.raises(RuleError, match="two values"):
        derive_rule(camkii, calcium="Ca", weight="S", along={"PP10": [0.2]})
