"""How the text of arguments is read."""

import pytest
import typer

from cascades import ProtocolError, UnknownName, pairing
from cascades.commands.options import PROTOCOLS, read_protocol, read_values


def test_values():
    assert read_values(["Ca=0.1", " k12 =6e3"]) == {"Ca": 0.1, "k12": 6000.0}
    assert read_values(None) == {}


@pytest.mark.parametrize("text", ["Ca", "=1", "Ca=much"])
def test_values_that_are_none(text):
    with pytest.raises(typer.BadParameter):
        read_values([text])


def test_a_protocol_with_arguments_is_the_one_the_function_makes():
    assert read_protocol("pairing:delay=0.01,count=20,post=bap") == pairing(delay=0.01, count=20, post="bap")


@pytest.mark.parametrize("name", ["lfs", "hfs", "theta_burst"])
def test_a_protocol_without_arguments(name):
    assert read_protocol(name) == PROTOCOLS[name]()


@pytest.mark.parametrize("text", ["hsf", "hfs:rat=100"])
def test_an_unknown_name_is_answered_with_the_nearest(text):
    with pytest.raises(UnknownName, match="did you mean"):
        read_protocol(text)


@pytest.mark.parametrize(
    ("text", "reason"), [("pulse_train:rate=5", "say count"), ("hfs:rate=-1", "positive")]
)
def test_a_protocol_that_makes_no_sense(text, reason):
    with pytest.raises(ProtocolError, match=reason):
        read_protocol(text)


def test_a_number_that_is_none():
    with pytest.raises(typer.BadParameter, match="not a number"):
        read_protocol("hfs:rate=fast")
