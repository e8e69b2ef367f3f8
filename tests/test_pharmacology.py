"""Drugs, tones, patches and temperature of the composed spine."""

from __future__ import annotations

import pytest

from cascades.card import model_card
from cascades.errors import ModelError, ProtocolError, UnknownName
from cascades.library import load_model
from cascades.pharmacology import at_temperature, combined, drug, together, tone
from cascades.protocols import Setting

SPINE = "spine_cascades"


@pytest.fixture(scope="module")
def card():
    return model_card(SPINE)


def test_half_of_the_receptors_are_left_at_the_dose_that_halves(card):
    (begin, end) = drug(card, "AP5", dose=1.4, stop=60.0).stimuli
    assert (begin.target, begin.time, begin.value) == ("NMDA_receptors", 0.0, 0.5)
    assert (end.time, end.value) == (60.0, None)


def test_every_drug_and_tone_acts_on_a_port(card):
    inputs = {port.name for port in load_model(SPINE).ports if port.kind == "input"}
    assert {known.port for known in card.drugs.values()} <= inputs
    assert {name for known in card.tones.values() for name in known.full} <= inputs
    assert all(known.full.keys() == known.rest.keys() for known in card.tones.values())


def test_every_constant_that_warms_is_one_of_the_model(card):
    constants = {p.id for p in load_model(SPINE).parameters if p.is_constant and p.value is not None}
    assert at_temperature(card, 25.0).keys() <= constants


def test_ten_degrees_are_one_q10(card):
    warm, reference = at_temperature(card, 25.0), at_temperature(card, 35.0)
    assert set(reference.values()) == {1.0}
    assert warm["beta_NMDA"] == pytest.approx(1.0 / 3.0)
    assert warm["tau_inact"] == pytest.approx(3.0)


def test_a_tone_lies_between_rest_and_full(card):
    assert {s.target: s.value for s in tone(card, "noradrenaline", level=0.5).stimuli} == pytest.approx(
        {"PKA_tone": 1.3, "ERK_tone": 0.05}
    )


@pytest.mark.parametrize(
    ("wrong", "error", "hint"),
    [
        (lambda card: drug(card, "AP-5"), UnknownName, "did you mean AP5"),
        (lambda card: tone(card, "dopamin"), UnknownName, "did you mean dopamine"),
        (lambda card: combined(card, ["anisomicin"]), UnknownName, "did you mean anisomycin"),
        (lambda card: drug(card, "AP5", dose=-1.0), ProtocolError, "between 0 and 500 uM"),
        (lambda card: drug(card, "AP5", dose=1e4), ProtocolError, "between 0 and 500 uM"),
        (lambda card: tone(card, "dopamine", level=2.0), ProtocolError, "between 0 and 1"),
        (lambda card: at_temperature(card, 60.0), ProtocolError, "between 20 and 40"),
        (
            lambda card: combined(card, ["dopamine", "noradrenaline"]),
            ModelError,
            "PKA_tone is 1.5 in dopamine and 1.3 in noradrenaline",
        ),
        (lambda card: at_temperature(model_card("camkii_graupner_2007"), 25.0), UnknownName, "temperature"),
    ],
)
def test_what_makes_no_sense_is_refused(card, wrong, error, hint):
    with pytest.raises(error, match=hint):
        wrong(card)


def test_patches_that_agree_are_joined(card):
    assert combined(card, ["AP5", "anisomycin", "AP5"]) == {"left_NMDA": 0.0, "left_synthesis": 0.0}


def test_two_doses_of_a_drug_at_one_time_contradict_each_other(card):
    model = load_model(SPINE)
    early, late = drug(card, "AP5", dose=10.0, stop=60.0), drug(card, "AP5", start=60.0)
    both = together(model, [early, late])
    assert [s.value for s in both.stimuli if isinstance(s, Setting)].count(None) == 1
    with pytest.raises(ProtocolError, match="at the same time"):
        together(model, [early, drug(card, "AP5", start=30.0)])


def test_a_drug_does_not_undo_a_patch(card):
    with pytest.raises(ProtocolError, match="a patch sets left_NMDA already"):
        together(load_model(SPINE), [drug(card, "AP5")], combined(card, ["AP5"]))
