"""Tau-leaping and the chemical Langevin equation, several members at once in the lanes of a vector.

Both take the step of Cao, Gillespie & Petzold (2006) J. Chem. Phys. 124:044109, eq. 33, over which no
propensity is expected to change by more than `LEAP_ERROR`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64

from cascades.continuation.native import call_formulas
from cascades.kernels.vectors import fma, larger, load, load_at, logarithm, root, splat, store
from cascades.noise.direct import fire_in
from cascades.noise.members import (
    BAD_RATE,
    GOING,
    OK,
    TOO_MANY,
    empty_lanes,
    finish,
    report,
    take_member,
)
from cascades.noise.random import poisson, uniform

LEAP_ERROR = 0.03
FEW_EVENTS, SINGLE_EVENTS = 10.0, 100
# sine's series about 0, for angles up to pi / 2: to 3e-16
SINE = tuple((-1.0) ** i / math.factorial(2 * i + 1) for i in range(11))


@njit(nogil=True, cache=True)
def run_tau(  # type: ignore[no-untyped-def]
    lane_count, address, start, n, p, a, starts, species, amounts, times, out, seed, first, last, most,
    status, reached,
):  # fmt: skip
    """Paths of the members first <= i < last into out[i]; see `members.run`."""
    lanes = len(lane_count)
    state = empty_lanes(lanes)
    member, key, count, t, k, events = state
    total, lowest, leap = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    mean, spread = np.empty(n.shape), np.empty(n.shape)
    trial = np.empty(start.size)
    singles = np.zeros(lanes, np.int64)
    coming = first
    for lane in range(lanes):
        coming = take_member(state, lane, coming, last, seed, start, n)
    active = min(lanes, last - first)
    while active > 0:
        call_formulas(address, n.ctypes.data, p.ctypes.data, p.ctypes.data, a.ctypes.data)
        _sums(a, total, lowest)
        if _any_leaps(member, singles):
            _leaps(a, n, starts, species, amounts, mean, spread, leap)
        for lane in range(lanes):
            if member[lane] < 0:
                continue
            result = report(lane, member, k, t[lane], times, out, n)
            if result == OK:
                pass
            elif lowest[lane] < 0.0 or not total[lane] < np.inf:
                result = BAD_RATE
            elif events[lane] >= most:
                result = TOO_MANY
            elif total[lane] == 0.0:
                t[lane] = times[-1]
            else:
                left = times[k[lane]] - t[lane]
                step = min(leap[lane], left)
                if singles[lane] == 0 and leap[lane] < FEW_EVENTS / total[lane]:
                    singles[lane] = SINGLE_EVENTS
                if singles[lane] > 0:
                    singles[lane] -= 1
                    step = -math.log(uniform(key[lane], count[lane])) / total[lane]
                    if step < left:
                        target = uniform(key[lane], count[lane] + uint64(1)) * total[lane]
                        fire_in(lane, n, _chosen(a, lane, target), starts, species, amounts)
                    count[lane] += uint64(2)
                else:
                    step, count[lane] = _poisson_leap(
                        n, a, lane, starts, species, amounts, step, key[lane], count[lane], trial
                    )
                t[lane] = t[lane] + step if step < left else times[k[lane]]
                events[lane] += 1
            if result != GOING:
                finish(lane, member, t, result, times, status, reached)
                singles[lane] = 0
                coming = take_member(state, lane, coming, last, seed, start, n)
                active -= member[lane] < 0


@njit(nogil=True, cache=True)
def run_langevin(  # type: ignore[no-untyped-def]
    lane_count, address, start, n, p, a, starts, species, amounts, times, out, seed, first, last, most,
    status, reached,
):  # fmt: skip
    """Paths of the members first <= i < last into out[i]; see `members.run`.  Propensities and counts
    below zero are taken as zero."""
    lanes = len(lane_count)
    state = empty_lanes(lanes)
    member, key, count, t, k, events = state
    total, lowest, leap = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    mean, spread = np.empty(n.shape), np.empty(n.shape)
    step, first_uniform, second_uniform = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    coming = first
    for lane in range(lanes):
        coming = take_member(state, lane, coming, last, seed, start, n)
    active = min(lanes, last - first)
    while active > 0:
        call_formulas(address, n.ctypes.data, p.ctypes.data, p.ctypes.data, a.ctypes.data)
        for j in range(a.shape[0]):
            for lane in range(lanes):
                if a[j, lane] < 0.0:
                    a[j, lane] = 0.0
        _sums(a, total, lowest)
        _leaps(a, n, starts, species, amounts, mean, spread, leap)
        for lane in range(lanes):
            step[lane] = 0.0
            if member[lane] < 0:
                continue
            result = report(lane, member, k, t[lane], times, out, n)
            if result == OK:
                pass
            elif not total[lane] < np.inf:
                result = BAD_RATE
            elif events[lane] >= most:
                result = TOO_MANY
            elif total[lane] == 0.0:
                t[lane] = times[-1]
            else:
                left = times[k[lane]] - t[lane]
                step[lane] = min(leap[lane], left)
                t[lane] = t[lane] + step[lane] if step[lane] < left else times[k[lane]]
                events[lane] += 1
            if result != GOING:
                finish(lane, member, t, result, times, status, reached)
                coming = take_member(state, lane, coming, last, seed, start, n)
                active -= member[lane] < 0
        duration = load_at(lane_count, step, 0)
        for j in range(a.shape[0]):
            for lane in range(lanes):
                first_uniform[lane] = uniform(key[lane], count[lane])
                second_uniform[lane] = uniform(key[lane], count[lane] + uint64(1))
                if step[lane] > 0.0:  # a lane that waits must not use up its member's numbers
                    count[lane] += uint64(2)
            number = _normal(load_at(lane_count, first_uniform, 0), load_at(lane_count, second_uniform, 0))
            expected = load(lane_count, a, j) * duration
            fired = fma(root(expected), number, expected)
            for e in range(starts[j], starts[j + 1]):
                s = species[e]
                store(n, s, fma(splat(lane_count, amounts[e]), fired, load(lane_count, n, s)))
        for s in range(n.shape[0]):
            store(n, s, larger(load(lane_count, n, s), splat(lane_count, 0.0)))


@njit(nogil=True, cache=True)
def _normal(u, v):  # type: ignore[no-untyped-def]
    """Standard normal numbers of two uniform ones (Box & Muller 1958): with w = v - 1/2 the cosine of
    2 pi v is 2 sin(pi w)^2 - 1."""
    angle = (v - 0.5) * math.pi
    square = angle * angle
    sine = square * 0.0 + SINE[-1]
    for i in range(1, len(SINE)):
        sine = sine * square + SINE[len(SINE) - 1 - i]
    sine = sine * angle
    return root(logarithm(u) * -2.0) * (sine * sine * 2.0 - 1.0)


@njit(nogil=True, cache=True)
def _sums(a, total, lowest):  # type: ignore[no-untyped-def]
    total[:] = 0.0
    lowest[:] = 0.0
    for j in range(a.shape[0]):
        for lane in range(total.size):
            total[lane] += a[j, lane]
            lowest[lane] = min(lowest[lane], a[j, lane])


@njit(nogil=True, cache=True)
def _leaps(a, n, starts, species, amounts, mean, spread, leap):  # type: ignore[no-untyped-def]
    """The step of every lane: the mean and the spread of the change of each count stay within a share
    of the count, or within one molecule."""
    lanes = leap.size
    mean[:] = 0.0
    spread[:] = 0.0
    for j in range(a.shape[0]):
        for e in range(starts[j], starts[j + 1]):
            s, amount = species[e], amounts[e]
            for lane in range(lanes):
                mean[s, lane] += amount * a[j, lane]
                spread[s, lane] += amount * amount * a[j, lane]
    leap[:] = np.inf
    for s in range(n.shape[0]):
        for lane in range(lanes):
            bound = max(LEAP_ERROR * n[s, lane] / 2.0, 1.0)
            if mean[s, lane] != 0.0:
                leap[lane] = min(leap[lane], bound / abs(mean[s, lane]))
            if spread[s, lane] > 0.0:
                leap[lane] = min(leap[lane], bound * bound / spread[s, lane])


@njit(nogil=True, cache=True)
def _any_leaps(member, singles):  # type: ignore[no-untyped-def]
    """Whether a lane has to know how far it may leap."""
    waiting = 0
    for lane in range(member.size):
        waiting += member[lane] >= 0 and singles[lane] == 0
    return waiting > 0


@njit(nogil=True, cache=True)
def _chosen(a, lane, target):  # type: ignore[no-untyped-def]
    running = a[0, lane]
    j = 0
    while running < target and j + 1 < a.shape[0]:
        j += 1
        running += a[j, lane]
    return j


@njit(nogil=True, cache=True)
def _poisson_leap(n, a, lane, starts, species, amounts, step, key, count, trial):  # type: ignore[no-untyped-def]
    """One leap of one lane, halved until no count falls below zero; the step taken and the number of
    the next random number."""
    while True:
        trial[:] = n[:, lane]
        for j in range(a.shape[0]):
            if a[j, lane] == 0.0:
                continue
            fired, count = poisson(a[j, lane] * step, key, count)
            for e in range(starts[j], starts[j + 1]):
                trial[species[e]] += amounts[e] * fired
        if trial.min() >= 0.0:
            n[:, lane] = trial
            return step, count
        step *= 0.5
