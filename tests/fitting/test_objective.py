"""The objective against closed forms and central differences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cascades.expression import symbol
from cascades.fitting import FitError
from cascades.fitting.problem import PREEQUILIBRATION, Experiment, Measurement, Period
from tests.fitting.problems import TIMES, TRUE, decay_problem

EXACT = 1e-7  # of a likelihood, integrations at 1e-8
GRADIENT = 1e-5  # relative, against central differences of the closed form


def closed_form(problem, x):
    """The log-likelihood without any integration."""
    values = problem.values(x)
    total = 0.0
    for m in problem.measurements:
        start = 1.0 if m.experiment == "one" else 2.0
        mean = values["scale"] * start * math.exp(-values["k"] * m.time)
        z = (m.value - mean) / values["sigma"]
        total += -0.5 * z**2 - math.log(values["sigma"]) - 0.5 * math.log(2 * math.pi)
    return total


def differences(function, x, step=1e-5):
    slopes = []
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes.append((function(up) - function(down)) / (2 * step))
    return np.array(slopes)


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_likelihood_and_gradient_match_the_closed_form(shift):
    problem = decay_problem()
    x = problem.nominal + shift
    assert problem.log_likelihood(x) == pytest.approx(closed_form(problem, x), rel=EXACT)
    expected = differences(lambda v: closed_form(problem, v), x)
    np.testing.assert_allclose(problem.gradient(x), expected, rtol=GRADIENT)


def test_squared_residuals_are_the_likelihood():
    problem = decay_problem()
    points = [problem.nominal, problem.nominal + 0.1]
    heights = [(problem.objective.least_squares(x)[0] ** 2).sum() for x in points]
    likelihoods = [problem.log_likelihood(x) for x in points]
    assert heights[1] - heights[0] == pytest.approx(-2 * (likelihoods[1] - likelihoods[0]), rel=1e-6)


def test_fisher_information_is_the_curvature_at_perfect_data():
    problem = decay_problem(noise_seed=None)
    truth = [p.to_scale(TRUE[p.id]) for p in problem.estimated]
    x = np.array(truth)
    information = problem.objective.fisher_information(x)
    curvature = -np.array(differences(problem.gradient, x, 1e-4))
    means = slice(0, 2)  # sigma's curvature is random even at perfect data
    np.testing.assert_allclose(information[means, means], curvature[means, means], rtol=1e-3)


def test_laplace_noise():
    problem = decay_problem(distribution="laplace")
    x = problem.nominal
    values = problem.values(x)
    expected = 0.0
    for m in problem.measurements:
        start = 1.0 if m.experiment == "one" else 2.0
        mean = values["scale"] * start * math.exp(-values["k"] * m.time)
        expected += -abs(m.value - mean) / values["sigma"] - math.log(2 * values["sigma"])
    assert problem.log_likelihood(x) == pytest.approx(expected, rel=EXACT)
    assert not problem.objective.is_least_squares


def test_preequilibration_and_steady_states_carry_their_derivatives():
    # k is doubled after the steady state of A + B = scale is reached: nothing is left of A
    before = Period(PREEQUILIBRATION, {"A": symbol("scale")})
    after = Period(0.0, {"A": symbol("B") + symbol("A")})
    problem = replace(
        decay_problem(),
        experiments=(Experiment("one", (before, after)),),
        measurements=tuple(Measurement("seen_A", "one", t, 1.0) for t in TIMES),
    )
    x = problem.nominal + np.array([0.1, 0.2, 0.0])

    def expected(v):
        values = problem.values(v)
        total = 0.0
        for t in TIMES:
            z = (1.0 - values["scale"] ** 2 * math.exp(-values["k"] * t)) / values["sigma"]
            total += -0.5 * z**2 - math.log(values["sigma"]) - 0.5 * math.log(2 * math.pi)
        return total

    assert problem.log_likelihood(x) == pytest.approx(expected(x), rel=1e-6)
    np.testing.assert_allclose(problem.gradient(x), differences(expected, x), rtol=GRADIENT)


def test_a_failed_integration_is_a_penalty_and_is_reported():
    explosive = replace(
        decay_problem(),
        experiments=(Experiment("one", (Period(0.0, {"A": symbol("scale") / 0.0}),)),),
    )
    problem = replace(explosive, measurements=explosive.measurements[: len(TIMES)])
    height = problem.log_likelihood(problem.nominal)
    assert math.isfinite(height)
    assert height < -1e5
    assert np.isfinite(problem.gradient(problem.nominal + 0.1)).all()


def test_unknown_quantities_are_all_named():
    problem = decay_problem()
    observable = replace(problem.observables[0], formula=symbol("scal") * symbol("AA"))
    with pytest.raises(FitError, match=r"(?s)'AA'.*'scal'"):
        replace(problem, observables=(observable,)).log_likelihood(problem.nominal)
