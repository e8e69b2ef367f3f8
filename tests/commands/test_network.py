"""`cascades network --on nest`, from the command line to the recording."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.nest import SIMULATORS, needs_nest

SMALL = ("network", "DP", "--on", "nest", "--neurons", "200", "--synapses", "20", "--duration", "0.5")
AS_PRINTED = 1e-6


@pytest.fixture
def nest(monkeypatch):
    """Whether NEST has MPI; skips where there is none."""
    has_mpi = needs_nest(monkeypatch)
    monkeypatch.setenv("CASCADES_SIMULATORS", SIMULATORS)
    return has_mpi


def recorded(folder):
    with np.load(folder / "recording.npz") as file:
        return dict(file)


@pytest.mark.oracle
@pytest.mark.slow
def test_a_run_on_nest_leaves_what_a_run_here_does(cascades, nest, tmp_path):
    done = cascades(*SMALL, "--json", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    arrays = recorded(tmp_path / "run")
    assert (tmp_path / "run" / "network.png").stat().st_size > 10_000
    assert found["spikes"] == arrays["spike_times"].size > 100
    assert found["rates_Hz"]["A"] > 5.0 * found["rates_Hz"]["E"]  # the assembly is driven by more
    final = {name: arrays[f"final_efficacies/{name}"] for name in found["final_mean_efficacy"]}
    assert sum(x.size for x in final.values()) == found["plastic_synapses"] == 160 * 20
    for name, mean in found["final_mean_efficacy"].items():
        assert_allclose(final[name].mean(), mean, atol=AS_PRINTED)
        assert 0.1 < found["first_mean_efficacy"][name] < 0.3  # a fifth is UP
    assert found["final_mean_efficacy"]["A -> A"] != found["first_mean_efficacy"]["A -> A"]


@pytest.mark.oracle
@pytest.mark.slow
def test_ranks_are_threads(cascades, nest, tmp_path):
    """The rule of the command line has noise."""
    if not nest:
        pytest.skip("this NEST was built without MPI")
    runs = []
    for how in ("--ranks", "--threads"):
        done = cascades(*SMALL, how, "2", "--out", tmp_path / how)
        assert done.code == 0, done.err
        runs.append(recorded(tmp_path / how))
    ranks, threads = runs
    assert ranks.keys() == threads.keys()
    for name, values in ranks.items():
        assert_array_equal(values, threads[name])
    assert ranks["spike_times"].size > 100


@pytest.mark.oracle
@pytest.mark.slow
def test_ranks_of_a_nest_without_mpi_are_refused(cascades, nest):
    if nest:
        pytest.skip("this NEST was built with MPI")
    refused = cascades(*SMALL, "--ranks", "2")
    assert refused.code == 1
    assert "without MPI" in refused.err
    assert "docs/more_than_one_machine.md" in refused.err


def test_an_interpreter_without_nest_is_named(cascades, monkeypatch, tmp_path):
    monkeypatch.setenv("CASCADES_SIMULATORS", str(tmp_path / "nowhere"))
    refused = cascades(*SMALL)
    assert refused.code == 1
    assert "nowhere cannot be started" in refused.err
    assert "Traceback" not in refused.err
