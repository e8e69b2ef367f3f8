"""Gillespie's direct method, several members at once in the lanes of a vector.

Propensities and the choice of the next reaction are vector operations over lanes; each lane has its
own time and random numbers, and a lane whose member is done takes the next one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from cascades.continuation.native import call_formulas
from cascades.noise.members import BAD_RATE, OK, TOO_MANY, empty_lanes, take_member
from cascades.noise.random import uniform


@njit(nogil=True, cache=True)
def next_event(address, n, p, a, key, count):  # type: ignore[no-untyped-def]
    """Which reaction comes next, after how long, and the number of the next random number; a negative
    reaction says that none can (-1) or that a propensity is bad (-2)."""
    call_formulas(address, n.ctypes.data, p.ctypes.data, p.ctypes.data, a.ctypes.data)
    total = 0.0
    lowest = 0.0
    for j in range(a.size):
        total += a[j]
        lowest = min(lowest, a[j])
    if lowest < 0.0 or not total < np.inf:
        return -2, 0.0, count
    if total <= 0.0:
        return -1, np.inf, count
    wait = -math.log(uniform(key, count)) / total
    target = uniform(key, count + uint64(1)) * total
    j = 0
    running = a[0]
    while running < target and j + 1 < a.size:
        j += 1
        running += a[j]
    return j, wait, count + uint64(2)


@njit(nogil=True, cache=True)
def fire(n, j, starts, species, amounts):  # type: ignore[no-untyped-def]
    """Carry out reaction j if its reactants are there: a rate law that does not vanish with its
    reactant (zero order) must not take counts below zero."""
    for i in range(starts[j], starts[j + 1]):
        if n[species[i]] + amounts[i] < 0.0:
            return
    for i in range(starts[j], starts[j + 1]):
        n[species[i]] += amounts[i]


@njit(inline="always")
def fire_in(lane, n, j, starts, species, amounts):  # type: ignore[no-untyped-def]
    """`fire` for the counts of one lane."""
    possible = True
    for i in range(starts[j], starts[j + 1]):
        if n[species[i], lane] + amounts[i] < 0.0:
            possible = False
    if possible:
        for i in range(starts[j], starts[j + 1]):
            n[species[i], lane] += amounts[i]


@njit(nogil=True, cache=True)
def run_direct(  # type: ignore[no-untyped-def]
    lane_count, address, start, n, p, a, starts, species, amounts, times, out, seed, first, last, most,
    status, reached,
):  # fmt: skip
    """Paths of the members first <= i < last into out[i]; see `members.run`."""
    lanes = len(lane_count)
    state = empty_lanes(lanes)
    member, key, count, t, k, events = state
    total, lowest, target, running = np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes)
    chosen = np.empty(lanes, np.int64)
    coming = first
    for lane in range(lanes):
        coming = take_member(state, lane, coming, last, seed, start, n)
    active = min(lanes, last - first)
    while active > 0:
        call_formulas(address, n.ctypes.data, p.ctypes.data, p.ctypes.data, a.ctypes.data)
        for lane in range(lanes):
            total[lane] = 0.0
            lowest[lane] = 0.0
            running[lane] = 0.0
            chosen[lane] = 0
        for j in range(a.shape[0]):
            for lane in range(lanes):
                total[lane] += a[j, lane]
                lowest[lane] = min(lowest[lane], a[j, lane])
        for lane in range(lanes):
            target[lane] = uniform(key[lane], count[lane] + uint64(1)) * total[lane]
        for j in range(a.shape[0] - 1):
            for lane in range(lanes):
                running[lane] += a[j, lane]
                chosen[lane] += 1 if running[lane] < target[lane] else 0
        for lane in range(lanes):
            i = member[lane]
            if i < 0:
                continue
            result = OK
            done = False
            if lowest[lane] < 0.0 or not total[lane] < np.inf:
                result = BAD_RATE
                done = True
            else:
                wait = np.inf
                if total[lane] > 0.0:
                    wait = -math.log(uniform(key[lane], count[lane])) / total[lane]
                count[lane] += uint64(2)
                t[lane] += wait
                while k[lane] < times.size and times[k[lane]] < t[lane]:
                    out[i, k[lane]] = n[:, lane]
                    k[lane] += 1
                if k[lane] == times.size:
                    done = True
                else:
                    fire_in(lane, n, chosen[lane], starts, species, amounts)
                    events[lane] += 1
                    if events[lane] >= most:
                        result = TOO_MANY
                        done = True
            if done:
                status[i] = result
                reached[i] = times[-1] if result == OK else t[lane]
                coming = take_member(state, lane, coming, last, seed, start, n)
                active -= member[lane] < 0
