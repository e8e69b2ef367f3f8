"""Members of a stochastic run in the lanes of a vector: a lane whose member is done takes the next one.

Each lane has its own time, random numbers and place in the output, so that a member's path does not
depend on its neighbours or on the number of lanes and threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, uint64

from cascades.kernels.processor import native_lanes
from cascades.kernels.vectors import aligned_rows, lane_tuple
from cascades.noise.random import stream_key

OK, TOO_MANY, BAD_RATE, GOING = 0, 1, 2, -1

Tables = tuple[np.ndarray, np.ndarray, np.ndarray]


def run(
    kernel: Any,
    address: int,
    start: np.ndarray,
    constants: np.ndarray,
    tables: Tables,
    times: np.ndarray,
    out: np.ndarray,
    seed: int,
    members: tuple[int, int],
    most_events: int,
    status: np.ndarray,
    reached: np.ndarray,
) -> None:
    """Paths of the members first <= i < last into out[i], with their status and the time reached.

    `address` is code of the propensities for `native_lanes()` lanes.
    """
    lanes = native_lanes()
    n, p = aligned_rows(start.size, lanes), aligned_rows(constants.size, lanes)
    a = aligned_rows(tables[0].size - 1, lanes)
    p[:] = constants[:, None]
    kernel(
        lane_tuple(lanes), address, start, n, p, a, *tables, times, out,
        np.uint64(seed), members[0], members[1], most_events, status, reached,
    )  # fmt: skip


@njit(inline="always")
def empty_lanes(lanes):  # type: ignore[no-untyped-def]
    """Of every lane: its member (-1: none), key and count of its random numbers, time, next output time
    and the number of its events."""
    return (
        np.full(lanes, -1), np.ones(lanes, np.uint64), np.ones(lanes, np.uint64),
        np.zeros(lanes), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def take_member(state, lane, coming, last, seed, start, n):  # type: ignore[no-untyped-def]
    """Set the lane to the start of member `coming`, or to rest if none is left; returns the one after."""
    member, key, count, t, k, events = state
    n[:, lane] = start
    count[lane], t[lane], k[lane], events[lane] = uint64(1), 0.0, 0, 0
    if coming == last:
        member[lane] = -1
        return coming
    member[lane] = coming
    key[lane] = stream_key(seed, uint64(coming))
    return coming + 1


@njit(inline="always")
def report(lane, member, k, until, times, out, n):  # type: ignore[no-untyped-def]
    """Write the counts at the output times up to `until`; OK if those were all, else GOING."""
    while k[lane] < times.size and times[k[lane]] <= until:
        out[member[lane], k[lane]] = n[:, lane]
        k[lane] += 1
    return OK if k[lane] == times.size else GOING


@njit(inline="always")
def finish(lane, member, t, result, times, status, reached):  # type: ignore[no-untyped-def]
    """Write how the lane's member ended."""
    status[member[lane]] = result
    reached[member[lane]] = times[-1] if result == OK else t[lane]
