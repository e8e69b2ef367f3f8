"""A model as text and as a page."""

import pytest

from cascades import ModelError, UnknownName, compile_model, load_model
from cascades.card import model_card
from cascades.model import Model
from cascades.report.describe import constants, equation, reactions, rules, short_citation
from cascades.report.pages import _model
from cascades.report.readouts import readouts


@pytest.fixture(scope="module")
def ring():
    return load_model("camkii_graupner_2007")


def test_a_reaction_reads_as_in_a_paper(ring):
    binding = ring.by_id["bind_PP1"]
    assert equation(binding) == "PP1 + I1P <-> PP1_I1P"
    assert len(reactions(ring)) == 55


def test_rules_are_equations(ring):
    ring_rate = dict(rules(ring))["k10"]
    assert all(name in ring_rate for name in ("k12", "PP1", "KM", "S"))


def test_every_constant_has_its_source(ring):
    found = constants(compile_model(ring), model_card("camkii_graupner_2007"))
    assert {c.id: c.value for c in found}["k12"] == 6000.0
    assert all(c.source for c in found)


@pytest.mark.parametrize(
    ("name", "text"),
    [("camkii_graupner_2007", "Graupner & Brunel 2007"), ("ampar_triesch_2018", "Triesch et al. 2018")],
)
def test_short_citations(name, text):
    assert short_citation(model_card(name)) == text


def test_calcium_and_weight_are_told_by_the_ports(ring):
    assert readouts(ring) == ("Ca", "phosphorylation")
    assert readouts(ring, weight="S") == ("Ca", "S")


def test_what_no_port_says_must_be_said(ring):
    with pytest.raises(ModelError, match=r"--calcium[\s\S]*--weight"):
        readouts(Model("nothing"))
    with pytest.raises(UnknownName, match="did you mean"):
        readouts(ring, weight="phosphorilation")


def test_a_page_shows_everything(tmp_path):
    (tmp_path / "figures").mkdir()
    text = _model(model_card("switch_pi_2008"), tmp_path)
    for part in ("**Ports**", "**Claims**", "Reactions", "Constants and their sources", "doi.org"):
        assert part in text
    assert (tmp_path / "figures" / "switch_pi_2008.svg").read_text().startswith("<svg")
