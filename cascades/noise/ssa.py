"""Exact and approximate random paths of a jump process, many members at once.

direct    Gillespie (1977) J. Phys. Chem. 81:2340: every event
tau       explicit tau-leaping with the step of Cao, Gillespie & Petzold (2006) J. Chem. Phys. 124:044109;
          single events where a leap would be shorter than a few of them
langevin  the chemical Langevin equation, Gillespie (2000) J. Chem. Phys. 113:297, Euler-Maruyama with
          the same step; counts are not whole and are kept from falling below zero
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit, uint64

from cascades.continuation.native import call_formulas
from cascades.errors import NoiseError, UnknownName
from cascades.kernels.processor import native_lanes
from cascades.noise.direct import BAD_RATE, OK, TOO_MANY, fire, next_event, run_direct
from cascades.noise.jumps import JumpProcess
from cascades.noise.random import normal, poisson, stream_key
from cascades.trajectory import Trajectory

METHODS = ("direct", "tau", "langevin")
REASONS = {TOO_MANY: "more events than allowed", BAD_RATE: "a propensity is negative or not a number"}
LEAP_ERROR = 0.03
FEW_EVENTS, SINGLE_EVENTS = 10.0, 100


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
        raise UnknownName("method", method, METHODS)
    p, start = process.constants(process.values(values)), process.counts(initial)
    if (start < 0.0).any():
        raise NoiseError(f"{process.species[int(np.argmin(start))]} starts below zero")
    tables = change_tables(process)
    out = np.full((members, grid.size, start.size), np.nan)
    status = np.zeros(members, np.int64)
    reached = np.full(members, grid[-1])
    count = min(threads or os.cpu_count() or 1, members)
    code = process.lane_formulas(native_lanes()) if method == "direct" else process.formulas
    if members == 0:
        raise NoiseError("there must be at least one member")

    def leap(member: int) -> None:
        status[member], reached[member], _ = _run_leaps(
            code.address, start.copy(), p, *tables, grid, out[member],
            np.uint64(seed), np.uint64(member), most_events, method == "langevin",
        )  # fmt: skip

    def share(part: int) -> None:
        first, last = members * part // count, members * (part + 1) // count
        run_direct(
            code.address, start, p, tables, grid, out, seed, (first, last), most_events, status, reached
        )

    action, items = (share, range(count)) if method == "direct" else (leap, range(members))
    if count == 1:
        for item in items:
            action(item)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(action, items))
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


@njit(nogil=True, cache=True)
def _leap(a, n, starts, species, amounts, mean, spread):  # type: ignore[no-untyped-def]
    """The longest step over which no propensity is expected to change by more than `LEAP_ERROR`."""
    mean[:] = 0.0
    spread[:] = 0.0
    for j in range(a.size):
        for i in range(starts[j], starts[j + 1]):
            mean[species[i]] += amounts[i] * a[j]
            spread[species[i]] += amounts[i] * amounts[i] * a[j]
    tau = np.inf
    for s in range(n.size):
        bound = max(LEAP_ERROR * n[s] / 2.0, 1.0)
        if mean[s] != 0.0:
            tau = min(tau, bound / abs(mean[s]))
        if spread[s] > 0.0:
            tau = min(tau, bound * bound / spread[s])
    return tau


@njit(nogil=True, cache=True)
def _run_leaps(  # type: ignore[no-untyped-def]
    address, n, p, starts, species, amounts, times, out, seed, stream, most_events, is_langevin
):
    key = stream_key(seed, stream)
    a = np.empty(starts.size - 1)
    mean, spread, trial = np.empty(n.size), np.empty(n.size), np.empty(n.size)
    count = uint64(1)
    t = 0.0
    k = 0
    steps = 0
    while k < times.size:
        while k < times.size and times[k] <= t:
            out[k] = n
            k += 1
        if k == times.size:
            break
        call_formulas(address, n.ctypes.data, p.ctypes.data, p.ctypes.data, a.ctypes.data)
        total = 0.0
        for j in range(a.size):
            if not a[j] >= 0.0:
                if is_langevin and a[j] < 0.0:
                    a[j] = 0.0
                else:
                    return BAD_RATE, t, steps
            total += a[j]
        if total == 0.0:
            while k < times.size:
                out[k] = n
                k += 1
            break
        tau = min(_leap(a, n, starts, species, amounts, mean, spread), times[k] - t)
        if not is_langevin and tau < FEW_EVENTS / total and tau < times[k] - t:
            for _ in range(SINGLE_EVENTS):
                j, wait, count = next_event(address, n, p, a, key, count)
                if j < 0 or t + wait > times[k]:
                    t = times[k]
                    break
                t += wait
                fire(n, j, starts, species, amounts)
                steps += 1
            continue
        while True:
            trial[:] = n
            for j in range(a.size):
                if a[j] == 0.0:
                    continue
                if is_langevin:
                    times_fired = a[j] * tau + math.sqrt(a[j] * tau) * normal(key, count)
                    count += uint64(2)
                else:
                    whole, count = poisson(a[j] * tau, key, count)
                    times_fired = float(whole)
                for i in range(starts[j], starts[j + 1]):
                    trial[species[i]] += amounts[i] * times_fired
            if is_langevin:
                for s in range(n.size):
                    trial[s] = max(trial[s], 0.0)
                break
            if trial.min() >= 0.0:
                break
            tau *= 0.5
        n[:] = trial
        t = times[k] if tau == times[k] - t else t + tau
        steps += 1
        if steps >= most_events:
            return TOO_MANY, t, steps
    return OK, times[-1], steps
