"""Ensembles: chunks, executors, the store, and what is kept when somebody stops them."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import cascades.ensemble as ensembles
from cascades.compiler.compiled import CompiledModel
from cascades.errors import SolverFailure, UnknownName
from cascades.protocols import spikes
from cascades.simulate import simulate
from cascades.solvers.base import INTERRUPTED
from tests.interrupts import ctrl_c
from tests.problems import PROBLEMS

TIMES = [0.0, 0.5, 2.0]


@pytest.fixture(name="binding", scope="module")
def compiled_binding():
    return CompiledModel(PROBLEMS["binding"].equations)


@pytest.fixture(name="small_chunks")
def chunks_of_a_few(monkeypatch):
    monkeypatch.setattr(ensembles, "_PILOT", 16)
    monkeypatch.setattr(ensembles, "CHUNK_BYTES", 16 * 8 * (3 * 4 + 2))


def values(members=100):
    return {"on": np.linspace(1.0, 4.0, members)}


def test_chunks_do_not_show(binding, small_chunks):
    whole = simulate(binding, TIMES, values=values(), observables=["AB"])
    assert whole.values.shape == (100, 3, 1)
    for member in (0, 15, 16, 99):
        alone = simulate(binding, TIMES, values={"on": values()["on"][member : member + 1].repeat(2)})
        assert_array_equal(whole["AB"][member], alone["AB"][0])


@pytest.mark.parametrize("seconds", [1e-9, 10.0])
def test_no_chunk_of_one_member(binding, small_chunks, monkeypatch, seconds):
    """A lone member would run on other code: neither a slow first chunk nor the last member may do that."""
    monkeypatch.setattr(ensembles, "SECONDS_HERE", seconds)
    chosen = values()["on"][:17]
    whole = simulate(binding, TIMES, values={"on": chosen})
    for member in (0, 7, 16):
        alone = simulate(binding, TIMES, values={"on": chosen[[member, member]]})
        assert_array_equal(whole.values[member], alone.values[0])


def test_values_initial_states_and_protocols_together(binding):
    protocols = [spikes([0.5], target="A", size=s) for s in (0.0, 1.0, 2.0)]
    found = simulate(
        binding, TIMES, values={"on": [1.0, 2.0, 3.0]}, initial={"B": [1.0, 2.0, 3.0]}, protocol=protocols
    )
    totals = found["A"] + found["AB"]
    np.testing.assert_allclose(totals[:, -1], [1.0, 2.0, 3.0], rtol=1e-12)
    with pytest.raises(ValueError, match="different numbers of members"):
        simulate(binding, TIMES, values={"on": [1.0, 2.0]}, protocol=protocols)


def test_an_executor_gives_the_same(binding, small_chunks):
    here = simulate(binding, TIMES, values=values())
    with ThreadPoolExecutor(2) as executor:
        away = simulate(binding, TIMES, values=values(), executor=executor)
    assert_array_equal(here.values, away.values)


def test_a_killed_sweep_resumes(binding, small_chunks, tmp_path, monkeypatch):
    solved = []
    solve = ensembles.solve_batch

    def failing(batch):
        if len(solved) == 3:
            raise RuntimeError("killed")
        solved.append(batch.n_members)
        return solve(batch)

    monkeypatch.setattr(ensembles, "solve_batch", failing)
    with pytest.raises(RuntimeError, match="killed"):
        simulate(binding, TIMES, values=values(), store=tmp_path)
    monkeypatch.setattr(
        ensembles, "solve_batch", lambda batch: solved.append(batch.n_members) or solve(batch)
    )
    found = simulate(binding, TIMES, values=values(), store=tmp_path)
    assert sum(solved) == 100  # nothing twice
    assert_array_equal(found.values, simulate(binding, TIMES, values=values()).values)
    solved.clear()
    again = simulate(binding, TIMES, values=values(), store=tmp_path)
    assert solved == []
    assert_array_equal(again.values, found.values)


def test_a_damaged_file_in_the_store_is_computed_again(binding, tmp_path):
    first = simulate(binding, TIMES, values=values(), store=tmp_path)
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    assert_array_equal(simulate(binding, TIMES, values=values(), store=tmp_path).values, first.values)


def test_progress_says_how_many_how_fast_and_how_long(binding, small_chunks, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, as far as the bar can tell
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    simulate(binding, TIMES, values=values(5_000), progress=True)
    shown = capsys.readouterr().err
    assert "/5000" in shown
    assert "members/s" in shown
    assert "0:00" in shown  # time left
    simulate(binding, TIMES, values=values(500), progress=False)
    assert capsys.readouterr().err == ""


def test_another_tolerance_is_another_result(binding, tmp_path):
    first = simulate(binding, TIMES, values=values(4), store=tmp_path)
    second = simulate(binding, TIMES, values=values(4), store=tmp_path, rtol=1e-3)
    assert not np.array_equal(first.values, second.values)


def test_ctrl_c_keeps_what_is_done(binding, small_chunks, monkeypatch):
    """The key is pressed while the chunk after the third is computed, however slow the machine is."""
    look_up, chunks = ensembles._looked_up, []

    def counted(part, store):
        chunks.append(part)
        if len(chunks) == 4:
            key.start()
        return look_up(part, store)

    monkeypatch.setattr(ensembles, "_looked_up", counted)
    many = {"on": np.linspace(1.0, 4.0, 2_000_000)}
    with ctrl_c(after=0.05) as key:
        found = simulate(binding, TIMES, values=many, observables=["AB"], throw=False)
    done = found.status == 0
    assert 0 < done.sum() < 2_000_000
    assert np.isfinite(found.values[done]).all()
    assert (found.status[~done] == INTERRUPTED).all()


def test_failed_members_are_named_and_the_others_are_there(binding):
    with pytest.raises(SolverFailure, match="1 of 3 members failed") as caught:
        simulate(binding, TIMES, values={"on": [1.0, np.nan, 2.0]})
    assert list(caught.value.failed) == [1]
    assert np.isfinite(caught.value.trajectory.values[[0, 2]]).all()


def test_names_are_checked_before_anything_runs(binding):
    for arguments in ({"values": {"onn": 1.0}}, {"initial": {"Q": 1.0}}, {"observables": ["nope"]}):
        with pytest.raises(UnknownName):
            simulate(binding, TIMES, **arguments)


@pytest.mark.slow
def test_dask_survives_a_killed_worker(binding, small_chunks):
    """One of two workers is killed while the sweep runs; its chunks are computed by the other."""
    distributed = pytest.importorskip("distributed")
    here = simulate(binding, TIMES, values=values(40_000))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(cluster.workers.values()))
        threading.Timer(0.5, os.kill, (victim.pid, signal.SIGKILL)).start()
        away = simulate(binding, TIMES, values=values(40_000), executor=client.get_executor())
    assert_array_equal(here.values, away.values)
