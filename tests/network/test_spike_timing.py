"""Mechanisms of single spikes: timing windows, triplets, soft bounds, short-term plasticity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.network import (
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    run_network,
)
from cascades.network.arrays import EXC
from cascades.network.plasticity import TRIPLET_VISUAL_CORTEX, ShortTerm, SpikeTiming, hebbian
from cascades.network.session import Session

DELAY = 50.0  # ms, of the synapses that learn


def learned(timing, arrivals, spikes, *, efficacy=0.5):
    """(efficacies, spikes as they happened): synapse k with `arrivals[k]`, onto a neuron made to spike near
    `spikes[k]`; times in ms."""
    n = len(arrivals)

    def source(trains, shift):
        owner = np.repeat(np.arange(n), [len(t) for t in trains])
        return ReplayedSource(np.concatenate(trains) + shift, owner)

    network = Network(
        [
            Population("in", n, source(arrivals, -DELAY)),
            Population("driver", n, source(spikes, 0.0)),
            Population("out", n, LeakyIntegrateAndFire(tau_exc=0.1, refractory=0.5)),
        ],
        [
            Synapses("in", "out", Pairs(np.arange(n), np.arange(n)), 0.0, DELAY,
                     plastic=True, efficacy=efficacy, timing=timing),
            Synapses("driver", "out", Pairs(np.arange(n), np.arange(n)), 1e5, 0.1),
        ],
    )  # fmt: skip
    end = max(t[-1] for t in [*arrivals, *spikes]) + 200.0
    found = run_network(network, end, seed=0)
    at, who = found.spikes("out")
    return found.efficacies, [at[who == k] for k in range(n)]


def test_pairs_follow_the_window():
    """Pairs far apart: the published exponential windows (Song, Miller & Abbott 2000)."""
    timing = SpikeTiming(ltp=0.01, ltd=0.008, tau_r1=17.0, tau_o1=34.0)
    lags = np.array([-40.0, -10.0, 5.0, 30.0])
    found, spiked = learned(timing, [np.array([150.0])] * 4, [np.array([150.0 + lag]) for lag in lags])
    lag = np.array([s[0] for s in spiked]) - 150.0
    expected = np.where(lag > 0, 0.01 * np.exp(-lag / 17.0), -0.008 * np.exp(lag / 34.0))
    assert_allclose(found - 0.5, expected, rtol=1e-3)


def triplet_sum(p, pre, post):
    """Pfister & Gerstner (2006) equations 3 and 4, all to all, by explicit sums over spikes."""

    def trace(spikes, t, tau):
        past = spikes[spikes < t - 1e-9]
        return np.exp(-(t - past) / tau).sum()

    up = sum(trace(pre, t, p.tau_r1) * (p.ltp + p.ltp_triplet * trace(post, t, p.tau_o2)) for t in post)
    down = sum(trace(post, t, p.tau_o1) * (p.ltd + p.ltd_triplet * trace(pre, t, p.tau_r2)) for t in pre)
    return up - down


def pairing(rate, lag, count):
    pre = 100.0 + np.arange(count) * 1000.0 / rate
    return pre, pre + lag


def test_triplets_equal_the_published_sums():
    """Visual cortex, full model with the published parameters: pairs at many rates, and two triplets."""
    protocols = [pairing(rate, lag, 20) for rate in (1.0, 10.0, 20.0, 40.0) for lag in (10.0, -10.0)]
    base = 100.0 + 1000.0 * np.arange(10.0)
    protocols += [
        (np.sort(np.r_[base, base + 15.0]), base + 5.0),  # pre-post-pre
        (base + 5.0, np.sort(np.r_[base, base + 12.0])),  # post-pre-post
    ]
    found, spiked = learned(TRIPLET_VISUAL_CORTEX, *zip(*protocols))
    expected = [triplet_sum(TRIPLET_VISUAL_CORTEX, pre, at) for (pre, _), at in zip(protocols, spiked)]
    assert_allclose(found - 0.5, expected, atol=2e-5)
    assert np.abs(expected).max() > 0.05


def test_triplets_make_timing_depend_on_rate():
    """60 pairs, as in the data that the parameters were fitted to (Sjostrom et al. 2001): +10 ms potentiates
    at 40 Hz and not at low rates; -10 ms depresses at low rates and potentiates at 40 Hz."""
    protocols = [pairing(rate, lag, 60) for rate in (0.5, 40.0) for lag in (10.0, -10.0)]
    start = np.array([0.1, 0.6, 0.1, 0.1])
    slow_up, slow_down, fast_up, fast_down = learned(
        TRIPLET_VISUAL_CORTEX, *zip(*protocols), efficacy=start
    )[0] - start  # fmt: skip
    assert slow_up == pytest.approx(0.0, abs=0.02)
    assert slow_down == pytest.approx(-0.31, abs=0.03)
    assert fast_up == pytest.approx(0.53, abs=0.05)
    assert fast_down > 0.1


def test_hebbian_settles_between_its_rates():
    """dW/dt = eta_ltp LTP (1 - W) - eta_ltd LTD W: with LTP = LTD on average, W = eta_ltp / (both)."""
    rng = np.random.default_rng(1)
    n, duration = 100, 20_000.0
    trains = [[np.sort(rng.uniform(100.0, duration, 400)) for _ in range(n)] for _ in range(2)]
    found, _ = learned(hebbian(0.03, 0.01), *trains, efficacy=0.2)
    error = float(found.std()) / math.sqrt(n)
    assert float(found.mean()) == pytest.approx(0.75, abs=4.0 * error + 0.01)


@pytest.mark.parametrize("short_term", [ShortTerm(0.5, 800.0), ShortTerm(0.1, 100.0, 1000.0)])
def test_release_of_a_regular_train(short_term):
    """The recursion of Tsodyks & Markram spike by spike, and its published steady state."""
    gap = 20.0
    times = np.arange(10.0, 10.0 + 150 * gap, gap)
    network = Network(
        [
            Population("in", 1, ReplayedSource(times, np.zeros(times.size, int))),
            Population("out", 1, LeakyIntegrateAndFire(v_threshold=1e3, tau_exc=0.5)),
        ],
        [Synapses("in", "out", Pairs([0], [0]), 1.0, delay=1.0, short_term=short_term)],
    )
    session = Session.new(network, 0, 1)
    u, x, last, released, expected = 0.0, 1.0, -1e9, [], []
    for t in times:
        x = 1.0 - (1.0 - x) * math.exp(-(t - last) / short_term.tau_rec)
        u = u * math.exp(-(t - last) / short_term.tau_facil) if short_term.tau_facil else 0.0
        u += short_term.use * (1.0 - u)
        expected.append(u * x / short_term.use)
        x -= u * x
        last = t
        session.advance(round((t + 1.0) / 0.1) + 1)
        released.append(float(session.built.cells.state[EXC, 1]))
    assert_allclose(released, expected, rtol=1e-4)
    recovered = math.exp(-gap / short_term.tau_rec)
    kept = math.exp(-gap / short_term.tau_facil) if short_term.tau_facil else 0.0
    used = short_term.use / (1.0 - (1.0 - short_term.use) * kept)
    stock = (1.0 - recovered) / (1.0 - (1.0 - used) * recovered)
    assert released[-1] == pytest.approx(used * stock / short_term.use, rel=1e-3)


def test_poisson_input_depresses_to_its_mean():
    """The mean stock at Poisson rate r is 1 / (1 + use r tau_rec) (Tsodyks & Markram 1997, equation 5)."""
    short_term, rate, n = ShortTerm(0.4, 300.0), 10.0, 400
    network = Network(
        [
            Population("in", n, PoissonSource(rate)),
            Population("out", n, LeakyIntegrateAndFire(v_threshold=1e6, tau_exc=0.1)),
        ],
        [Synapses("in", "out", Pairs(np.arange(n), np.arange(n)), 1.0, short_term=short_term)],
    )
    session = Session.new(network, 3, 1)
    released, arrived = [], []
    for _ in range(300):
        session.advance(session.tick + 100)
        gains = session.built.cells.state[EXC, n : 2 * n]
        released.append(gains.sum())
    # per second: n r arrivals of 1 / (1 + U r tau), seen after a decay that is the same for all
    arrived = session.spike_counts.sum()
    assert arrived == pytest.approx(n * rate * 3.0, rel=0.1)
    expected = 1.0 / (1.0 + short_term.use * rate * short_term.tau_rec / 1000.0)
    decay = 1.0 / (1.0 - math.exp(-1.0))  # mean of a current that decays within a tick, per arrival and tick
    late = np.array(released[100:])
    assert late.mean() / (n * rate * 1e-4 * decay) == pytest.approx(expected, rel=0.1)
