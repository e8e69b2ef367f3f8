"""The page of a fit whose data are no time courses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("fides")

from cascades.fitting import fit, identifiability
from cascades.report.fit_page import fit_page
from cascades.report.html import render
from tests.fitting.switch import switch_problem
from tests.fitting.test_features import FEATURES


def test_features_are_listed_with_what_the_fit_makes_of_them():
    pytest.importorskip("matplotlib").use("agg")
    problem = switch_problem(FEATURES["fold"], FEATURES["flip"])
    result = fit(problem, starts=1, seed=0, guesses=[problem.nominal])
    page = fit_page(result, identifiability(problem, np.array(result.best.x)), [])
    text = render(page)
    assert "between 0 and inf" in text
    assert "data in 4 experiments" in text
    assert "No simulation failed" in text
