"""Stopped, killed and damaged: what a checkpoint is for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest

from cascades.errors import CheckpointError, NetworkError
from cascades.network import (
    AdaptiveExponential,
    FixedInDegree,
    Network,
    PoissonDrive,
    PoissonSource,
    Population,
    ReplayedSource,
    Synapses,
    balanced_network,
    run_network,
)
from cascades.network.checkpoint import load as read_checkpoint
from cascades.network.plasticity import (
    ImportanceScaling,
    IntrinsicExcitability,
    ShortTerm,
    SlotPool,
    SlowVariable,
    SpikeTiming,
    SynapticScaling,
    TagAndCapture,
)
from cascades.reduction.published import published_rule

NOISY = published_rule("cortical slice")
RULE = dataclasses.replace(NOISY, sigma=0.0, well="none")


@pytest.mark.parametrize("rule", [RULE, NOISY], ids=["quiet", "noisy"])
def test_checkpoint_continues_bit_for_bit(rule, tmp_path):
    network = balanced_network(rule, neurons=400, inputs=40)
    path = tmp_path / "state.npz"
    run_network(network, 200.0, seed=2, checkpoint=path)
    second = run_network(network, 200.0, seed=2, checkpoint=path, threads=2)
    whole = run_network(network, 400.0, seed=2)
    late = whole.spike_times > 200.0
    assert second.start == 200.0
    assert np.array_equal(second.spike_times, whole.spike_times[late])
    assert np.array_equal(second.spike_neurons, whole.spike_neurons[late])
    assert np.array_equal(second.efficacies, whole.efficacies)


def test_resume_finishes_what_was_begun(small, tmp_path):
    path = tmp_path / "state.npz"
    run_network(small, 100.0, seed=2, checkpoint=path)
    rest = run_network(small, 250.0, seed=2, checkpoint=path, resume=True)
    whole = run_network(small, 250.0, seed=2)
    assert (rest.start, rest.duration) == (100.0, pytest.approx(150.0))
    assert np.array_equal(rest.efficacies, whole.efficacies)


def test_bad_checkpoints_are_refused(small, tmp_path):
    path = tmp_path / "state.npz"
    run_network(small, 5.0, seed=2, checkpoint=path)
    with pytest.raises(CheckpointError, match="seed 2"):
        run_network(small, 5.0, seed=3, checkpoint=path)
    with pytest.raises(CheckpointError, match="another network"):
        run_network(balanced_network(RULE, neurons=400, inputs=41), 5.0, seed=2, checkpoint=path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        run_network(small, 5.0, seed=2, checkpoint=path)
    path.write_bytes(b"not a file of ours")
    with pytest.raises(CheckpointError, match="damaged, or not"):
        run_network(small, 5.0, seed=2, checkpoint=path)
    np.savez(path, numbers=np.zeros(3))
    with pytest.raises(CheckpointError):
        run_network(small, 5.0, seed=2, checkpoint=path)


def test_a_checkpoint_of_another_version_is_refused(small, tmp_path, monkeypatch):
    import cascades.network.checkpoint as checkpoint

    path = tmp_path / "state.npz"
    monkeypatch.setattr(checkpoint, "VERSION", 99)
    run_network(small, 5.0, seed=2, checkpoint=path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=f"version 99; this release reads version {checkpoint.VERSION}"):
        run_network(small, 5.0, seed=2, checkpoint=path)


def test_a_changed_number_is_noticed(small, tmp_path):
    """One bit of one array: the digest does not match."""
    path = tmp_path / "state.npz"
    run_network(small, 5.0, seed=2, checkpoint=path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["records"][7] += 1.0
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match="do not match their digest"):
        run_network(small, 5.0, seed=2, checkpoint=path)


def test_a_crash_while_saving_keeps_the_old_checkpoint(small, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    run_network(small, 5.0, seed=2, checkpoint=path)
    before = path.read_bytes()

    def crash(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", crash)
    with pytest.raises(OSError, match="disk full"):
        run_network(small, 5.0, seed=2, checkpoint=path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


KILLED = """
import sys
import cascades.network.run
from cascades.network import balanced_network, run_network
from cascades.network.plasticity import SynapticScaling
from cascades.reduction import published_rule
sys.modules["cascades.network.run"].SAVE_EVERY = 0.0  # at every look at the clock
scaling = SynapticScaling(interval=50.0)
network = balanced_network(published_rule("cortical slice"), neurons=400, inputs=40, mechanisms=[scaling])
run_network(network, 3000.0, seed=2, checkpoint=sys.argv[1], resume=True)
"""


def killed_network():
    return balanced_network(NOISY, neurons=400, inputs=40, mechanisms=[SynapticScaling(interval=50.0)])


@pytest.mark.slow
def test_killed_while_running_and_saving(tmp_path):
    """Killed without warning again and again, the run ends as if nothing had happened."""
    path = tmp_path / "state.npz"
    rng = np.random.default_rng(5)
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)])
        while not path.exists() and child.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 1.5))
        child.kill()
        child.wait()
        if path.exists():
            read_checkpoint(path, killed_network(), 2, 1)
    whole = run_network(killed_network(), 3000.0, seed=2)
    if read_checkpoint(path, killed_network(), 2, 1).tick <= 30_000:
        finished = run_network(killed_network(), 3000.0, seed=2, checkpoint=path, resume=True)
        assert np.array_equal(finished.efficacies, whole.efficacies)
    ended = read_checkpoint(path, killed_network(), 2, 1)
    assert ended.tick == 30_001
    assert np.array_equal(ended.spike_counts, whole.spike_counts)
    with pytest.raises(NetworkError, match="nothing is left to run"):
        run_network(killed_network(), 3000.0, seed=2, checkpoint=path, resume=True)


def test_everything_at_once_continues_bit_for_bit(tmp_path):
    """Noise, short-term plasticity, conductances, drive, replayed spikes, combined mechanisms."""
    rng = np.random.default_rng(0)
    spikes = ReplayedSource(rng.uniform(0.0, 300.0, 500), rng.integers(0, 20, 500))
    weaker = dataclasses.replace(NOISY, gamma_p=0.5 * NOISY.gamma_p)
    releases = ShortTerm(0.3, 200.0, 100.0)
    network = Network(
        [
            Population("in", 20, spikes),
            Population("noise", 50, PoissonSource(20.0)),
            Population("E", 100, AdaptiveExponential(drive=300.0), PoissonDrive(500.0, 2.0)),
        ],
        [
            Synapses("in", "E", FixedInDegree(10), 5.0, plastic=True, short_term=releases),
            Synapses("E", "E", FixedInDegree(10), 1.0, delay=2.3, plastic=True),
            Synapses("noise", "E", FixedInDegree(5), 3.0, receptor="inh"),
        ],
        NOISY,
        [
            SlowVariable(interval=20.0, values=(0.0, 1.0), rules=(NOISY, weaker), tau=100.0,
                         rates=(0.0, 50.0), targets=(0.0, 1.0)),
            SynapticScaling(interval=30.0),
            IntrinsicExcitability(interval=40.0),
            SlotPool(interval=50.0),
            TagAndCapture(interval=20.0),
            ImportanceScaling(interval=50.0, ends=(100.0,)),
        ],
    )  # fmt: skip
    path = tmp_path / "state.npz"
    run_network(network, 130.0, seed=2, checkpoint=path)
    second = run_network(network, 130.0, seed=2, checkpoint=path, threads=2)
    whole = run_network(network, 260.0, seed=2)
    assert np.array_equal(second.spike_times, whole.spike_times[whole.spike_times > 130.0])
    for name, values in whole.final_efficacies.items():
        assert np.array_equal(second.final_efficacies[name], values), name
    for mechanism, memory in whole.memories.items():
        for name, values in memory.items():
            assert np.array_equal(second.memories[mechanism][name], values), (mechanism, name)


def test_spike_timing_continues_bit_for_bit(tmp_path):
    timing = SpikeTiming(ltp_triplet=0.005, ltd_triplet=0.002)
    network = balanced_network(RULE, neurons=200, inputs=20)
    learning = dataclasses.replace(network.synapses[0], timing=timing)
    network = dataclasses.replace(network, synapses=(learning, *network.synapses[1:]))
    path = tmp_path / "state.npz"
    run_network(network, 100.0, seed=2, checkpoint=path, threads=2)
    second = run_network(network, 100.0, seed=2, checkpoint=path)
    assert np.array_equal(second.efficacies, run_network(network, 200.0, seed=2).efficacies)
