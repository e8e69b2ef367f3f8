"""Profiles whose verdict is known: a parameter the data fix, one on a plateau, one of a product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fides")

from cascades.expression import number, symbol
from cascades.fitting import fit, profile
from cascades.fitting.problem import FitParameter, Observable
from tests.fitting.problems import TRUE, decay_problem


def fitted(formula, *more):
    base = decay_problem()
    kept = tuple(p for p in base.parameters if p.id == "k")
    problem = replace(
        base,
        parameters=(*kept, *more),
        observables=(Observable("seen_A", formula, number(TRUE["sigma"])),),
    )
    return fit(problem, starts=2, seed=1, screened=10)


def test_one_of_a_product_is_structurally_not_identifiable():
    both = symbol("a") * symbol("b") * symbol("A")
    result = fitted(both, FitParameter("a", 1.5, 0.01, 100.0), FitParameter("b", 2.0, 0.01, 100.0))
    found = profile(result, "a", points=15)
    assert found.verdict == "structurally not identifiable"


def test_a_saturated_parameter_is_practically_not_identifiable():
    # seen = 3 A n / (n + 0.001): any large n fits as well, a small one does not
    formula = 3.0 * symbol("A") * symbol("n") / (symbol("n") + 1e-3)
    found = profile(fitted(formula, FitParameter("n", 1.0, 1e-4, 10.0)), "n", points=25)
    assert found.verdict == "practically not identifiable"
    assert np.isfinite(found.interval[0])
    assert np.isinf(found.interval[1])


def test_a_profile_that_a_bound_holds_up_says_so():
    both = symbol("a") * symbol("b") * symbol("A")
    result = fitted(both, FitParameter("a", 1.5, 0.01, 100.0), FitParameter("b", 2.0, 1.0, 4.0))
    found = profile(result, "a", points=40)
    assert found.limited_by == ("b",)


def test_the_interval_is_the_normal_one_where_the_likelihood_is():
    result = fitted(symbol("scale") * symbol("A"), FitParameter("scale", 1.0, 0.1, 10.0))
    found = profile(result, "scale")
    assert found.verdict == "identifiable"
    x = np.array(result.best.x)
    error = np.sqrt(np.linalg.inv(result.problem.objective.fisher_information(x))[1, 1])
    half = 0.5 * (found.interval[1] - found.interval[0])
    assert half == pytest.approx(1.96 * error, rel=0.05)


def test_a_profile_that_ends_early_is_undecided():
    result = fitted(symbol("scale") * symbol("A"), FitParameter("scale", 1.0, 0.1, 10.0))
    assert profile(result, "scale", points=1).verdict.startswith("undecided")
