"""Fits of rules to what a known rule says: the numbers come back, and what did not converge says so."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.reduction.answers import Answers
from cascades.reduction.batch import jumps_of, replay_cases
from cascades.reduction.families import training
from cascades.reduction.fit import Objective, fit_from, fit_near
from cascades.reduction.forms import Setting, filter_form, general_form, general_start, hill_form, step_form
from cascades.reduction.profile import profile_interval
from cascades.reduction.rule import CalciumTrace, WellTable

TRUE = np.array([-0.6, -0.35, -0.7, 0.6, 1.0, 0.6])  # theta_d, theta_p, gamma_d, gamma_p, tau, rho_star
REST = 60.0
SAME = 0.02  # of a decimal logarithm: steps of calcium are seen through 24 trains only


@pytest.fixture(scope="module")
def setting():
    well = WellTable((0.0, 0.5, 1.0), (0.0, 0.0, 0.0))
    return Setting(CalciumTrace(0.1, 0.4, 0.55, 0.05, 0.01), well, (10.0, 0.6), 0.6, 2.0)


@pytest.fixture(scope="module")
def objective(setting):
    cases = training(24, seed=4)
    jumps = jumps_of(cases, setting.trace)
    end, final = replay_cases(step_form(setting).build(TRUE), jumps, REST)
    return Objective(jumps, Answers(tuple(cases), end, final, 0.0), REST)


def test_the_loss_of_the_true_rule_is_zero(setting, objective):
    assert objective.of_rule(step_form(setting).build(TRUE)) < 1e-20


def test_rates_and_thresholds_come_back(setting, objective):
    start = TRUE + [0.05, -0.03, 0.1, -0.1, 0.1, 0.03]
    found = fit_from(step_form(setting), objective, [start], evaluations=1500, seed=0)
    assert found.loss < 1e-4
    assert_allclose(found.x[:2], TRUE[:2], atol=SAME)


def test_a_fit_that_ran_out_of_evaluations_says_so(setting, objective):
    start = TRUE + 0.2
    found = fit_near(step_form(setting), objective, start, evaluations=12)
    assert not found.converged
    again = fit_from(step_form(setting), objective, [start], evaluations=30, seed=0)
    assert not again.converged


def test_the_interval_holds_the_true_threshold(setting, objective):
    form = step_form(setting)
    found = fit_near(form, objective, TRUE + [0.0, 0.0, 0.02, 0.02, 0.0, 0.0], evaluations=150)
    low, high = profile_interval(found, "theta_p", objective)
    assert low <= found.x[1] <= high
    assert low - SAME <= TRUE[1] <= high + SAME


def test_each_form_contains_the_one_before(setting):
    """General rates that begin at a Hill rule have its rates at their nodes."""
    hill = hill_form(setting)
    x = np.append(TRUE, [0.6, 0.8])
    smooth = hill.build(x)
    general = general_form(setting)
    rule = general.build(general_start(setting, smooth, x))
    nodes = setting.trace.rest + 10.0 ** np.linspace(*setting.bounds(), 6)[1:-1]
    for mine, theirs in zip(rule.rates_at(nodes), smooth.rates_at(nodes), strict=True):
        assert_allclose(mine, theirs, rtol=0.2, atol=1e-4)
    assert len(filter_form(setting).numbers) > len(general.numbers)
