"""The shipped models' files are in step, and found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascades import library
from cascades.errors import ModelError, UnknownName
from cascades.library import annotated, generated, load_model, model_names, ports, regenerate
from tests.sbml.small_models import model_of

ANTIMONY = "model m()\n  unit time_unit = second; x' = -k * x; x = 1; k = 2\nend\n"
TABLE = """
title = "Decay"
annotations = ["taxonomy:10116"]
[ports.x]
kind = "output"
[parameters.k]
sbo = "SBO:0000356"
source = "Table 1"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "decay_test_2000"
    made.mkdir()
    (made / "model.ant").write_text(ANTIMONY)
    (made / "model.toml").write_text(TABLE)
    return made


@pytest.mark.parametrize("name", model_names())
def test_the_sbml_of_a_model_is_in_step_with_its_antimony(name: str):
    folder = Path(str(library.root())) / name
    assert (folder / "model.xml").read_text(encoding="utf-8") == generated(folder)


def test_a_model_is_found_by_name_with_its_ports():
    model = load_model("camkii_graupner_2007")
    assert model.port("Ca").kind == "input"
    assert load_model("camkii_graupner_2007") is model


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(UnknownName, match="did you mean camkii_graupner_2007"):
        load_model("camkii_graupner_2006")


def test_the_sbml_is_written_once_and_then_kept(folder: Path):
    assert regenerate(folder)
    before = (folder / "model.xml").read_text()
    assert not regenerate(folder)
    (folder / "model.ant").write_text(ANTIMONY.replace("k = 2", "k = 3"))
    assert regenerate(folder)
    assert (folder / "model.xml").read_text() != before
    assert sorted(path.name for path in folder.iterdir()) == ["model.ant", "model.toml", "model.xml"]


def test_title_terms_and_annotations_reach_the_sbml(folder: Path):
    regenerate(folder)
    model = load_model(folder / "model.xml")
    assert (model.id, model.name, model.annotations) == ("decay_test_2000", "Decay", ("taxonomy:10116",))
    assert model.by_id["k"].sbo == "SBO:0000356"
    assert [port.name for port in model.ports] == ["x"]


def test_antimony_and_sbml_are_the_same_model(folder: Path):
    regenerate(folder)
    antimony, sbml = load_model(folder / "model.ant"), load_model(folder / "model.xml")
    assert antimony.rules == sbml.rules
    assert antimony.ports == sbml.ports


def test_antimony_that_is_wrong_says_where(tmp_path: Path):
    path = tmp_path / "broken.ant"
    path.write_text("model m\n  x = = 3\nend\n")
    with pytest.raises(ModelError, match=r"broken\.ant(.|\n)*line 2"):
        load_model(path)


def test_terms_for_what_the_model_has_not():
    with pytest.raises(ModelError, match=r"\[parameters\.q\]: the model has none of this name"):
        annotated(model_of("k = 1"), {"parameters": {"q": {"sbo": "SBO:0000356"}}})


def test_every_wrong_port_is_named():
    table = {"ports": {"a": {"kind": "in"}, "b": {"kind": "input", "colour": "red"}}}
    with pytest.raises(ModelError) as caught:
        ports(table, "m")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["port a", "port b"]


def test_a_port_on_nothing_is_named(folder: Path):
    (folder / "model.toml").write_text(TABLE + '[ports.y]\nkind = "spike"\nsymbol = "x"\njump = "size"\n')
    with pytest.raises(ModelError, match="port y: the model has no size"):
        load_model(folder / "model.ant")
