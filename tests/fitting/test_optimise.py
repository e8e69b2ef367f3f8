"""Multistart: it finds the optimum, and a killed fit resumes to the same table."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("fides")

from cascades.errors import OutputExists, UnknownName
from cascades.fitting import fit, profile
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
