"""Posterior samples against the normal approximation, and densities that know their scale."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("emcee")
pytest.importorskip("arviz")

from cascades.fitting import identifiability, sample_posterior
from cascades.fitting.posterior import log_densities
from cascades.fitting.problem import Prior
from tests.fitting.problems import TRUE, decay_problem

DRAWS = 250
SAMPLING = 0.35  # relative error of a standard deviation from some 30 independent draws


@pytest.fixture(scope="module")
def problem():
    """With the noise known, so that the posterior is close to normal."""
    whole = decay_problem()
    known = [replace(p, is_estimated=p.id != "sigma", nominal=TRUE[p.id]) for p in whole.parameters]
    return replace(whole, parameters=tuple(known))


@pytest.fixture(scope="module")
def drawn(problem):
    return sample_posterior(problem, draws=DRAWS, seed=4)


def test_the_posterior_is_that_of_the_information(problem, drawn):
    errors = dict(zip(problem.names, identifiability(problem).standard_errors, strict=True))
    for name in problem.names:
        logs = np.log10(drawn.posterior[name].values)
        assert logs.std() == pytest.approx(errors[name], rel=SAMPLING)
        assert abs(logs.mean() - math.log10(TRUE[name])) < 4.0 * errors[name]
    assert 0.2 < drawn.attrs["acceptance"] < 0.9
    assert drawn.attrs["autocorrelation_time"] > 1.0


def test_the_same_seed_draws_the_same(problem):
    first, second = (sample_posterior(problem, draws=20, tune=0, seed=1) for _ in range(2))
    for name in problem.names:
        np.testing.assert_array_equal(first.posterior[name], second.posterior[name])


def test_a_point_outside_of_the_bounds_has_no_density(problem):
    lower, _ = problem.bounds
    found = log_densities(problem, np.array([problem.nominal, lower - 1.0]))
    assert np.isfinite(found[0])
    assert found[1] == -math.inf


def test_a_prior_of_the_natural_value_is_one_of_the_logarithm(problem):
    """The same density written on either scale gives the same posterior up to a constant."""
    natural = Prior("logNormal", (math.log(0.7), 0.3))
    scaled = Prior("normal", (math.log10(0.7), 0.3 / math.log(10.0)), is_scaled=True)
    points = problem.nominal + np.array([[0.0, 0.0], [0.05, 0.0], [-0.2, 0.1]])
    found = []
    for prior in (natural, scaled):
        parameters = (replace(problem.parameters[0], prior=prior), *problem.parameters[1:])
        found.append(log_densities(replace(problem, parameters=parameters), points))
    difference = found[0] - found[1]
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)
