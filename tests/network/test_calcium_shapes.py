"""Calcium that a saturating pump extrudes, and calcium that rises slowly."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import NetworkError
from cascades.network import (
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    PoissonSource,
    Population,
    SaturatingPump,
    SlowRise,
    Synapses,
    balanced_network,
    replay,
    run_network,
)
from cascades.network.calcium import stretched, unstretched
from cascades.network.plasticity import SlidingThreshold
from cascades.reduction.published import published_rule
from cascades.reduction.rule import RateTable

PUBLISHED = published_rule("cortical slice")
RULE = dataclasses.replace(
    PUBLISHED, sigma=0.0, well="none", calcium=dataclasses.replace(PUBLISHED.calcium, delay=0.0046)
)
GRADED = dataclasses.replace(
    RULE, rates=RateTable((0.0, 0.5, 1.0, 2.0, 4.0), (0.0, 0.0, 0.2, 1.0, 2.0), (0.0, 0.3, 0.5, 0.2, 0.1))
)
WELL = dataclasses.replace(RULE, well="cubic")
SHAPES = {"pump": SaturatingPump(0.8), "rise": SlowRise(0.004)}
STEP = 2e-6  # s, of the reference
BAR = 1e-4


@pytest.fixture(scope="module")
def trains():
    rng = np.random.default_rng(3)
    return tuple([np.round(np.sort(rng.uniform(1.0, 980.0, 14)), 1) for _ in range(60)] for _ in range(2))


def stepped(rule, shape, pre, post, start, duration):
    """Explicit steps of 2 us, all synapses at once."""
    n, per_tick = len(pre), round(1e-4 / STEP)
    jumps = np.zeros((round(duration * 1e4) + 1, n))
    for s in range(n):
        np.add.at(jumps[:, s], np.rint(pre[s] * 10).astype(int) + 46, rule.calcium.pre)
        np.add.at(jumps[:, s], np.rint(post[s] * 10).astype(int), rule.calcium.post)
    tau = rule.calcium.tau
    height = shape.height(tau) if isinstance(shape, SlowRise) else 1.0
    fast, slow, rho = np.zeros(n), np.zeros(n), start.copy()
    for tick in range(round(duration * 1e4)):
        fast += height * jumps[tick]
        if isinstance(shape, SlowRise):
            slow += height * jumps[tick]
        for _ in range(per_tick):
            c = fast - slow
            up, down = rule.rates_at(c)
            rho += STEP * (up * (1.0 - rho) - down * rho)
            if isinstance(shape, SlowRise):
                fast, slow = fast * math.exp(-STEP / tau), slow * math.exp(-STEP / shape.rise)
            else:
                fast = fast - STEP * fast / tau / (1.0 + fast / shape.half)
    return rho


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("rule", [RULE, GRADED], ids=["steps", "graded"])
def test_two_microsecond_steps(shape, rule, trains):
    pre, post = trains
    start = np.random.default_rng(4).random(len(pre))
    expected = stepped(rule, shape, pre, post, start, 1.0)
    found = replay(rule, pre, post, duration=1000.0, efficacy=start, calcium=shape).final
    assert np.abs(found - expected).max() <= BAR
    assert np.abs(expected - start).mean() > 0.01


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("rule", [RULE, WELL, GRADED], ids=["steps", "well", "graded"])
def test_lanes_equal_double_precision(shape, rule, trains):
    pre, post = trains
    options = {"duration": 1000.0, "times": [300.0, 1000.0], "efficacy": 0.4, "calcium": shape}
    exact = replay(rule, pre, post, **options).efficacies
    if rule is GRADED and isinstance(shape, SlowRise):
        with pytest.raises(NetworkError, match=r"graded rates are tabulated.*precision=.double"):
            replay(rule, pre, post, precision="single", **options)
        return
    lanes = replay(rule, pre, post, precision="single", **options).efficacies
    assert_allclose(lanes, exact, atol=BAR, rtol=0)
    plain = replay(rule, pre, post, **{**options, "calcium": None}).efficacies
    assert np.abs(exact - plain).max() > 0.01  # the shape matters


@pytest.mark.parametrize(
    ("shape", "words"), [(SaturatingPump(1e6), "pump"), (SlowRise(1e-7), "rise")], ids=["pump", "rise"]
)
def test_the_limits_are_a_jump_and_a_decay(shape, words, trains):
    plain = replay(RULE, *trains, duration=1000.0).final
    assert_allclose(replay(RULE, *trains, duration=1000.0, calcium=shape).final, plain, atol=1e-5)


def test_a_peak_has_the_size_of_the_jump():
    rise, tau = 0.003, 0.02
    t = np.linspace(0.0, 0.1, 100_001)
    course = SlowRise(rise).height(tau) * (np.exp(-t / tau) - np.exp(-t / rise))
    assert course.max() == pytest.approx(1.0, abs=1e-7)


def test_the_stretch_has_its_inverse():
    u = np.linspace(-20.0, 5.0, 101)
    assert_allclose(unstretched(stretched(u, 0.7), 0.7), u, atol=1e-10)


@pytest.mark.slow  # a kernel of its own is compiled for each
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_networks_with_shapes_resume(shape, tmp_path):
    network = dataclasses.replace(balanced_network(PUBLISHED, neurons=200, inputs=20), calcium=shape)
    path = tmp_path / "state.npz"
    run_network(network, 100.0, seed=2, checkpoint=path)
    second = run_network(network, 100.0, seed=2, checkpoint=path, threads=2)
    whole = run_network(network, 200.0, seed=2, read_every=3.0)
    assert np.array_equal(second.efficacies, whole.efficacies)
    assert np.array_equal(second.spike_times, whole.spike_times[whole.spike_times > 100.0])
    plain = run_network(dataclasses.replace(network, calcium=None), 200.0, seed=2)
    assert not np.array_equal(plain.efficacies, whole.efficacies)


def test_shapes_that_make_no_sense_are_refused():
    with pytest.raises(NetworkError, match="half must be positive"):
        SaturatingPump(0.0)
    with pytest.raises(NetworkError, match="shorter than the decay"):
        replay(RULE, [[1.0]], [[2.0]], duration=10.0, calcium=SlowRise(0.05))
    populations = [Population("in", 5, PoissonSource(1.0)), Population("out", 5, LeakyIntegrateAndFire())]
    synapses = [Synapses("in", "out", FixedInDegree(2), 1.0, plastic=True)]
    with pytest.raises(NetworkError, match="jumps and decays"):
        Network(populations, synapses, RULE, [SlidingThreshold()], calcium=SlowRise(0.001))
    with pytest.raises(NetworkError, match="has none"):
        Network(populations, [], calcium=SlowRise(0.001))
