"""Switching rates too small to be waited for: forward-flux sampling.

Allen, Warren & ten Wolde (2005) Phys. Rev. Lett. 94:018104.  The rate is the flux through a first
interface times the probabilities to go from each interface to the next before falling back.  Crossings
of one path, and paths that share a beginning, are correlated, so that the error comes from the spread
of independent repetitions, never from counting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numba import njit, uint64

from cascades.errors import NoiseError
from cascades.noise.direct import fire, next_event
from cascades.noise.jumps import JumpProcess
from cascades.noise.random import stream_key
from cascades.noise.ssa import change_tables

SHARE = 0.3  # of paths that reach the next interface, where interfaces are placed automatically
PILOT_CROSSINGS, PILOT_TRIALS, MOST_STAGES = 300, 600, 200
SEEDS_PER_RUN = 10_000


@dataclass(frozen=True)
class SwitchingRate:
    """rate : switches per time, the mean of independent repetitions
    standard_error : of the rate, from their spread
    interfaces : of the order parameter, as given or as placed
    probabilities : of each stage, shape (repetitions, stages)
    """

    rate: float
    standard_error: float
    interfaces: tuple[float, ...] = field(repr=False)
    rates: tuple[float, ...] = field(repr=False)
    probabilities: np.ndarray = field(repr=False)

    @property
    def residence_time(self) -> float:
        """Mean time before the switch [time]."""
        return 1.0 / self.rate if self.rate > 0.0 else float("inf")


def switching_rate(
    process: JumpProcess,
    order: Mapping[str, float],
    interfaces: Sequence[float],
    *,
    values: Mapping[str, float] | None = None,
    initial: Mapping[str, float] | None = None,
    crossings: int = 5000,
    trials: int = 2000,
    repetitions: int = 12,
    seed: int = 0,
    longest: float = np.inf,
    threads: int | None = None,
) -> SwitchingRate:
    """The rate at which the process leaves the basin that it starts in.

    Parameters
    ----------
    order : weights of species in the order parameter
    interfaces : of the order parameter, increasing (for a downward switch use negative weights): the
        first is the edge of the basin of departure, the last that of arrival; if there are only these
        two, those between are placed by a pilot run so that about a third of the paths pass each stage
    crossings : of the first interface that are collected, in each repetition; they come in clusters, so
        that many are needed where it lies near the middle of the basin
    trials : paths from each interface, in each repetition
    repetitions : independent ones, at least two; the error falls with the root of their number
    longest : time after which collecting crossings is given up
    threads : the result does not depend on it

    Raises
    ------
    NoiseError
        The interfaces are not increasing, the start is not below the first one, or no path crosses it.
    """
    levels = np.asarray(interfaces, float)
    if levels.size < 2 or (np.diff(levels) <= 0.0).any():
        raise NoiseError("interfaces must be at least two increasing numbers")
    if repetitions < 2:
        raise NoiseError("the error needs at least two repetitions")
    process.counts(dict.fromkeys(order, 0.0))  # names are known
    weights = np.array([order.get(name, 0.0) for name in process.species])
    start = process.counts(initial)
    if weights @ start >= levels[0]:
        raise NoiseError(
            f"the start has order {weights @ start:g}, not below the first interface {levels[0]:g}"
        )
    stages = _Stages(process, start, process.constants(process.values(values)), weights, longest)
    if levels.size == 2:
        levels = stages.placed(levels[0], levels[1], seed)

    def repeat(i: int) -> tuple[float, np.ndarray]:
        return stages.rate(levels, crossings, trials, seed + SEEDS_PER_RUN * (i + 1))

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        rates, probabilities = zip(*pool.map(repeat, range(repetitions)), strict=True)
    error = float(np.std(rates, ddof=1) / np.sqrt(repetitions))
    return SwitchingRate(float(np.mean(rates)), error, tuple(levels.tolist()), rates, np.array(probabilities))


@dataclass(frozen=True, eq=False)
class _Stages:
    """What every stage needs of the process."""

    process: JumpProcess
    start: np.ndarray
    constants: np.ndarray
    weights: np.ndarray
    longest: float

    def rate(self, levels: np.ndarray, crossings: int, trials: int, seed: int) -> tuple[float, np.ndarray]:
        """One estimate, and the probability of each stage."""
        states, flux = self._crossings(levels[0], levels[-1], crossings, seed)
        probabilities = np.zeros(levels.size - 1)
        for i in range(levels.size - 1):
            heights, states = self._shoot(states, levels[0], levels[i + 1], trials, seed + 1 + i)
            probabilities[i] = np.mean(heights >= levels[i + 1])
            if probabilities[i] == 0.0:
                break
        return flux * float(np.prod(probabilities)), probabilities

    def placed(self, edge: float, target: float, seed: int) -> np.ndarray:
        """Interfaces such that about `SHARE` of the paths go from each to the next."""
        levels = [edge]
        states, _ = self._crossings(edge, target, PILOT_CROSSINGS, seed)
        for stage in range(MOST_STAGES):
            heights, _ = self._shoot(states, edge, target, PILOT_TRIALS, seed + 1 + 2 * stage)
            level = float(np.quantile(heights, 1.0 - SHARE, method="higher"))
            above = heights[heights > levels[-1]]
            if level <= levels[-1] and above.size:
                level = float(above.min())  # the paths move in whole steps
            if level >= target or not above.size:
                break
            levels.append(level)
            _, states = self._shoot(states, edge, level, PILOT_TRIALS, seed + 2 + 2 * stage)
        return np.array([*levels, target])

    def _crossings(self, edge: float, far: float, count: int, seed: int) -> tuple[np.ndarray, float]:
        """States at upward crossings of the edge, and their rate."""
        states = np.empty((count, self.start.size))
        elapsed, found = _collect(
            self.process.formulas.address, self.start.copy(), self.constants, *change_tables(self.process),
            self.weights, edge, far, states, np.uint64(seed), self.longest,
        )  # fmt: skip
        if found == 0:
            raise NoiseError("the first interface was never crossed: place it nearer to the start")
        return states[:found], found / elapsed

    def _shoot(
        self, states: np.ndarray, edge: float, level: float, trials: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The largest order on each of `trials` paths from the states in turn until they reach the
        level or fall back behind the edge, and the states of those that reached it."""
        heights, ends = np.empty(trials), np.empty((trials, self.start.size))
        _shoot(
            self.process.formulas.address, states, self.constants, *change_tables(self.process),
            self.weights, edge, level, heights, ends, np.uint64(seed),
        )  # fmt: skip
        return heights, ends[heights >= level]


@njit(nogil=True, cache=True)
def _collect(  # type: ignore[no-untyped-def]
    address, n, p, starts, species, amounts, weights, edge, far, states, seed, longest
):
    """Upward crossings of the first interface by one long path, put back to its start when it arrives."""
    key = stream_key(seed, uint64(0))
    a = np.empty(starts.size - 1)
    start = n.copy()
    count = uint64(1)
    elapsed = 0.0
    found = 0
    inside = True
    while found < states.shape[0] and elapsed < longest:
        j, wait, count = next_event(address, n, p, a, key, count)
        if j < 0:
            break
        elapsed += wait
        fire(n, j, starts, species, amounts)
        order = 0.0
        for s in range(n.size):
            order += weights[s] * n[s]
        if inside and order >= edge:
            states[found] = n
            found += 1
            inside = False
        elif not inside and order < edge:
            inside = True
        if order >= far:
            n[:] = start
            inside = True
    return elapsed, found


@njit(nogil=True, cache=True)
def _shoot(  # type: ignore[no-untyped-def]
    address, states, p, starts, species, amounts, weights, edge, level, heights, ends, seed
):
    a = np.empty(starts.size - 1)
    n = np.empty(states.shape[1])
    for trial in range(heights.size):
        key = stream_key(seed, uint64(trial + 1))
        count = uint64(1)
        n[:] = states[trial * states.shape[0] // heights.size]  # every state as often as any other
        heights[trial] = -np.inf
        while True:
            order = 0.0
            for s in range(n.size):
                order += weights[s] * n[s]
            heights[trial] = max(heights[trial], order)
            if order >= level or order < edge:
                break
            j, _, count = next_event(address, n, p, a, key, count)
            if j < 0:
                break
            fire(n, j, starts, species, amounts)
        ends[trial] = n
