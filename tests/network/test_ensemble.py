"""Ensembles of networks: the same results here and through an executor, kept and looked up."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cascades.errors import NetworkError
from cascades.network import balanced_network, run_network, run_networks
from cascades.network import ensemble as room
from cascades.reduction.published import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
NETWORK = balanced_network(RULE, neurons=100, inputs=10)
DURATION = 50.0
SEEDS = (3, 1, 4, 1)


def final_mean(recording):
    return {"efficacy": recording.efficacies.mean(), "spikes": recording.spike_times.size}


@pytest.fixture(scope="module")
def alone():
    return run_networks(NETWORK, DURATION, seeds=SEEDS, keep=final_mean)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert a.keys() == b.keys()
        for name in a:
            assert_array_equal(a[name], b[name])


def test_a_member_is_a_run(alone):
    for seed, member in zip(SEEDS, alone):
        recording = run_network(NETWORK, DURATION, seed=seed)
        assert_same([member], [{name: np.asarray(x) for name, x in final_mean(recording).items()}])
    assert_same(alone[1:2], alone[3:4])
    assert alone[0]["efficacy"] != alone[1]["efficacy"]


def test_summary_has_names_and_times():
    (member,) = run_networks(NETWORK, DURATION, seeds=[0])
    assert set(member) == {
        "times", "rate E", "rate I", "mean efficacy E -> E", "spread of efficacy E -> E",
    }  # fmt: skip
    assert member["times"].shape == member["mean efficacy E -> E"].shape


def test_threads_of_an_executor(alone):
    seen = []
    with ThreadPoolExecutor(2) as pool:
        found = run_networks(
            NETWORK, DURATION, seeds=SEEDS, keep=final_mean, executor=pool,
            progress=lambda done, members: seen.append((done, members)),
        )  # fmt: skip
    assert_same(found, alone)
    assert seen == [(k, 4) for k in range(5)]


@pytest.mark.slow
def test_processes(alone, tmp_path):
    """As through dask or MPI: the members are pickled, and their results stored as they come in."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = run_networks(NETWORK, DURATION, seeds=SEEDS, keep=room.summary, executor=pool, store=tmp_path)
    assert_same(found, run_networks(NETWORK, DURATION, seeds=SEEDS))
    assert len(list(tmp_path.glob("*.npz"))) == len(set(SEEDS))


@pytest.mark.slow
@pytest.mark.oracle
def test_dask(alone):
    """A cluster of two processes on this machine; the network is pickled as it is to other machines."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        found = run_networks(
            NETWORK, DURATION, seeds=SEEDS, keep=room.summary, executor=client.get_executor()
        )
    assert_same(found, run_networks(NETWORK, DURATION, seeds=SEEDS))


def test_stored_members_are_not_run_again(alone, tmp_path, monkeypatch):
    with pytest.raises(ZeroDivisionError):  # the third member fails; the first two are kept
        run_networks(NETWORK, DURATION, seeds=SEEDS, keep=_fails_third(), store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    first = run_networks(NETWORK, DURATION, seeds=SEEDS, keep=final_mean, store=tmp_path)
    assert_same(first, alone)
    monkeypatch.setattr(room, "run_network", None)
    assert_same(run_networks(NETWORK, DURATION, seeds=SEEDS, keep=final_mean, store=tmp_path), alone)
    damaged = next(iter(tmp_path.glob("*.npz")))
    damaged.write_bytes(damaged.read_bytes()[:40])
    monkeypatch.setattr(room, "run_network", run_network)
    assert_same(run_networks(NETWORK, DURATION, seeds=SEEDS, keep=final_mean, store=tmp_path), alone)


def _fails_third():
    calls = []

    def fails_third(recording):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return final_mean(recording)

    return fails_third


def test_an_interrupt_keeps_what_is_done(alone, monkeypatch):
    runs = []

    def interrupted(*arguments, **options):
        runs.append(1)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return run_network(*arguments, **options)

    monkeypatch.setattr(room, "run_network", interrupted)
    found = run_networks(NETWORK, DURATION, seeds=SEEDS, keep=final_mean)
    assert_same(found[:2], alone[:2])
    assert found[2:] == [None, None]


def test_one_seed_per_network():
    with pytest.raises(NetworkError, match="one seed per network"):
        run_networks([NETWORK, NETWORK], DURATION, seeds=[1])
