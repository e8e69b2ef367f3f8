"""Our objective inside pyPESTO."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.fitting.pypesto_adapter import to_pypesto
from tests.fitting.problems import TRUE, decay_problem

pypesto = pytest.importorskip("pypesto")
optimize = pytest.importorskip("pypesto.optimize")


def test_value_gradient_hessian_and_residuals_are_ours():
    problem = decay_problem()
    theirs = to_pypesto(problem)
    x = problem.nominal + 0.1
    value, gradient, hessian = theirs.objective(x, sensi_orders=(0, 1, 2))
    ours = problem.objective.local_model(x)
    assert value == pytest.approx(-ours[0])
    np.testing.assert_allclose(gradient, -ours[1])
    np.testing.assert_allclose(hessian, ours[2])
    residuals = theirs.objective(x, sensi_orders=(0,), mode=pypesto.C.MODE_RES)
    np.testing.assert_allclose(residuals, problem.objective.least_squares(x)[0])
    assert theirs.x_names == list(problem.names)


@pytest.mark.filterwarnings("ignore")
def test_pypesto_finds_the_optimum():
    problem = decay_problem()
    result = optimize.minimize(
        to_pypesto(problem),
        optimizer=optimize.ScipyOptimizer("L-BFGS-B"),
        n_starts=2,
        progress_bar=False,
    )
    best = problem.values(result.optimize_result[0]["x"])
    assert best["k"] == pytest.approx(TRUE["k"], rel=0.1)


def test_laplace_noise_has_no_residuals():
    theirs = to_pypesto(decay_problem(distribution="laplace"))
    assert not theirs.objective.has_res
