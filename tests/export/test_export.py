"""Files of every target, and what is refused before any file is written."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import ExportError, OutputExists, UnknownName
from cascades.export import TARGETS, export, support
from cascades.export.features import (
    CUBIC_WELL,
    FILTER,
    NOISE,
    RULE_FEATURES,
    TABLE_WELL,
    continued,
    needs,
    ramps,
)
from cascades.export.features import GRADED as GRADED_RATES
from cascades.export.zones import zones_of
from cascades.network import SlowRise, balanced_network
from cascades.network.constants import zones as kernel_zones
from cascades.network.plasticity import SlidingThreshold, SynapticScaling
from cascades.reduction.published import published_rule
from cascades.reduction.rule import CalciumRule, PhosphataseFilter, RateTable, WellTable

NOISY = published_rule("DP")
RULE = dataclasses.replace(NOISY, sigma=0.0)
GRADED = dataclasses.replace(RULE, rates=RateTable((0.0, 1.0), (0.0, 1.0), (0.5, 0.0)))
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


@pytest.mark.parametrize("feature", support.EXAMPLES)
def test_what_the_table_does_not_list_is_refused_by_name(feature, tmp_path):
    """Every feature has an example; a target takes it if and only if its table says so."""
    example = support.EXAMPLES[feature]()
    assert feature in needs(example) or feature in needs(example.rule)
    for target in TARGETS:
        folder = tmp_path / target
        if feature in support.known(target):
            written = export(example, target, folder)
            assert written
            # a number that is not Python's own writes its type beside itself
            assert not any("np.float64(" in path.read_text() for path in written)
        else:
            with pytest.raises(ExportError, match=re.escape(feature)):
                export(example, target, folder)
            assert not folder.exists()


def test_a_shape_of_calcium_is_refused(tmp_path):
    network = dataclasses.replace(balanced_network(RULE, neurons=50, inputs=5), calcium=SlowRise(0.003))
    with pytest.raises(ExportError, match="SlowRise"):
        export(network, "brian2", tmp_path)
    export(network, "json", tmp_path)
    calcium = json.loads((tmp_path / "network.json").read_text())["calcium"]
    assert calcium == {"kind": "SlowRise", "rise": 0.003}


def test_a_mechanism_without_a_table_row_is_refused(tmp_path):
    network = balanced_network(RULE, neurons=100, inputs=10, mechanisms=[SynapticScaling()])
    for target in set(TARGETS) - {"json"}:
        with pytest.raises(ExportError, match="SynapticScaling"):
            export(network, target, tmp_path)
    assert export(network, "json", tmp_path)


def test_one_threshold_that_moves_is_refused(tmp_path):
    slides = SlidingThreshold(moves_depression=False)
    network = balanced_network(RULE, neurons=100, inputs=10, mechanisms=[slides])
    with pytest.raises(ExportError, match="one threshold"):
        export(network, "brian2", tmp_path)


def test_the_table_names_every_feature_of_a_rule():
    """A part that is added to the rule must be thought of here, or it would be lost on the way."""
    parts = {f.name for f in dataclasses.fields(CalciumRule)}
    expressed = {"theta_d", "theta_p", "gamma_d", "gamma_p", "tau", "rho_star", "calcium"}
    optional = {"sigma": NOISE, "well": CUBIC_WELL, "well_table": TABLE_WELL, "rates": GRADED_RATES,
                "filter": FILTER}  # fmt: skip
    assert parts - expressed - {"name", "provenance"} == set(optional)
    assert set(optional.values()) <= set(RULE_FEATURES)


def test_the_page_of_the_documentation_is_in_step():
    page = Path(__file__).parents[2] / "docs" / "exporters.md"
    assert support.table() in page.read_text(encoding="utf-8")


def test_unknown_target():
    with pytest.raises(UnknownName, match="brian2"):
        export(RULE, "brian", "nowhere")


def test_a_network_without_a_rule_is_refused(tmp_path):
    with pytest.raises(ExportError, match="without a calcium rule"):
        export(balanced_network(neurons=100, inputs=10), "neuron", tmp_path)


def test_ramps_are_the_table():
    text = ramps((0.0, 1.0, 3.0), (0.5, 2.0, 0.0), "c", lambda x, low, high: f"min(max({x}, {low}), {high})")
    found = [eval(text, {"c": c, "min": min, "max": max}) for c in (-1.0, 0.5, 1.0, 2.0, 9.0)]
    assert_allclose(found, [0.5, 1.25, 2.0, 1.0, 0.0])


def test_a_continued_table_goes_on_along_its_ends():
    table = WellTable((0.0, 0.3, 1.0), (0.3, -0.1, 0.2))
    rule = dataclasses.replace(RULE, well="table", well_table=table)
    text = continued(table.rho, table.drift, "x", lambda x, low, high: f"min(max({x}, {low}), {high})")
    places = np.array([-0.2, 0.0, 0.1, 0.3, 0.7, 1.0, 1.3])
    found = [eval(text, {"x": x, "min": min, "max": max}) for x in places]
    assert_allclose(found, rule.drift_at_rest(places), atol=1e-12)


@pytest.mark.parametrize(
    "rule",
    [RULE, dataclasses.replace(RULE, theta_d=1.6, theta_p=1.0), NOISY,
     dataclasses.replace(RULE, calcium=dataclasses.replace(RULE.calcium, rest=1.05))],
)  # fmt: skip
def test_zones_of_steps_are_those_of_the_kernel(rule):
    ln_high, ln_low, *rest = kernel_zones(rule)
    zones = zones_of(rule)
    levels = sorted({x for x in (ln_high, ln_low) if x < 79.0}, reverse=True)
    assert_allclose([z.ln_level for z in zones.above], levels)
    assert_allclose([zones.above[0].rate, zones.above[0].aim], rest[:2])
    assert_allclose([zones.rest.rate, zones.rest.aim], rest[4:], atol=1e-15)


def test_a_staircase_has_the_mean_rates_of_the_curve():
    """Through the whole staircase a synapse goes as far as along the curve, to the staircase's error."""
    levels = np.geomspace(0.05, 6.0, 40)
    hill = levels**4 / (1.5**4 + levels**4)
    rates = RateTable((0.0, *levels), (0.0, *(2.0 * hill)), (0.0, *(0.5 * hill)))
    rule = dataclasses.replace(RULE, rates=rates, well="none")
    zones = zones_of(rule)
    assert len(zones.above) <= 66
    rho, top = 0.3, np.log(6.0 * 0.99)
    for upper, zone in zip([np.inf, *(z.ln_level for z in zones.above)], zones.above):
        spent = min(upper, top) - zone.ln_level
        if spent > 0.0:
            rho = zone.aim + (rho - zone.aim) * np.exp(-zone.rate * spent)
    trace = dataclasses.replace(rule.calcium, pre=6.0 * 0.99, post=1.0, delay=0.0)
    exact = dataclasses.replace(rule, calcium=trace).replay([0.0], [], [5.0], rho=0.3)[0]
    assert abs(exact - 0.3) > 0.01
    assert_allclose(rho, exact, atol=1e-4)
