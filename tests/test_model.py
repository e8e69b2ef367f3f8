"""Models as values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from cascades.expression import symbol
from cascades.model import Compartment, Model, Parameter, Port, Reaction, Species, SpeciesReference

DECAY = Model(
    id="decay",
    compartments=(Compartment("spine", 1.0),),
    species=(Species("A", "spine", initial_concentration=1.0, name="substance A"),),
    parameters=(Parameter("k", 0.5),),
    reactions=(Reaction("loss", (SpeciesReference("A"),), rate=symbol("spine") * symbol("k") * symbol("A")),),
    ports=(Port("input", "k", "input"),),
)


def test_elements_are_found_by_id():
    assert DECAY.by_id["A"].name == "substance A"
    assert DECAY.port("input").symbol == "k"
    assert DECAY.port("output") is None


def test_a_model_does_not_change():
    with pytest.raises(FrozenInstanceError):
        DECAY.id = "growth"


@pytest.mark.parametrize(
    "changed",
    [
        replace(DECAY, parameters=(Parameter("k", 0.6),)),
        replace(DECAY, reactions=(replace(DECAY.reactions[0], rate=symbol("k") * symbol("A")),)),
        replace(DECAY, ports=(Port("drug", "k", "input"),)),
    ],
)
def test_the_hash_sees_what_changes_a_result(changed):
    assert changed.content_hash != DECAY.content_hash


def test_the_hash_does_not_see_names():
    renamed = replace(DECAY, name="Decay", species=(replace(DECAY.species[0], name="A"),))
    assert renamed.content_hash == DECAY.content_hash
