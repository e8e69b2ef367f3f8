"""What cannot be run is refused at once, and says what to do."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

import cascades.network.network as description
from cascades.errors import NetworkError, RuleError, UnknownName
from cascades.network import (
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonDrive,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    balanced_network,
    run_network,
)
from cascades.network.plasticity import ShortTerm, SpikeTiming
from cascades.reduction.published import published_rule
from cascades.reduction.rule import RateTable

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Synapses("E", "E", FixedInDegree(1), 1.0, delay=-1.0), "delay must not be negative"),
        (lambda: Synapses("E", "E", FixedInDegree(1), 1.0, efficacy=1.2), r"efficacy must lie in \[0, 1\]"),
        (lambda: Synapses("E", "E", FixedInDegree(1), -1.0), "weight must not be negative"),
        (lambda: FixedInDegree(-1), "count must not be negative"),
        (lambda: Population("E", 0, LeakyIntegrateAndFire()), "size must be at least 1"),
        (lambda: LeakyIntegrateAndFire(tau_m=0.0), "tau_m must be positive"),
        (lambda: LeakyIntegrateAndFire(v_reset=-40.0), "below v_threshold"),
        (lambda: ReplayedSource([-1.0], [0]), "not negative"),
        (lambda: Population("E", 2, ReplayedSource([1.0], [2])), "is of neuron 2"),
        (lambda: SpikeTiming(ltp=-1.0), "ltp must not be negative"),
        (lambda: PoissonSource(-1.0), "rate must not be negative"),
        (lambda: PoissonDrive(-5.0, 1.0), "rate must not be negative"),
        (lambda: Synapses("E", "E", FixedInDegree(1), 1.0, delay=float("nan")), "delay must not be negative"),
        (lambda: Synapses("E", "E", FixedInDegree(1), 1.0, efficacy=-0.1), r"efficacy must lie in \[0, 1\]"),
        (
            lambda: Synapses("E", "E", FixedInDegree(1), 1.0, efficacy=np.array([0.5, np.nan])),
            "efficacy must",
        ),
        (lambda: ShortTerm(use=0.0), r"use must lie in \(0, 1\]"),
    ],
)
def test_bad_parts_are_refused(make, words):
    with pytest.raises(NetworkError, match=words):
        make()


@pytest.mark.parametrize(
    ("synapses", "words"),
    [
        (Synapses("E", "E", FixedInDegree(2), 1.0, delay=0.05), "delay must be at least the time step"),
        (Synapses("E", "E", Pairs([0], [10]), 1.0), "target index 10 is out of range; 'E' has 10 neurons"),
        (Synapses("E", "E", Pairs([-1], [0]), 1.0), "source index -1 is out of range"),
        (Synapses("E", "E", FixedInDegree(2), 1.0, plastic=True), "need a rule"),
        (Synapses("E", "P", FixedInDegree(2), 1.0), "only emits spikes"),
        (Synapses("E", "E", FixedInDegree(2), 1.0, efficacy=np.zeros(3)), "efficacy has shape"),
    ],
)
def test_bad_networks_are_refused(synapses, words):
    populations = [Population("E", 10, LeakyIntegrateAndFire()), Population("P", 3, PoissonSource(1.0))]
    with pytest.raises(NetworkError, match=words):
        Network(populations, [synapses])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gamma_p": -1.0}, "gamma_p must be not negative"),
        ({"gamma_d": -1.0}, "gamma_d must be not negative"),
        ({"rates": ((0.0, 1.0), (0.0, -1.0), (0.0, 1.0))}, "a rate is negative"),
    ],
)
def test_rules_with_negative_rates_are_refused(change, words):
    with pytest.raises(RuleError, match=words):
        if "rates" in change:
            change = {"rates": RateTable(*change["rates"])}
        dataclasses.replace(RULE, **change)


def test_names_are_suggested():
    with pytest.raises(UnknownName, match="Exc"):
        Network(
            [Population("Exc", 10, LeakyIntegrateAndFire())], [Synapses("Ex", "Exc", FixedInDegree(1), 1.0)]
        )


def test_more_synapses_than_memory_are_refused_at_once():
    """Nothing is allocated: the descriptions are of 10 TB."""
    begun = time.monotonic()
    with pytest.raises(NetworkError, match="at most 2"):
        run_network(balanced_network(RULE, neurons=10_000_000, inputs=10_000), 1.0, seed=0)
    populations = [Population(f"E{k}", 100_000, LeakyIntegrateAndFire()) for k in range(30)]
    among = [
        Synapses(a.name, b.name, FixedInDegree(20_000), 1.0, plastic=True)
        for a in populations
        for b in populations
    ]
    with pytest.raises(NetworkError, match="GB are free"):
        run_network(Network(populations, among, RULE), 1.0, seed=0)
    assert time.monotonic() - begun < 5.0


def test_memory_is_checked_before_allocation(monkeypatch):
    network = balanced_network(RULE, neurons=100_000, inputs=10_000)
    monkeypatch.setattr(description, "_free_memory", lambda: 8 * 10**9)
    with pytest.raises(NetworkError, match="GB are free"):
        run_network(network, 1.0, seed=0)
