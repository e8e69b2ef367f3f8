"""Multistart: it finds the optimum, and a killed fit resumes to the same table."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("fides")

from cascades.errors import OutputExists, UnknownName
from cascades.expression import symbol
from cascades.fitting import FitError, fit, profile
from cascades.fitting.optimise import Search, starting_point
from cascades.fitting.problem import Experiment, Period
from tests.fitting.problems import TRUE, decay_problem

STARTS = 6


@pytest.fixture(scope="module")
def result():
    return fit(decay_problem(), starts=STARTS, seed=3)


def test_every_start_finds_the_optimum(result):
    heights = np.array([start.objective for start in result.starts])
    assert np.ptp(heights) < 1e-6
    assert result.values["k"] == pytest.approx(TRUE["k"], rel=0.1)
    assert result.values["scale"] == pytest.approx(TRUE["scale"], rel=0.1)
    _, slope, information = result.problem.objective.local_model(np.array(result.best.x))
    assert 0.5 * slope @ np.linalg.solve(information, slope) < 1e-6  # what a Newton step would gain


def test_a_resumed_fit_gives_the_same_table(result, tmp_path):
    whole = fit(decay_problem(), starts=STARTS, seed=3, folder=tmp_path)
    assert whole.to_dataframe().equals(result.to_dataframe())
    finished = sorted(tmp_path.glob("start_*.json"))
    for path in finished[::2]:
        path.unlink()  # as if the process had been killed before these
    (tmp_path / ".leftover.json").write_text("{")  # and in the middle of writing this one
    resumed = fit(decay_problem(), starts=STARTS, seed=3, folder=tmp_path)
    assert resumed.to_dataframe().equals(whole.to_dataframe())


def test_a_folder_belongs_to_one_fit(tmp_path):
    fit(decay_problem(), starts=1, seed=3, folder=tmp_path)
    with pytest.raises(OutputExists):
        fit(decay_problem(), starts=1, seed=4, folder=tmp_path)
    assert json.loads((tmp_path / "fit.json").read_text())["seed"] == 3


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownName, match="least squares"):
        fit(decay_problem(), starts=1, seed=0, method="least square")


def test_the_profile_brackets_the_truth(result):
    found = profile(result, "k")
    assert found.verdict == "identifiable"
    low, high = (10.0**edge for edge in found.interval)
    assert low < TRUE["k"] < high
    assert high / low < 1.2


def test_failures_on_the_way_are_in_the_table():
    problem = decay_problem()
    broken = Experiment("one", (Period(0.0, {"A": symbol("scale") / 0.0}),))
    failing = replace(problem, experiments=(broken, problem.experiments[1]))
    table = fit(failing, starts=1, seed=0, screened=1).to_dataframe()
    assert table["failed simulations"][0] > 0
    assert table["a failure"][0].startswith(
        "one at time 0: an initial value or a parameter is not finite (k = "
    )


def test_the_first_starts_search_from_the_guesses(tmp_path):
    problem = decay_problem()
    guess = problem.nominal + 0.01
    found = fit(problem, starts=2, seed=0, screened=1, guesses=[guess], folder=tmp_path)
    by_start = {start.start: start for start in found.starts}
    search = Search("trust region", 0, 1, (tuple(guess),))
    np.testing.assert_array_equal(starting_point(problem, 0, search), guess)
    assert by_start[0].objective == pytest.approx(by_start[1].objective, abs=1e-6)


def test_more_starts_are_added_to_a_folder(tmp_path):
    problem = decay_problem()
    fit(problem, starts=2, seed=3, folder=tmp_path)
    more = fit(problem, starts=3, seed=3, folder=tmp_path)
    assert more.to_dataframe().equals(fit(problem, starts=3, seed=3).to_dataframe())


def test_least_squares_are_refused_where_squares_do_not_add_up():
    with pytest.raises(FitError, match="use trust region"):
        fit(decay_problem(distribution="laplace"), starts=1, seed=0, method="least squares")
