"""Replay against the reference implementation of the rule."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import NetworkError
from cascades.network import replay
from cascades.network.constants import kernel_rule
from cascades.network.replay import Player, events
from cascades.reduction.published import published_rule
from cascades.reduction.rule import PhosphataseFilter, RateTable, WellTable

ROUNDING = 1e-12
SINGLE = 1e-4  # float32, tables of 4096 rows, the split of well and rates

CORTICAL = dataclasses.replace(published_rule("cortical slice"), sigma=0.0)
RULES = {
    "even well": CORTICAL,
    "no well": dataclasses.replace(CORTICAL, well="none"),
    "fast uneven well": dataclasses.replace(CORTICAL, rho_star=0.8, tau=1.5, gamma_p=20.0, gamma_d=0.5),
    "thresholds swapped": dataclasses.replace(CORTICAL, theta_d=1.6, theta_p=1.0),
    "tabulated well": dataclasses.replace(
        CORTICAL, well="table", well_table=WellTable((0.0, 0.3, 0.6, 1.0), (0.02, -0.1, 0.08, -0.03))
    ),
    "graded": dataclasses.replace(
        CORTICAL,
        well="none",
        rates=RateTable((0.0, 0.5, 1.0, 2.0, 4.0), (0.0, 0.0, 0.2, 1.0, 2.0), (0.0, 0.3, 0.5, 0.2, 0.1)),
    ),
    "depressed at rest": dataclasses.replace(
        CORTICAL, well="none", calcium=dataclasses.replace(CORTICAL.calcium, rest=1.1)
    ),
    "resting calcium": dataclasses.replace(
        CORTICAL, rho_star=0.3, calcium=dataclasses.replace(CORTICAL.calcium, rest=0.4)
    ),
}
FILTERED = dataclasses.replace(
    CORTICAL, filter=PhosphataseFilter(2.0, (0.0, 1.0, 2.0), (0.0, 0.5, 1.0), (1.0, 1.0, 1.0))
)


SATURATING = dataclasses.replace(
    CORTICAL, filter=dataclasses.replace(FILTERED.filter, half_rho=0.05, half_m=0.2)
)


@pytest.fixture(scope="module")
def trains():
    rng = np.random.default_rng(1)
    spikes = [np.sort(rng.uniform(0.0, 4900.0, 40)) for _ in range(10)]
    return spikes[:5], spikes[5:]


@pytest.mark.parametrize(
    "rule", [*RULES.values(), FILTERED, SATURATING], ids=[*RULES, "filtered", "saturating"]
)
def test_double_precision_equals_the_reference(rule, trains):
    times = np.array([700.0, 3000.0, 5000.0])
    found = replay(rule, *trains, duration=5000.0, times=times, efficacy=0.3).efficacies
    expected = [
        rule.replay(pre / 1000.0, post / 1000.0, times / 1000.0, rho=0.3) for pre, post in zip(*trains)
    ]
    assert_allclose(found, np.transpose(expected), atol=ROUNDING, rtol=0)
    assert np.abs(found[-1] - 0.3).min() > 1e-4  # something happened


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_single_precision_on_the_grid(rule, trains):
    on_grid = dataclasses.replace(rule, calcium=dataclasses.replace(rule.calcium, delay=0.0046))
    pre, post = ([np.round(t, 1) for t in side] for side in trains)
    options = {"duration": 5000.0, "times": [1000.0, 5000.0], "efficacy": 0.3}
    exact = replay(on_grid, pre, post, **options)
    lanes = replay(on_grid, pre, post, precision="single", **options)
    assert_allclose(lanes.efficacies, exact.efficacies, atol=SINGLE, rtol=0)


def test_single_precision_on_threads_is_the_same(monkeypatch, trains):
    rng = np.random.default_rng(2)
    sources, targets = rng.integers(0, 5, 600), rng.integers(0, 5, 600)
    rule = published_rule("cortical slice")  # with noise
    options = {"sources": sources, "targets": targets, "duration": 5000.0, "precision": "single", "seed": 3}
    monkeypatch.setattr(sys.modules["cascades.network.replay"], "SHARD", 200)
    assert Player(sources, targets, 5, 5, np.zeros(600)).first.shape == (2, 5)
    one, two = (replay(rule, *trains, threads=threads, **options).efficacies for threads in (1, 2))
    assert np.array_equal(one, two)
    assert np.unique(one).size == 600  # every synapse has noise of its own


@pytest.mark.parametrize("shards", [1, 2, 3, 5])
def test_any_number_of_shards_gives_the_same(shards, trains):
    rng = np.random.default_rng(2)
    sources, targets, start = rng.integers(0, 5, 400), rng.integers(0, 5, 400), rng.random(400)
    player = Player(sources, targets, 5, 5, start, shards)
    player.play(kernel_rule(CORTICAL, 0.1), *events(*trains, 0.1, 46))
    found = np.empty(400)
    found[player.order] = player.records.reshape(-1, 4)[:, 1]
    assert player.first.shape == (shards, 5)
    assert (np.diff(player.first.ravel()) >= 0).all() and player.last[-1, -1] == 400
    whole = Player(sources, targets, 5, 5, start, 1)
    whole.play(kernel_rule(CORTICAL, 0.1), *events(*trains, 0.1, 46))
    expected = np.empty(400)
    expected[whole.order] = whole.records.reshape(-1, 4)[:, 1]
    assert np.array_equal(found, expected)
    assert np.abs(found - start).max() > 0.01


def test_single_precision_does_not_have_a_filter(trains):
    with pytest.raises(NetworkError, match="phosphatase filter"):
        replay(FILTERED, *trains, duration=5000.0, precision="single")


def test_two_microsecond_steps():
    """200 synapses at 10 Hz for 1 s against explicit steps of 2 us, whose own error is about 3e-5."""
    rule = dataclasses.replace(
        CORTICAL, well="none", calcium=dataclasses.replace(CORTICAL.calcium, delay=0.0046)
    )
    rng = np.random.default_rng(4)
    pre, post = (
        [np.round(np.sort(rng.uniform(1, 990, rng.poisson(10))), 1) for _ in range(200)] for _ in range(2)
    )
    start = rng.random(200)
    lanes = replay(rule, pre, post, duration=1000.0, efficacy=start, precision="single").final
    step, per_tick = 2e-6, 50
    jumps = np.zeros((10001, 200))
    for s in range(200):
        np.add.at(jumps[:, s], np.rint(pre[s] * 10).astype(int) + 46, rule.calcium.pre)
        np.add.at(jumps[:, s], np.rint(post[s] * 10).astype(int), rule.calcium.post)
    c, rho = np.zeros(200), start.copy()
    decay = math.exp(-step / rule.calcium.tau)
    for tick in range(10000):
        c += jumps[tick]
        if c.max() <= 1.0:  # nothing happens below the thresholds
            c *= decay**per_tick
            continue
        for _ in range(per_tick):
            rho += step * (
                rule.gamma_p * (1.0 - rho) * (c > rule.theta_p) - rule.gamma_d * rho * (c > rule.theta_d)
            )
            c *= decay
    assert np.abs(lanes - rho).max() <= 1e-4
    assert np.abs(rho - start).mean() > 0.01
    exact = replay(rule, pre, post, duration=1000.0, efficacy=start).final
    assert abs(lanes.mean() - exact.mean()) <= 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sources": [0, 7], "targets": [0, 0]}, "source index 7"),
        ({"targets": [0, -1], "sources": [0, 1]}, "target index -1"),
        ({"efficacy": 1.5}, r"\[0, 1\]"),
        ({"times": [9000.0]}, "between 0 and the duration"),
        ({"precision": "half"}, "half"),
    ],
)
def test_bad_input(trains, change, words):
    with pytest.raises(NetworkError, match=words):
        replay(CORTICAL, *trains, **{"duration": 5000.0, **change})


def test_a_replay_is_saved(trains, tmp_path):
    found = replay(CORTICAL, *trains, duration=5000.0, times=[1000.0, 5000.0])
    with np.load(found.save(tmp_path / "replay")) as file:
        assert np.array_equal(file["efficacies"], found.efficacies)
    frame = found.to_dataframe()
    assert list(frame.columns) == ["time", "synapse", "source", "target", "efficacy"]
    assert len(frame) == 10
