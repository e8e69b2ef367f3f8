"""Scales, offsets and noise that need no search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascades.expression import symbol
from cascades.fitting.hierarchical import Hierarchy
from cascades.fitting.problem import FitParameter
from tests.fitting.problems import decay_problem


def with_offset(problem):
    observable = replace(
        problem.observables[0], formula=symbol("scale") * symbol("A") + symbol("offset")
    )  # fmt: skip
    offset = FitParameter("offset", 0.1, -5.0, 5.0, "lin")
    return replace(problem, observables=(observable,), parameters=(*problem.parameters, offset))


def test_it_finds_what_is_linear_and_what_is_noise():
    hierarchy = Hierarchy(with_offset(decay_problem()).objective)
    assert set(hierarchy.noise) == {"sigma"}
    assert hierarchy.linear == ("scale", "offset")
    assert hierarchy.free.tolist() == [0]


def test_the_completed_point_is_the_optimum_over_the_dependent_parameters():
    problem = with_offset(decay_problem())
    hierarchy = Hierarchy(problem.objective)
    (x,) = hierarchy.complete(problem.nominal[None])
    gradient = problem.gradient(x)
    np.testing.assert_allclose(gradient[1:], 0.0, atol=1e-3 * np.abs(gradient[0]))
    assert problem.log_likelihood(x) > problem.log_likelihood(problem.nominal)


def test_the_reduced_gradient_is_that_of_the_reduced_objective():
    problem = with_offset(decay_problem())
    hierarchy = Hierarchy(problem.objective)
    x = problem.nominal + 0.05

    def reduced(k):
        point = x.copy()
        point[0] = k
        return problem.log_likelihood(hierarchy.complete(point[None])[0])

    _, value, slope, _ = hierarchy.local_model(x)
    assert value == pytest.approx(reduced(x[0]), rel=1e-9)
    difference = (reduced(x[0] + 1e-4) - reduced(x[0] - 1e-4)) / 2e-4
    assert slope[0] == pytest.approx(difference, rel=1e-4)


def test_a_parameter_with_another_role_stays():
    problem = decay_problem()
    observable = replace(problem.observables[0], noise=symbol("sigma") * symbol("A"))
    hierarchy = Hierarchy(replace(problem, observables=(observable,)).objective)
    assert not hierarchy.noise
    assert hierarchy.linear == ("scale",)
