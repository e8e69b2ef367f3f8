"""Switching rates too small to be waited for: forward-flux sampling.

Allen, Warren & ten Wolde (2005) Phys. Rev. Lett. 94:018104.  The rate is the flux through a first
interface times the probabilities to go from each interface to the next before falling back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numba import njit, uint64

from cascades.noise.direct import fire, next_event
from cascades.noise.jumps import JumpProcess
from cascades.noise.random import stream_key, uniform
from cascades.noise.ssa import change_tables

FORWARD, BACK, STUCK, BAD = 1, 0, 2, 3


@dataclass(frozen=True)
class SwitchingRate:
    """rate : switches per time; standard_error : of the rate, from the binomial spread of the stages
    probabilities : of each stage; crossings : of the first interface
    """

    rate: float
    standard_error: float
    probabilities: tuple[float, ...] = field(repr=False)
    crossings: int = field(repr=False)

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
    crossings: int = 1000,
    trials: int = 1000,
    seed: int = 0,
    longest: float = np.inf,
) -> SwitchingRate:
    """The rate at which the process leaves the basin that it starts in.

    Parameters
    ----------
    order : weights of species in the order parameter
    interfaces : of the order parameter, increasing (for a downward switch use negative weights): the
        first is the edge of the basin of departure, the last that of arrival
    crossings : of the first interface that are collected
    trials : paths from each interface
    longest : time after which collecting crossings is given up

    Raises
    ------
    ValueError
        The interfaces are not increasing, the start is not below the first one, or no path crosses it.
    """
    levels = np.asarray(interfaces, float)
    if levels.size < 2 or (np.diff(levels) <= 0.0).any():
        raise ValueError("interfaces must be at least two increasing numbers")
    process.counts(dict.fromkeys(order, 0.0))  # names are known
    weights = np.array([order.get(name, 0.0) for name in process.species])
    start = process.counts(initial)
    if weights @ start >= levels[0]:
        raise ValueError(
            f"the start has order {weights @ start:g}, not below the first interface {levels[0]:g}"
        )
    p = process.constants(process.values(values))
    address = process.formulas.address
    tables = change_tables(process)
    states = np.empty((crossings, start.size))
    elapsed, found, beyond = _collect(
        address, start.copy(), p, *tables, weights, levels[0], levels[-1], states, np.uint64(seed), longest
    )
    if found == 0:
        raise ValueError("the first interface was never crossed: place it nearer to the start")
    states = states[:found]
    flux = found / elapsed
    variance = 1.0 / found
    probabilities = []
    for i in range(levels.size - 1):
        reached = np.empty((trials, start.size))
        count = _shoot(
            address, states, p, *tables, weights, levels[0], levels[i + 1], reached, np.uint64(seed + 1 + i)
        )
        probability = count / trials
        probabilities.append(probability)
        if count == 0:
            return SwitchingRate(0.0, flux / trials, tuple(probabilities), found)
        variance += (1.0 - probability) / (trials * probability)
        states = reached[:count]
    rate = flux * float(np.prod(probabilities))
    return SwitchingRate(rate, rate * float(np.sqrt(variance)), tuple(probabilities), int(found + beyond))


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
    beyond = 0
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
            beyond += 1
    return elapsed, found, beyond


@njit(nogil=True, cache=True)
def _shoot(  # type: ignore[no-untyped-def]
    address, states, p, starts, species, amounts, weights, edge, level, reached, seed
):
    """Paths from random states of an interface until they reach the next one or fall back."""
    a = np.empty(starts.size - 1)
    n = np.empty(states.shape[1])
    hits = 0
    for trial in range(reached.shape[0]):
        key = stream_key(seed, uint64(trial + 1))
        count = uint64(2)
        n[:] = states[min(int(uniform(key, uint64(1)) * states.shape[0]), states.shape[0] - 1)]
        while True:
            order = 0.0
            for s in range(n.size):
                order += weights[s] * n[s]
            if order >= level:
                reached[hits] = n
                hits += 1
                break
            if order < edge:
                break
            j, _, count = next_event(address, n, p, a, key, count)
            if j < 0:
                break
            fire(n, j, starts, species, amounts)
    return hits
