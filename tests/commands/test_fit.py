"""`cascades fit` as a user calls it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("petab")
pytest.importorskip("fides")

from cascades.cli import app
from tests.fitting.test_petab import folder as folder  # a small problem of our own


def run(*words):
    return CliRunner().invoke(app, ["fit", *map(str, words)])


def test_a_fit_leaves_tables_and_a_page(folder, tmp_path):
    out = tmp_path / "out"
    arguments = (folder / "problem.yaml", "--starts", 2, "--workers", 1, "--profile", "k", "--out", out)
    result = run(*arguments, "--resume", tmp_path / "kept", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert 0.3 < found["values"]["k"] < 1.0
    written = {"fit.html", "starts.csv", "directions.csv", "profile_k.csv"}
    assert {path.name for path in out.iterdir()} == written
    page = (out / "fit.html").read_text()
    assert "Profile likelihood" in page
    assert "<script" not in page
    assert len(list((tmp_path / "kept").glob("start_*.json"))) == 2


def test_an_unknown_profile_suggests_the_nearest(folder):
    result = run(folder / "problem.yaml", "--starts", 1, "--workers", 1, "--profile", "sigm")
    assert result.exit_code == 1
    assert "did you mean sigma" in str(result.exception)
