"""Files that want to harm: a clear error, in bounded time and memory, and nothing executed."""

from __future__ import annotations

import io
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cascades.compiler.compiled import compile_model
from cascades.errors import ModelError, SolverFailure, UnknownName
from cascades.library import load_model
from cascades.sbml import guard
from cascades.sbml.read import read_text
from cascades.simulate import simulate
from tests.sbml.small_models import math, model_of, sbml, sbml_text

SECONDS = 5.0
MEGABYTES = 300.0

ENTITY_BOMB = (
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE sbml [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghij", "bcdefghijk", strict=True))
    + "]><sbml>&k;</sbml>"
)
OUTSIDE = '<!DOCTYPE sbml [<!ENTITY x SYSTEM "file:///etc/passwd">]><sbml>&x;</sbml>'


def nested(depth: int) -> str:
    formula = "<apply><sin/>" * depth + "<cn>1</cn>" + "</apply>" * depth
    return sbml_text(
        '<listOfParameters><parameter id="p" constant="false"/></listOfParameters>'
        f'<listOfRules><assignmentRule variable="p">{math(formula)}</assignmentRule></listOfRules>'
    )


def archive() -> bytes:
    """20 MB of blanks in 20 kB."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.xml", " " * 20_000_000)
    return content.getvalue()


def functions_of_functions(count: int) -> str:
    """f0(x) = sin x; f1(x) = f0(f0(x)) and so on: 2 ** count sines."""
    body = "<lambda><bvar><ci>x</ci></bvar>{}</lambda>"
    texts = [body.format("<apply><sin/><ci>x</ci></apply>")]
    texts += [
        body.format(f"<apply><ci>f{i}</ci><apply><ci>f{i}</ci><ci>x</ci></apply></apply>")
        for i in range(count)
    ]
    definitions = "".join(
        f'<functionDefinition id="f{i}">{math(text)}</functionDefinition>' for i, text in enumerate(texts)
    )
    return sbml_text(f"<listOfFunctionDefinitions>{definitions}</listOfFunctionDefinitions>")


def one_sum(count: int) -> str:
    formula = math("<apply><plus/>" + "<cn>1</cn>" * count + "</apply>")
    return sbml_text(
        '<listOfParameters><parameter id="p" constant="false"/></listOfParameters>'
        f'<listOfRules><assignmentRule variable="p">{formula}</assignmentRule></listOfRules>'
    )


HOSTILE = {
    "entity bomb": (lambda: ENTITY_BOMB, "document type"),
    "a file from outside": (lambda: OUTSIDE, "document type"),
    "100000 nested apply": (lambda: nested(100_000), "nested more than"),
    "a sum of 200000": (lambda: one_sum(200_000), "more than 20000 parts"),
    "functions of functions": (lambda: functions_of_functions(60), "unfold to more than"),
    "entity bomb in UTF-16": (
        lambda: ENTITY_BOMB.replace("UTF-8", "UTF-16").encode("utf-16"),
        "document type",
    ),
    "an archive": (lambda: archive(), "is not XML"),
    "no XML": (lambda: "\x00\x01 not a model", "is not XML"),
    "nothing": (lambda: "", "is not XML"),
    "half a file": (lambda: sbml_text("")[:-20], "is not XML"),
    "other XML": (lambda: '<?xml version="1.0" encoding="UTF-8"?><html></html>', "problem"),
    "no model": (
        lambda: (
            '<?xml version="1.0" encoding="UTF-8"?><sbml level="3" version="2" '
            'xmlns="http://www.sbml.org/sbml/level3/version2/core"/>'
        ),
        "no model",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_quickly(name: str):
    make, expected = HOSTILE[name]
    text = make()
    begun, memory = time.process_time(), _peak_memory()
    with pytest.raises(ModelError, match=expected) as caught:
        read_text(text, "hostile")
    assert time.process_time() - begun < SECONDS
    assert all("\n" not in problem for problem in caught.value.problems)
    assert _peak_memory() - memory < MEGABYTES


def test_a_wide_but_honest_sum_is_read():
    assert read_text(one_sum(guard.MAX_ARGUMENTS - 2), "wide").rules


def test_deep_but_honest_formulas_are_read():
    model = read_text(nested(guard.MAX_DEPTH - 20), "deep")
    assert 0.0 < compile_model(model).observable("p", np.empty(0), np.empty(0)) < 0.1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "MAX_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", _must_not_happen)
    path = tmp_path / "large.xml"
    path.write_text(sbml_text(" " * 200))
    with pytest.raises(ModelError, match="at most 100 are read"):
        load_model(path)


def test_too_many_elements(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "MAX_ELEMENTS", 3)
    with pytest.raises(ModelError, match="more than 3 elements"):
        sbml("<notes/><notes/><notes/>")


def test_a_file_that_does_not_exist():
    with pytest.raises(UnknownName, match="no model file named"):
        load_model("nowhere/model.xml")


def test_a_division_by_zero_at_the_start_is_a_failure_with_a_reason():
    compiled = compile_model(model_of("x' = 1 / y; x = 1; y' = 1; y = 0"))
    with pytest.raises(SolverFailure, match=r"at t = 0 .*not finite"):
        simulate(compiled, [0.0, 1.0])


def test_nan_is_a_missing_value():
    text = '<listOfParameters><parameter id="k" value="NaN" constant="true"/></listOfParameters>'
    assert sbml(text).parameters[0].value is None


@pytest.mark.parametrize("multiplier", ["0", "-1", "INF", "NaN"])
def test_unit_nonsense_is_named(multiplier: str):
    unit = f'<unit kind="second" exponent="0.5" scale="0" multiplier="{multiplier}"/>'
    with pytest.raises(ModelError, match=r"unit odd: .* makes no sense"):
        sbml(
            f'<listOfUnitDefinitions><unitDefinition id="odd"><listOfUnits>{unit}</listOfUnits>'
            "</unitDefinition></listOfUnitDefinitions>"
        )


def _peak_memory() -> float:
    """[MB]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _must_not_happen(*_: object) -> Callable[[], None]:
    raise AssertionError
