"""Networks in NEST: efficacies are those of our replay of NEST's own spikes; ranks and threads are alike."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

from cascades.errors import ExportError, NetworkError, SimulatorError
from cascades.export import run_on_nest
from cascades.export.nestml import files
from cascades.network import (
    AllToAll,
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    balanced_network,
    replay,
)
from cascades.network.plasticity import SynapticScaling
from tests.export.conftest import BASE, DURATION, NOISY, RULES, START, assert_as_noisy
from tests.nest import SIMULATORS, needs_nest

PRINTED = 1e-7  # NESTML prints nine digits
SPLIT = 1e-4  # of a well that acts together with fast rates
STAIRS = 1e-3  # of graded rates in 64 steps of calcium, after 50 jumps
MOVED = 30 * STAIRS  # the spikes change efficacies by more than that
DELAY = 1.5


@pytest.fixture
def nest(monkeypatch):
    """Whether NEST has MPI; skips where there is none."""
    return needs_nest(monkeypatch)


def pairs_network(rule, trains, repeats=1):
    """Canned spikes on both sides: posts are driven over threshold by single spikes from `drive`."""
    sides = []
    for side in trains:
        times = np.concatenate(side * repeats)
        sides.append(
            ReplayedSource(times, np.repeat(np.arange(8 * repeats), [t.size for t in side * repeats]))
        )
    n = 8 * repeats
    every = np.arange(n)
    cell = LeakyIntegrateAndFire(tau_exc=0.2, v_reset=-85.0)
    return Network(
        [Population("pre", n, sides[0]), Population("drive", n, sides[1]), Population("post", n, cell)],
        [
            Synapses("drive", "post", Pairs(every, every), 4000.0),
            Synapses("pre", "post", Pairs(every, every), 0.0, DELAY, plastic=True, efficacy=START),
        ],
        rule,
    )


def trains_of(recording, name):
    times, which = recording.spikes(name)
    return [times[which == k] for k in range(recording.network.population(name).size)]


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("name", ["no well", "even well", "uneven well", "rest and well", "graded in a well"])
def test_efficacies_are_those_of_our_replay(name, nest, trains):
    """Synapses stand at their last presynaptic spike, and are brought to the end; delays are dendritic."""
    rule = RULES[name]
    found = run_on_nest(pairs_network(rule, trains), DURATION)
    pre, post = trains_of(found, "pre"), trains_of(found, "post")
    assert [len(t) for t in pre] == [len(t) for t in trains[0]]
    assert sum(len(t) for t in post) > 0.9 * sum(len(t) for t in trains[1])
    expected = replay(rule, pre, post, duration=DURATION, efficacy=START).final
    assert np.abs(expected - START).max() > MOVED
    tolerance = STAIRS if rule.rates else PRINTED if rule.well == "none" else SPLIT
    assert_allclose(found.efficacies, expected, atol=tolerance)


@pytest.mark.oracle
@pytest.mark.slow
def test_noise(nest, trains):
    repeats = 12
    found = run_on_nest(pairs_network(NOISY, trains, repeats), DURATION)
    pre, post = trains_of(found, "pre")[:8], trains_of(found, "post")[:8]
    assert_as_noisy(found.efficacies.reshape(repeats, 8), NOISY, pre, post)


def kicks_of(text, count):
    """What the exported statements of noise do to `count` visits of one synapse at unit variance: the kicks,
    and where its two generators stand."""
    block = text[text.index("if variance > 0:") :].splitlines()
    indent = len(block[1]) - len(block[1].lstrip()) - 4
    last = next(k for k, line in enumerate(block) if "cos(" in line)
    code = compile("\n".join([block[0], *(line[indent:] for line in block[1 : last + 1])]), "kick", "exec")
    at = {"variance": 1.0, "draw_a": 12345.0, "draw_b": 67890.0, "ln": math.log, "cos": math.cos,
          "floor": lambda x: float(math.floor(x))}  # fmt: skip
    found = []
    for _ in range(count):
        at["rho"] = 0.0
        exec(code, at)
        found.append(at["rho"])
    return np.array(found), (at["draw_a"], at["draw_b"])


def test_kicks_are_normal_and_their_generators_exact():
    n = 20_000
    kicks, stand = kicks_of(files(NOISY)["calcium_synapse.nestml"], n)
    # L'Ecuyer 1988: the two multiplicative generators, in whole numbers
    assert stand == (12345 * pow(40014, n, 2147483563) % 2147483563,
                     67890 * pow(40692, n, 2147483399) % 2147483399)  # fmt: skip
    assert kstest(kicks, "norm").pvalue > 0.01
    assert abs(np.corrcoef(kicks[1:], kicks[:-1])[0, 1]) < 3.0 / np.sqrt(n)


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, NOISY.sigma])
def test_two_ranks_are_two_threads(sigma, nest):
    """Equal numbers of virtual processes: the same wiring, spikes and efficacies, to the last bit."""
    if not nest:
        pytest.skip("this NEST was built without MPI")
    network = balanced_network(dataclasses.replace(BASE, well="none", sigma=sigma), neurons=400, inputs=40)
    ranks = run_on_nest(network, 500.0, seed=3, ranks=2)
    threads = run_on_nest(network, 500.0, seed=3, threads=2)
    assert ranks.spike_times.size > 500
    assert_array_equal(ranks.spike_times, threads.spike_times)
    assert_array_equal(ranks.spike_neurons, threads.spike_neurons)
    assert ranks.efficacies.size == 320 * 40
    assert_array_equal(ranks.efficacies, threads.efficacies)
    assert ranks.mean_efficacy["E -> E"][0] != ranks.mean_efficacy["E -> E"][1]


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_efficacies_of_one_s_own(threads, nest):
    """One per synapse, in the order of the connections, whatever their kind; nothing spikes."""
    draw = np.random.default_rng(1)
    own = {"FixedInDegree": draw.random(12 * 5), "AllToAll": draw.random(12 * 11), "Pairs": draw.random(3)}
    pairs = Pairs([0, 4, 7], [11, 2, 2])
    for connect in (FixedInDegree(5), AllToAll(), pairs):
        efficacy = own[type(connect).__name__]
        described = Network(
            [Population("cells", 12, LeakyIntegrateAndFire())],
            [Synapses("cells", "cells", connect, 0.0, plastic=True, efficacy=efficacy)],
            dataclasses.replace(BASE, well="none"),
        )
        found = run_on_nest(described, 5.0, threads=threads).efficacies
        if isinstance(connect, FixedInDegree):  # NEST draws the sources
            found, efficacy = np.sort(found), np.sort(efficacy)
        assert_allclose(found, efficacy, atol=PRINTED)


@pytest.mark.oracle
@pytest.mark.slow
def test_poisson_sources_and_all_to_all(nest):
    """Populations of sources onto learning neurons; rates are those asked for."""
    network = Network(
        [Population("in", 200, PoissonSource(20.0)), Population("out", 5, LeakyIntegrateAndFire())],
        [Synapses("in", "out", AllToAll(), 1.0, plastic=True)],
        dataclasses.replace(BASE, well="none"),
    )
    found = run_on_nest(network, 2000.0, seed=1)
    expected = 200 * 20.0 * 2.0
    assert abs(found.spikes("in")[0].size - expected) < 5.0 * np.sqrt(expected)
    assert found.efficacies.shape == (1000,)
    again = replay(
        network.rule, trains_of(found, "in"), trains_of(found, "out"), duration=2000.0,
        sources=np.repeat(np.arange(200), 5), targets=np.tile(np.arange(5), 200), efficacy=0.5,
    ).final  # fmt: skip
    assert np.isfinite(again).all()


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    network = balanced_network(BASE, neurons=50, inputs=5)
    with pytest.raises(SimulatorError, match="CASCADES_SIMULATORS"):
        run_on_nest(network, 10.0, python=_without_nest())
    with pytest.raises(SimulatorError, match="cannot be started"):
        run_on_nest(network, 10.0, python=str(tmp_path / "nowhere"))
    with pytest.raises(NetworkError, match="ranks"):
        run_on_nest(network, 10.0, ranks=0)
    with pytest.raises(ExportError, match="SynapticScaling"):
        run_on_nest(balanced_network(BASE, neurons=50, inputs=5, mechanisms=[SynapticScaling()]), 10.0)


def _without_nest():
    """An interpreter that has no NEST: this one, or any other one."""
    return sys.executable if sys.executable != SIMULATORS else "/usr/bin/python3"
