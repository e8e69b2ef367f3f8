"""Protocols as data: times, combination, refusal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascades.errors import ProtocolError
from cascades.protocols import (
    EXPERIMENTS,
    hfs,
    lfs,
    overlay,
    pairing,
    poisson,
    priming,
    pulse_train,
    rest,
    setting,
    spikes,
    theta_burst,
)

ROUNDING = 1e-12


def test_a_pulse_train_has_its_pulses_where_they_belong():
    train = pulse_train(rate=100.0, count=3, start=1.0)
    np.testing.assert_allclose(train.times(), [1.0, 1.01, 1.02], atol=ROUNDING)
    assert train.duration == pytest.approx(1.03)
    assert train.targets() == ("glutamate",)


def test_standard_protocols_count_right():
    assert lfs().times().size == 900
    assert hfs().times().size == 400
    np.testing.assert_allclose(hfs().times()[[0, 100, 200, 300]], [0.0, 300.0, 600.0, 900.0])
    assert theta_burst().times().size == 40
    assert theta_burst(trains=3).times().size == 120


@pytest.mark.parametrize("delay", [-0.02, 0.0, 0.015])
def test_pairs_keep_their_delay(delay):
    pairs = pairing(delay=delay, rate=5.0, count=7)
    np.testing.assert_allclose(
        pairs.spike_times("bap") - pairs.spike_times("glutamate"), delay, atol=ROUNDING
    )


def test_protocols_join_overlay_and_nest():
    whole = hfs(trains=1).then(lfs(count=10), after=5.0).rest(60.0)
    assert whole.times().max() == pytest.approx(1.0 + 5.0 + 9.0)
    assert whole.duration == pytest.approx(1.0 + 5.0 + 10.0 + 60.0)
    nested = spikes([0.0, 0.01]).repeat(3, every=0.1).repeat(2, every=10.0)
    assert nested.times().size == 12
    both = overlay([spikes([1.0]), spikes([2.0], target="bap")])
    assert both.targets() == ("glutamate", "bap")


def test_the_same_seed_gives_the_same_spikes():
    first, again, other = (poisson(rate=20.0, duration=50.0, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert abs(first.times().size - 1000) < 5 * math.sqrt(1000)


@given(st.floats(0.1, 200.0), st.integers(1, 50), st.floats(0.0, 1e4))
def test_shifting_keeps_intervals(rate, count, delay):
    train = pulse_train(rate=rate, count=count)
    np.testing.assert_allclose(np.diff(train.shift(delay).spike_times("glutamate")), 1.0 / rate, rtol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pulse_train(rate=-1.0, count=3),
        lambda: pulse_train(rate=math.inf, count=3),
        lambda: pulse_train(rate=1.0, count=-3),
        lambda: pulse_train(rate=1.0, count=0),
        lambda: pulse_train(rate=1.0, count=2.5),
        lambda: spikes([-1.0]),
        lambda: spikes([math.nan]),
        lambda: pairing(delay=math.nan),
        lambda: poisson(rate=-1.0, duration=1.0, seed=0),
        lambda: setting("Ca", 1.0, start=2.0, stop=1.0),
        lambda: rest(-1.0),
        lambda: spikes([1.0]).shift(-2.0),
        lambda: spikes([1.0]).repeat(2, every=0.0),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(ProtocolError, match=r"\(got "):
        make()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_ends_at_its_read_out(name):
    needed = {"frequency_response": {"rate": 3.0}, "stdp": {"delay": -0.01}}.get(name, {})
    sooner, later = (EXPERIMENTS[name](after=after, **needed) for after in (10.0, 70.0))
    assert later.duration == pytest.approx(sooner.duration + 60.0)
    assert sooner.stimuli == later.stimuli
    assert sooner.last_stimulus() < sooner.duration


def test_priming_is_a_train_after_slow_pulses():
    times = priming(pause=1800.0).spike_times("glutamate")
    assert times.size == 1000
    assert times[900] - times[899] == pytest.approx(1801.0)
