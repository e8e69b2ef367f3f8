"""Sobol indices of a model whose indices are known, and Morris screening."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("SALib")

from cascades.expression import number, symbol
from cascades.fitting import morris_screening, sobol_indices
from cascades.fitting.problem import FitParameter, Measurement, Observable
from tests.fitting.problems import decay_problem

SAMPLES = 256
SAMPLING = 0.06  # of an index


def linear_problem():
    """seen = a + 2 b + 0 c at time zero, each uniform on [0, 1]: indices 0.2, 0.8 and 0."""
    base = decay_problem()
    names = {"a": 0.5, "b": 0.5, "c": 0.5}
    formula = symbol("a") + 2.0 * symbol("b") + 0.0 * symbol("A")
    return replace(
        base,
        parameters=tuple(FitParameter(n, v, 0.0, 1.0, "lin") for n, v in names.items()),
        observables=(Observable("seen", formula, number(1.0)),),
        measurements=(Measurement("seen", "one", 0.0, 1.0),),
    )


def test_sobol_indices_of_a_sum():
    found = sobol_indices(linear_problem(), samples=SAMPLES, seed=1)
    seen = found.outputs.index("seen")
    np.testing.assert_allclose(found.main[seen], [0.2, 0.8, 0.0], atol=SAMPLING)
    np.testing.assert_allclose(found.total[seen], [0.2, 0.8, 0.0], atol=SAMPLING)
    assert found.n_points == SAMPLES * 5
    assert found.n_dropped == 0


def test_morris_effects_of_a_sum():
    found = morris_screening(linear_problem(), trajectories=8, seed=1)
    seen = found.outputs.index("seen")
    np.testing.assert_allclose(found.main[seen], [1.0, 2.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(found.total[seen], 0.0, atol=1e-9)
    table = found.to_dataframe()
    assert set(table["parameter"]) == {"a", "b", "c"}


def test_a_kinetic_problem_and_its_picture():
    pytest.importorskip("matplotlib").use("agg")
    found = morris_screening(decay_problem(), trajectories=4, seed=0)
    effects = dict(zip(found.names, found.main[found.outputs.index("seen_A")], strict=True))
    assert effects["sigma"] == 0.0
    assert effects["k"] > 0.0
    assert found.plot("seen_A").get_ylabel() == "morris index of seen_A"


def test_bounds_must_be_finite():
    problem = linear_problem()
    endless = replace(
        problem, parameters=(FitParameter("a", 0.5, 0.0, np.inf, "lin"), *problem.parameters[1:])
    )
    with pytest.raises(ValueError, match="finite bounds; give them to a"):
        sobol_indices(endless, samples=4, seed=0)
