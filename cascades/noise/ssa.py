"""Exact and approximate random paths of a jump process, many members at once.

direct    Gillespie (1977) J. Phys. Chem. 81:2340: every event
tau       explicit tau-leaping with the step of Cao, Gillespie & Petzold (2006) J. Chem. Phys. 124:044109;
          single events where a leap would be shorter than a few of them
langevin  the chemical Langevin equation, Gillespie (2000) J. Chem. Phys. 113:297, Euler-Maruyama with
          the same step; counts are not whole and are kept from falling below zero
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cascades.errors import NoiseError, UnknownName
from cascades.kernels.processor import native_lanes
from cascades.noise.direct import run_direct
from cascades.noise.jumps import JumpProcess
from cascades.noise.leaps import run_langevin, run_tau
from cascades.noise.members import BAD_RATE, TOO_MANY, run
from cascades.trajectory import Trajectory

METHODS = {"direct": run_direct, "tau": run_tau, "langevin": run_langevin}
REASONS = {TOO_MANY: "more events than allowed", BAD_RATE: "a propensity is negative or not a number"}


def random_paths(
    process: JumpProcess,
    times: np.ndarray | Sequence[float],
    *,
    values: Mapping[str, float] | None = None,
    initial: Mapping[str, float] | None = None,
    members: int = 1,
    seed: int = 0,
    method: str = "direct",
    threads: int | None = None,
    most_events: int = 10_000_000_000,
) -> Trajectory:
    """Counts over time; the same seed gives the same result on any number of threads.

    Parameters
    ----------
    times : when counts are reported [the model's time unit], from 0
    values, initial : parameters and counts that differ from the model's own
    method : "direct", "tau" or "langevin"

    Returns
    -------
    Trajectory
        `values` are molecules, shape (members, times, species); a member that stopped early has NaN
        after `reached`.

    Raises
    ------
    UnknownName, NoiseError
    """
    grid = np.atleast_1d(np.asarray(times, float))
    if grid.size == 0 or not np.isfinite(grid).all() or grid[0] < 0.0 or (np.diff(grid) < 0.0).any():
        raise NoiseError("times must be finite, sorted and not negative; the run starts at 0")
    if method not in METHODS:
        raise UnknownName("method", method, tuple(METHODS))
    p, start = process.constants(process.values(values)), process.counts(initial)
    if (start < 0.0).any():
        raise NoiseError(f"{process.species[int(np.argmin(start))]} starts below zero")
    tables = change_tables(process)
    out = np.full((members, grid.size, start.size), np.nan)
    status = np.zeros(members, np.int64)
    reached = np.full(members, grid[-1])
    count = min(threads or os.cpu_count() or 1, members)
    if members == 0:
        raise NoiseError("there must be at least one member")
    address = process.lane_formulas(native_lanes()).address

    def share(part: int) -> None:
        range_ = members * part // count, members * (part + 1) // count
        run(METHODS[method], address, start, p, tables, grid, out, seed, range_, most_events, status, reached)

    if count == 1:
        share(0)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(share, range(count)))
    return Trajectory(
        times=grid,
        values=out,
        names=process.species,
        units=dict.fromkeys(process.species, "molecules"),
        status=status,
        reached=reached,
        time_unit=process.time_unit,
        provenance={"model": process.name, "solver": f"stochastic, {method}", "seed": seed},
    )


def change_tables(process: JumpProcess) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `changes` without their zeros: starts, species and amounts."""
    rows, species = np.nonzero(process.changes)
    starts = np.searchsorted(rows, np.arange(len(process.reactions) + 1))
    return (
        starts.astype(np.int64),
        species.astype(np.int64),
        process.changes[rows, species].astype(np.float64),
    )
