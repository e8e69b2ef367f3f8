"""Null directions and error bars of problems whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascades.expression import symbol
from cascades.fitting.identifiability import identifiability
from cascades.fitting.problem import FitParameter
from tests.fitting.problems import decay_problem


def test_two_factors_of_one_scale_cannot_be_told_apart():
    problem = decay_problem()
    observable = replace(problem.observables[0], formula=symbol("scale") * symbol("gain") * symbol("A"))
    gain = FitParameter("gain", 1.0, 0.1, 10.0)
    redundant = replace(
        problem, observables=(observable,), parameters=(*problem.parameters, gain)
    )  # fmt: skip
    found = identifiability(redundant)
    assert found.rank == 3
    (direction,) = found.null_directions
    assert set(direction) == {"scale", "gain"}
    assert direction["scale"] == pytest.approx(-direction["gain"], rel=1e-4)
    errors = dict(zip(found.names, found.standard_errors, strict=True))
    assert np.isinf([errors["scale"], errors["gain"]]).all()
    assert np.isfinite(errors["k"])


def test_error_bars_are_those_of_the_fisher_information():
    problem = decay_problem()
    found = identifiability(problem)
    covariance = np.linalg.inv(problem.objective.fisher_information(problem.nominal))
    np.testing.assert_allclose(found.standard_errors, np.sqrt(np.diag(covariance)), rtol=1e-6)
    assert found.is_structurally_identifiable
