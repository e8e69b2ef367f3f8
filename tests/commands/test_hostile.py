"""What a user sees of a file that is broken or wants to harm: one message, and exit code 1."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest

from tests.sbml.small_models import math, sbml_text
from tests.sbml.test_hostile import HOSTILE

MOST_LETTERS = 2_000  # of a message that somebody reads


def growth(k: str, formula: str = "<apply><times/><ci>k</ci><ci>x</ci></apply>") -> str:
    """x' = formula of k and x, x = 1."""
    return sbml_text(
        f'<listOfParameters><parameter id="k" {k} constant="true"/>'
        '<parameter id="x" value="1" constant="false"/></listOfParameters>'
        f'<listOfRules><rateRule variable="x">{math(formula)}</rateRule></listOfRules>'
    )


RATIO = "<apply><divide/><ci>x</ci><ci>k</ci></apply>"
NUMBERS = {
    "a value that is not a number": (growth('value="NaN"'), "k: has no value"),
    "a missing value": (growth(""), "k: has no value"),
    "an infinite value": (growth('value="INF"'), "not finite"),
    "a division by zero": (growth('value="0"', RATIO), "at t = 0 .*not finite"),
}
SLOW = ("100000 nested apply", "a sum of 200000", "functions of functions")
FILES = NUMBERS | {name: (make(), expected) for name, (make, expected) in HOSTILE.items() if name not in SLOW}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_one_message(cascades, tmp_path, name):
    content, expected = FILES[name]
    path = tmp_path / "hostile.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = cascades("simulate", path, "--until", 1, "--points", 3)
    assert result.code == 1
    assert result.out == ""
    assert result.err.startswith("cascades: ")
    assert re.search(expected, result.err)
    assert "Traceback" not in result.err
    assert len(result.err) < MOST_LETTERS


def test_an_archive_and_an_unknown_suffix_are_told_apart_from_unknown_models(cascades, tmp_path):
    path = tmp_path / "model.omex"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.xml", sbml_text(""))
    assert "unpacked first" in cascades("simulate", path).err


def test_a_name_of_a_million_letters_is_read(cascades, tmp_path):
    path = tmp_path / "long.xml"
    parameter = f'<parameter id="{"a" * 1_000_000}" value="1" constant="true"/>'
    path.write_text(sbml_text(f"<listOfParameters>{parameter}</listOfParameters>"))
    assert cascades("simulate", path, "--until", 1).code == 0


def test_a_run_that_fails_half_way_keeps_what_was_reached(cascades, tmp_path):
    """x' = x^2 from 1 is infinite at t = 1."""
    path, out = tmp_path / "blow.xml", tmp_path / "out"
    path.write_text(growth('value="1"', "<apply><times/><ci>x</ci><ci>x</ci></apply>"))
    result = cascades("simulate", path, "--until", 2, "--points", 9, "--out", out)
    assert result.code == 1
    assert result.out == ""
    assert "member 0 stopped at t = 1" in result.err
    assert f"what was reached is in {out}" in result.err
    assert (out / "trajectory.png").stat().st_size > 1_000
    lines = (out / "trajectory.csv").read_text().splitlines()
    column = lines[0].split(",").index("x")
    found = np.array([float(line.split(",")[column] or "nan") for line in lines[1:]])
    np.testing.assert_allclose(found[:4], 1.0 / (1.0 - np.linspace(0.0, 0.75, 4)), rtol=1e-5)
    assert np.isnan(found[5:]).all()
