"""Networks: same seed, same spikes; checkpoints; agreement with closed forms; refusals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import UnknownName
from cascades.network import (
    AdaptiveExponential,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    PoissonDrive,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    balanced_network,
    replay,
    run_network,
)
from cascades.reduction.published import published_rule
from tests.interrupts import ctrl_c

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
NOISY = published_rule("cortical slice")


def same(a, b):
    return (
        np.array_equal(a.spike_times, b.spike_times)
        and np.array_equal(a.spike_neurons, b.spike_neurons)
        and all(np.array_equal(a.final_efficacies[n], b.final_efficacies[n]) for n in a.final_efficacies)
    )


def test_activity_is_balanced(recording):
    assert 2.0 < recording.rate("E") < 30.0
    assert recording.spike_times.max() <= 500.0
    assert (np.diff(recording.spike_times) >= 0.0).all()
    assert recording.times[0] == 0.0 and recording.times[-1] == pytest.approx(500.0)
    assert recording.mean_efficacy["E -> E"][0] == pytest.approx(0.5, abs=0.01)
    assert recording.complete


@pytest.mark.parametrize("rule", [RULE, NOISY], ids=["quiet", "noisy"])
def test_same_seed_same_spikes_on_any_number_of_threads(rule):
    network = balanced_network(rule, neurons=400, inputs=40)
    one = run_network(network, 300.0, seed=5)
    assert same(one, run_network(network, 300.0, seed=5))
    assert same(one, run_network(network, 300.0, seed=5, threads=2))
    assert not same(one, run_network(network, 300.0, seed=6))


def test_neurons_are_the_same_bits_on_any_number_of_threads():
    """Of long rows, in which sources reach a target more than once: sums go on in one order."""
    from cascades.network.session import Session

    network = balanced_network(RULE, neurons=400, inputs=200)
    sessions = [Session.new(network, 1, threads) for threads in (1, 2)]
    for session in sessions:
        session.advance(1001)
    one, two = (session.built.cells.state[:, : network.size] for session in sessions)
    assert np.array_equal(one, two)


def test_readings_change_nothing(small, recording):
    assert same(recording, run_network(small, 500.0, seed=1, read_every=7.0))


def test_efficacies_equal_a_replay_of_the_spikes(small, recording):
    """The network's spikes, replayed in double precision."""
    times, neurons = recording.spikes("E")
    trains = [times[neurons == i] for i in range(320)]
    on_grid = dataclasses.replace(RULE, calcium=dataclasses.replace(RULE.calcium, delay=0.0046))
    from cascades.network.session import Session

    session = Session.new(small, 1, 1)
    synapses = session.view().plastic[0]
    pick = np.arange(0, synapses.efficacy.size, 97)
    start = synapses.efficacy[pick].astype(float)
    found = replay(
        on_grid, trains, trains, sources=synapses.source[pick], targets=synapses.target[pick], efficacy=start,
        duration=500.0,
    )  # fmt: skip
    assert_allclose(recording.efficacies[pick], found.final, atol=2e-5)
    assert np.abs(found.final - start).max() > 0.01


def test_spikes_that_are_not_kept_are_counted(small, recording):
    found = run_network(small, 500.0, seed=1, keep_spikes=["I"])
    assert found.kept == ("I",)
    assert np.array_equal(found.spikes("I")[0], recording.spikes("I")[0])
    assert found.rates == recording.rates
    assert np.array_equal(found.spike_counts, np.bincount(recording.spike_neurons, minlength=400))
    with pytest.raises(UnknownName, match="spikes kept"):
        found.spikes("E")
    with pytest.raises(UnknownName, match="population"):
        run_network(small, 5.0, seed=1, keep_spikes=["X"])


def test_ctrl_c_keeps_what_is_done(small):
    def interrupt(fraction):
        if fraction > 0.4:
            raise KeyboardInterrupt

    partial = run_network(small, 1000.0, seed=1, progress=interrupt)
    assert not partial.complete
    assert 300.0 < partial.duration < 700.0
    assert partial.spike_times.max() <= partial.duration


def test_ctrl_c_inside_compiled_code_loses_no_tick(small, tmp_path):
    """What is saved after it goes on as if nothing had happened."""
    path, duration = tmp_path / "state.npz", 20_000.0
    whole = run_network(small, duration, seed=1)
    reached = [0.0]
    for _ in range(3):
        with ctrl_c(after=0.01) as key:

            def press(fraction, key=key):
                if not key.is_alive() and not key.finished.is_set():
                    key.start()

            part = run_network(small, duration, seed=1, checkpoint=path, resume=True, progress=press)
        assert not part.complete
        reached.append(part.start + part.duration)
    assert reached == sorted(set(reached)) and reached[-1] < duration
    rest = run_network(small, duration, seed=1, checkpoint=path, resume=True, threads=2)
    late = whole.spike_times > rest.start + 0.05
    assert np.array_equal(rest.spike_times, whole.spike_times[late])
    assert np.array_equal(rest.efficacies, whole.efficacies)


def test_a_neuron_integrates_exactly():
    """One spike onto a leaky integrate-and-fire neuron: the alpha-like response in closed form."""
    cell = LeakyIntegrateAndFire(tau_exc=3.0)
    network = Network(
        [Population("in", 1, ReplayedSource([1.0], [0])), Population("out", 1, cell)],
        [Synapses("in", "out", Pairs([0], [0]), 10.0, delay=2.0)],
    )
    from cascades.network.arrays import V
    from cascades.network.session import Session

    session = Session.new(network, 0, 1)
    session.built.cells.state[V] = cell.v_rest
    for elapsed in (1.0, 5.0, 20.0):
        session.advance(30 + round(elapsed / 0.1) + 1)
        expected = 10.0 * 3.0 / (20.0 - 3.0) * (math.exp(-elapsed / 20.0) - math.exp(-elapsed / 3.0))
        assert_allclose(session.built.cells.state[V, 1] - cell.v_rest, expected, rtol=2e-4)


def test_rate_of_a_driven_neuron():
    """Without noise the interval is tau ln((drive) / (drive - threshold)) from reset, plus the dead time."""
    cell = LeakyIntegrateAndFire(drive=25.0)
    found = run_network(Network([Population("n", 1, cell)]), 5000.0, seed=0)
    expected = 2.0 + 20.0 * math.log((25.0 - 10.0) / (25.0 - 20.0))
    intervals = np.diff(found.spike_times)
    assert_allclose(intervals, expected, atol=0.2)


def test_poisson_sources_have_their_rate():
    found = run_network(Network([Population("p", 1000, PoissonSource(20.0))]), 5000.0, seed=4)
    assert found.rate("p") == pytest.approx(20.0, abs=4.0 * math.sqrt(20.0 / 5000.0))
    _, neurons = found.spikes("p")
    counts = np.bincount(neurons, minlength=1000)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.2)


def test_poisson_drive_has_its_mean_and_variance():
    """Campbell: mean rate * weight * tau_exc of the current."""
    cell = LeakyIntegrateAndFire(v_threshold=1e3, tau_exc=5.0)
    network = Network([Population("n", 2000, cell, PoissonDrive(1000.0, 0.5))])
    from cascades.network.arrays import EXC
    from cascades.network.session import Session

    session = Session.new(network, 3, 1)
    session.advance(1001)
    current = session.built.cells.state[EXC]
    assert current.mean() == pytest.approx(2.5, rel=0.03)
    assert current.var() == pytest.approx(0.5**2 * 1.0 * 5.0 / 2.0, rel=0.1)


def test_adaptive_neurons_adapt():
    cell = AdaptiveExponential(drive=800.0)
    found = run_network(Network([Population("n", 1, cell)]), 500.0, seed=0)
    intervals = np.diff(found.spike_times)
    assert intervals.size > 3
    assert intervals[-1] > 1.5 * intervals[0]
    steady = dataclasses.replace(cell, a=0.0, b=0.0)
    plain = np.diff(run_network(Network([Population("n", 1, steady)]), 500.0, seed=0).spike_times)
    assert_allclose(plain[1:], plain[1], atol=0.2)


def test_magnesium_blocks_nmda():
    def count(magnesium):
        cell = AdaptiveExponential(magnesium=magnesium, nmda_ratio=1.0)
        times = np.arange(10.0, 400.0, 10.0)
        network = Network(
            [
                Population("in", 1, ReplayedSource(times, np.zeros(times.size, int))),
                Population("out", 1, cell),
            ],
            [Synapses("in", "out", Pairs([0], [0]), 6.0)],
        )
        return run_network(network, 400.0, seed=0).spikes("out")[0].size

    assert count(0.0) > count(1.0)


def test_memory_per_plastic_synapse():
    """At most 24 bytes in the arrays that last."""
    from cascades.network.session import Session

    built = Session.new(balanced_network(NOISY, neurons=1000, inputs=200), 0, 1).built
    synapses = built.plastic.column.size
    p = built.plastic
    used = sum(a.nbytes for a in (p.records, p.split, p.column, p.ends))
    assert used / synapses <= 24.0


def test_recordings_are_saved(recording, tmp_path):
    path = recording.save(tmp_path / "run")
    with np.load(path) as file:
        assert np.array_equal(file["spike_times"], recording.spike_times)
        assert '"rate": "Hz"' in str(file["about"])
    frame = recording.to_dataframe()
    assert list(frame.columns) == ["time", "population", "neuron"]
    assert len(frame) == recording.spike_times.size
    assert frame[frame.population == "I"].neuron.max() < 80
    assert recording.units["rate"] == "Hz"
    centres, rate = recording.rate_in_time("E", 50.0)
    assert centres.size == 10
    assert rate.mean() == pytest.approx(recording.rate("E"))


def test_ticks_beyond_32_bits(small, monkeypatch):
    """Records count from a new beginning now and then; spikes and rounding apart nothing changes."""
    import cascades.network.session as session

    before = run_network(small, 100.0, seed=1)
    monkeypatch.setattr(session, "REBASE", 300)
    after = run_network(small, 100.0, seed=1)
    assert_allclose(after.efficacies, before.efficacies, atol=1e-6)
    assert np.array_equal(after.spike_neurons[:50], before.spike_neurons[:50])
