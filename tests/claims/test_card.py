"""`model.toml` is read whole, and every ill-formed entry is named."""

from __future__ import annotations

import pytest

from cascades import card
from cascades.card import model_card
from cascades.errors import ModelError, UnknownName


@pytest.fixture
def written(monkeypatch):
    def write(**table):
        complete = {"title": "t", "citation": "A (2000) T. J 1:1", "module": "rule", **table}
        monkeypatch.setattr(card, "description", lambda name: complete)
        return model_card("example")

    return write


def test_a_card_knows_where_a_constant_comes_from():
    found = model_card("nmda_jahr_stevens_1990")
    assert found.module == "NMDA"
    assert "Jahr" in found.parameters["K_Mg"].source
    assert found.parameters["g_NMDA_max"].status == "tuned"
    assert found.values("chindemi_2022") == {"K_Mg": 2.552, "s_Mg": 0.072}


def test_an_unknown_set_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="chindemi_2022"):
        model_card("nmda_jahr_stevens_1990").values("chindemi")


def test_every_ill_formed_entry_is_named_at_once(written):
    claim = {"name": "c", "measure": "value", "expected": [1.0, 2.0], "source": "s", "tolerance": [0.1]}
    with pytest.raises(ModelError) as caught:
        written(
            parameters={"k": {"source": "x", "status": "guessed"}, "q": {}},
            claims=[claim, {"name": "d", "measure": "value", "expected": 1.0, "source": "s"}],
        )
    text = str(caught.value)
    assert "parameter k: status is 'guessed'" in text
    assert "parameter q: no source" in text
    assert "claim c: tolerance has another length" in text
    assert "claim d: one of tolerance" in text


def test_one_tolerance_serves_every_number(written):
    claim = {
        "name": "c",
        "measure": "value",
        "expected": [1.0, 2.0],
        "source": "s",
        "tolerance": 0.1,
        "of": "x",
    }
    (found,) = written(claims=[claim]).claims
    assert found.tolerance == (0.1, 0.1)
    assert found.arguments == {"of": "x"}
