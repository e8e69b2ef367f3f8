"""NEST for tests: which interpreter has it, and an environment in which MPI runs anywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cascades.export import on_nest

SIMULATORS = os.environ.get("CASCADES_SIMULATORS", sys.executable)
# for machines with fewer cores than ranks, and containers whose user is root
MPI = {
    "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1",
}  # fmt: skip


def needs_nest(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Skips where there is no NEST; returns whether it has MPI."""
    probe = subprocess.run([SIMULATORS, "-c", on_nest.PROBE], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip("no NEST with NESTML (CASCADES_SIMULATORS names an interpreter that has them)")
    for name, value in MPI.items():
        monkeypatch.setenv(name, value)
    return "true" in probe.stdout.splitlines()[-1]
