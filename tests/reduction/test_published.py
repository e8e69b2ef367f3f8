"""The published rules against published curves.

Graupner & Brunel (2012) PNAS 109:3991.  The numbers were computed with the paper's analytic formulae
and agree with the authors' Monte-Carlo files (mean difference 0.0097 for DP, 0.0022 for DPD).
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from cascades.errors import UnknownName
from cascades.reduction.published import (
    PUBLISHED,
    published_population,
    published_rule,
    synaptic_change,
    time_above,
)

PRINTED_DIGITS = 1e-4
STDP_DELAYS = np.arange(-0.1, 0.1, 0.0005)


@pytest.mark.parametrize(
    ("name", "highest", "at", "lowest", "at_lowest"),
    [("DP", 1.2422, 0.0055, 0.7239, -0.024), ("DPD", 1.2059, 0.0045, 0.8394, -0.0065)],
)
def test_extrema_of_the_stdp_curves(name, highest, at, lowest, at_lowest):
    curve = synaptic_change(published_rule(name), STDP_DELAYS)
    assert_allclose([curve.max(), curve.min()], [highest, lowest], atol=PRINTED_DIGITS)
    assert_allclose(STDP_DELAYS[[curve.argmax(), curve.argmin()]], [at, at_lowest], atol=1e-9)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(1, (1.0613, 0.6908)), (20, (1.2530, 0.6349)), (40, (1.5526, 1.5851)), (50, (1.6368, 1.6368))],
)
def test_cortical_frequency_curve(rate, expected):
    name = "cortical slice"
    rule, cells = published_rule(name), published_population(name)
    change = synaptic_change(rule, [0.01, -0.01], rate=rate, count=75, population=cells)
    assert_allclose(change, expected, atol=PRINTED_DIGITS)


def test_depression_turns_into_potentiation_near_26_hz():
    name = "cortical slice"
    rule, cells = published_rule(name), published_population(name)
    crossing = brentq(
        lambda rate: synaptic_change(rule, -0.01, rate=rate, count=75, population=cells)[0] - 1.0, 15, 35
    )
    assert crossing == pytest.approx(26.0, abs=0.5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_time_above_the_thresholds_is_that_of_the_trace(name):
    """The replay without well, averaged over a period, sees the same fractions of time."""
    rule = published_rule(name)
    delay, rate = 0.004, 10.0
    starts = np.arange(60) / rate + 0.5
    times = np.linspace(5.5, 5.6, 20001)[:-1]
    calcium = rule.calcium.at(times, starts, starts + delay)
    sampled = [np.mean(calcium > theta) for theta in (rule.theta_d, rule.theta_p)]
    assert_allclose(time_above(rule, delay, rate), sampled, atol=2e-4)  # four grid points


def test_an_unknown_set_is_named():
    with pytest.raises(UnknownName, match="cortical"):
        published_rule("cortical")


@pytest.mark.oracle
@pytest.mark.skipif("CASCADES_REFERENCE" not in os.environ, reason="CASCADES_REFERENCE names no folder")
@pytest.mark.parametrize("name", ["DP", "DPD", "D"])
def test_whole_curves(name):
    with (Path(os.environ["CASCADES_REFERENCE"]) / "gb2012_stdp_analytic.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    delays = np.array([float(row["deltaT_ms"]) for row in rows]) / 1e3
    expected = np.array([float(row["rel_change"]) for row in rows])
    assert_allclose(synaptic_change(published_rule(name), delays), expected, atol=1e-8)
