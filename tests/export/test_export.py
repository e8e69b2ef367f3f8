"""Files of every target, and what is refused before any file is written."""

from __future__ import annotations

import ast
import dataclasses
import json

import pytest
from numpy.testing import assert_allclose

from cascades.errors import ExportError, OutputExists, UnknownName
from cascades.export import TARGETS, export
from cascades.export.features import numbers, ramps
from cascades.network import SlowRise, balanced_network
from cascades.network.plasticity import SynapticScaling
from cascades.reduction.published import published_rule
from cascades.reduction.rule import CalciumRule, PhosphataseFilter, RateTable, WellTable

NOISY = published_rule("DP")
RULE = dataclasses.replace(NOISY, sigma=0.0)
GRADED = dataclasses.replace(RULE, rates=RateTable((0.0, 1.0), (0.0, 1.0), (0.5, 0.0)))
TABLE = dataclasses.replace(RULE, well="table", well_table=WellTable((0.0, 1.0), (0.1, -0.1)))
FILTERED = dataclasses.replace(RULE, filter=PhosphataseFilter(1.0, (0.0, 1.0), (0.0, 1.0), (1.0, 1.0)))


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_writes_its_files(target, tmp_path):
    paths = export(RULE, target, tmp_path / "out")
    assert paths
    assert all(path.stat().st_size > 100 for path in paths)
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    for path in paths:
        if path.suffix == ".py":
            ast.parse(path.read_text())
    with pytest.raises(OutputExists):
        export(RULE, target, tmp_path / "out")
    export(RULE, target, tmp_path / "out", force=True)


@pytest.mark.parametrize("target", TARGETS)
def test_networks(target, tmp_path):
    paths = export(balanced_network(RULE, neurons=100, inputs=10), target, tmp_path)
    names = {path.name for path in paths}
    assert names & {"network.py", "network.json", "calcium_rule.mod", "calcium_synapse.nestml"}


def test_json_gives_the_rule_back(tmp_path):
    (path,) = export(NOISY, "json", tmp_path)
    assert CalciumRule.from_json(path.read_text()) == NOISY
    network = balanced_network(NOISY, neurons=100, inputs=10)
    paths = {p.name: p for p in export(network, "json", tmp_path / "network")}
    described = json.loads(paths["network.json"].read_text())
    assert described["units"]["time"] == "ms"
    assert [p["name"] for p in described["populations"]] == ["E", "I"]
    assert described["content_hash"] == network.content_hash()


@pytest.mark.parametrize(
    ("rule", "feature", "refused"),
    [
        (NOISY, "noise", {"nestml", "neuron", "arbor"}),
        (GRADED, "graded rates", {"nestml", "neuron", "arbor"}),
        (TABLE, "a tabulated well", {"nestml", "neuron", "arbor"}),
        (FILTERED, "a phosphatase filter", {"nestml", "neuron", "arbor"}),
    ],
)
def test_features_are_refused_by_name(rule, feature, refused, tmp_path):
    for target in TARGETS:
        folder = tmp_path / target
        if target in refused:
            with pytest.raises(ExportError, match=feature):
                export(rule, target, folder)
            assert not folder.exists()
        else:
            assert export(rule, target, folder)


def test_a_shape_of_calcium_is_refused(tmp_path):
    network = dataclasses.replace(balanced_network(RULE, neurons=50, inputs=5), calcium=SlowRise(0.003))
    with pytest.raises(ExportError, match="SlowRise"):
        export(network, "brian2", tmp_path)
    export(network, "json", tmp_path)
    calcium = json.loads((tmp_path / "network.json").read_text())["calcium"]
    assert calcium == {"kind": "SlowRise", "rise": 0.003}


def test_mechanisms_are_refused(tmp_path):
    network = balanced_network(RULE, neurons=100, inputs=10, mechanisms=[SynapticScaling()])
    for target in set(TARGETS) - {"json"}:
        with pytest.raises(ExportError, match="SynapticScaling"):
            export(network, target, tmp_path)
    assert export(network, "json", tmp_path)


def test_unknown_target():
    with pytest.raises(UnknownName, match="brian2"):
        export(RULE, "brian", "nowhere")


def test_a_network_without_a_rule_is_refused(tmp_path):
    with pytest.raises(ExportError, match="without a calcium rule"):
        export(balanced_network(neurons=100, inputs=10), "neuron", tmp_path)


def test_numbers_are_in_milliseconds():
    n = numbers(RULE)
    assert_allclose([n["tau_ca"], n["delay_ca"]], [20.0, 13.7])
    assert_allclose(n["rate_high"], (200.0 + 321.808) / 150.0 * 0.02)


def test_ramps_are_the_table():
    text = ramps((0.0, 1.0, 3.0), (0.5, 2.0, 0.0), "c", lambda x, low, high: f"min(max({x}, {low}), {high})")
    found = [eval(text, {"c": c, "min": min, "max": max}) for c in (-1.0, 0.5, 1.0, 2.0, 9.0)]
    assert_allclose(found, [0.5, 1.25, 2.0, 1.0, 0.0])
