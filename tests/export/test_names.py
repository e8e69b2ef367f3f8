"""Populations of any name leave as programs that are Python."""

from __future__ import annotations

import ast
import re

import pytest

from cascades.export import TARGETS
from cascades.export.names import directory, variables
from cascades.network import (
    AllToAll,
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonDrive,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
)
from cascades.network.plasticity import SlidingThreshold, TagAndCapture
from tests.export.conftest import BASE

NAMES = {
    "keywords": ("in", "class", "None"),
    "spaces": ("my cells", " ", ""),
    "one looks like the other": ("my-cells", "my cells", "my_cells"),
    "one looks like another's number": ("a b", "a-b", "a_b_2"),
    "other letters": ("α", "β", "ﬁ"),
    "digits": ("1", "2nd", "L2/3"),
    "what ends a text": ("'''", 'a"b\\', "new\nline"),
    "what braces mean": ("{dt}", "}", "%s"),
    "the program's own": ("np", "nest", "population_np"),
    "its sources": ("source_of_population_x", "x", "drive_of_population_x"),
}


def network(names, mechanisms=()):
    """Every kind of population and connection, under three names."""
    inputs, canned, cells = names
    cell = LeakyIntegrateAndFire()
    return Network(
        [
            Population(inputs, 3, PoissonSource(5.0)),
            Population(canned, 3, ReplayedSource([1.0, 2.0], [0, 2])),
            Population(cells, 4, cell, PoissonDrive(100.0, 1.0)),
        ],
        [
            Synapses(inputs, cells, AllToAll(), 1.0, plastic=True),
            Synapses(canned, cells, Pairs([0, 1], [1, 2]), 1.0),
            Synapses(cells, cells, FixedInDegree(2), 1.0, receptor="inh"),
        ],
        BASE,
        mechanisms,
    )


def assert_as_named(text, names):
    """The program compiles, makes every population once, and knows it by the user's name."""
    compile(text, "network.py", "exec")
    made: list[str] = []
    known = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            made.append(node.targets[0].id)
            if made[-1] == "POPULATIONS":
                known = {key.value: value.id for key, value in zip(node.value.keys, node.value.values)}
    assert list(known) == list(names)
    assert len(set(known.values())) == len(names)
    assert all(made.count(variable) == 1 for variable in known.values())
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("target", ["brian2", "nestml"])
def test_any_name_makes_a_program(target, names):
    assert_as_named(TARGETS[target](network(names))["network.py"], names)


@pytest.mark.parametrize("mechanism", [SlidingThreshold(), TagAndCapture()])
def test_mechanisms_act_on_the_population(mechanism):
    names = ("in", "class", "my cells")
    text = TARGETS["brian2"](network(names, [mechanism]))["network.py"]
    assert_as_named(text, names)
    assert "population_my_cells.run_regularly(" in text


def test_synapses_are_labelled_with_the_users_names():
    for target in ("brian2", "nestml"):
        assert "# 'in -> my cells'" in TARGETS[target](network(("in", "class", "my cells")))["network.py"]


def test_variables_are_plain_and_numbered():
    described = network(("my-cells", "my cells", "E"))
    assert variables(described) == {
        "my-cells": "population_my_cells", "my cells": "population_my_cells_2", "E": "population_E",
    }  # fmt: skip
    assert all(re.fullmatch("[a-zA-Z_0-9]+", variable) for variable in variables(described).values())
    assert directory(described).startswith("POPULATIONS = {'my-cells': population_my_cells, ")
