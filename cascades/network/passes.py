"""Visits of many synapses: the row of a presynaptic neuron, the column of a postsynaptic one, all of them.

A synapse is a record of 16 bytes: u = ln calcium, efficacy, tick of its last visit, target neuron.  Records
lie in rows by presynaptic neuron; `column` lists the records of each postsynaptic neuron.  A row comes in by
four loads of 64 bytes; the records of a column are asked for in advance, because they lie far apart.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from cascades.network.compiled import compiled, kernel, part_of_kernel
from cascades.network.flow import INLINE
from cascades.network.memory import (
    add_at,
    gather_ints,
    gather_listed,
    gather_records,
    load_ints,
    load_records,
    load_rest,
    prefetch,
    prefetch_records,
    record_numbers,
    scatter_listed,
    scatter_records,
    store_records,
    store_rest,
)
from cascades.network.vectors import LANES, choose, floats, from_bits, ints, lane_numbers, lesser_int
from cascades.network.visit import note_slow, raised, visited

AHEAD = 4 * LANES  # records asked for in advance
PER_LINE = 4  # records in a cache line


@part_of_kernel
def row_jumps(rule, records, first, last, now):  # type: ignore[no-untyped-def]
    """Calcium of the synapses first ... last - 1 jumps as after a presynaptic spike."""
    j = first
    while j + LANES <= last:
        u, rho, seen, target = load_records(records, np.uint64(j))
        u, rho = visited(rule, u, rho, seen, now, target, record_numbers() + j)
        note_slow(rule.shape, rule.calcium.tick, record_numbers() + j, seen, now, rule.calcium.pre)
        store_records(records, np.uint64(j), raised(u, rule.calcium.pre), rho, ints(now), target)
        j += LANES
    if j < last:
        # lanes past the end repeat the last synapse
        index = lesser_int(record_numbers() + j, last - 1)
        u, rho, seen, target = load_rest(records, j, last)
        u, rho = visited(rule, u, rho, seen, now, target, index)
        note_slow(rule.shape, rule.calcium.tick, index, seen, now, rule.calcium.pre)
        store_rest(records, j, last, raised(u, rule.calcium.pre), rho, ints(now), target)


@part_of_kernel
def row_holds(rule, records, first, last, now):  # type: ignore[no-untyped-def]
    """Bring the synapses first ... last - 1 to tick `now`."""
    for j in range(first, last, LANES):
        end = min(j + LANES, last)
        index = lesser_int(record_numbers() + j, end - 1)
        u, rho, seen, target = load_rest(records, j, end)
        u, rho = visited(rule, u, rho, seen, now, target, index)
        note_slow(rule.shape, rule.calcium.tick, index, seen, now, np.float32(0.0))
        store_rest(records, j, end, u, rho, ints(now), target)


@part_of_kernel
def row_transmits(rule, records, first, last, now, weight, scale, onto):  # type: ignore[no-untyped-def]
    """onto[target] += weight * efficacy at tick `now`, times scale[target] if there is one.

    What is stored does not change: the efficacy goes on from the last jump of calcium.
    """
    j = first
    while j + LANES <= last:
        u, rho, seen, target = load_records(records, np.uint64(j))
        u, rho = visited(rule, u, rho, seen, now, target, record_numbers() + j)
        add_at(onto, target, scaled(scale, rho * weight, target))
        j += LANES
    if j < last:
        index = lesser_int(record_numbers() + j, last - 1)
        u, rho, seen, target = load_rest(records, j, last)
        u, rho = visited(rule, u, rho, seen, now, target, index)
        given = scaled(scale, rho * weight, target)
        add_at(onto, target, choose(record_numbers() + j < last, given, floats(0.0)))


def scaled(scale, strength, target):  # type: ignore[no-untyped-def]
    """strength * scale[target], or the strength alone."""
    raise TypeError("called from Python")


@overload(scaled, jit_options=INLINE)
def _scaled(scale, strength, target):  # type: ignore[no-untyped-def]
    if scale is types.none:
        return lambda scale, strength, target: strength
    return lambda scale, strength, target: strength * from_bits(gather_ints(scale.view(np.int32), target))


@part_of_kernel
def row_ahead(records, first, last):  # type: ignore[no-untyped-def]
    """Ask for the beginning of a row that is visited soon; the processor sees by itself how it goes on."""
    for j in range(first, min(first + AHEAD, last), PER_LINE):
        prefetch(records, np.uint64(4) * np.uint64(j))


@part_of_kernel
def column_ahead(records, column, first, last):  # type: ignore[no-untyped-def]
    """Ask for the first records of a column that is visited soon."""
    ask(records, column, first, min(first + AHEAD, last))


@part_of_kernel
def ask(records, column, first, last):  # type: ignore[no-untyped-def]
    """Ask for the records column[first:last]."""
    j = first
    while j + LANES <= last:
        prefetch_records(records, column, np.uint64(j))
        j += LANES
    while j < last:
        prefetch(records, np.uint64(4) * np.uint64(column[np.uint64(j)]))
        j += 1


@part_of_kernel
def column_jumps(rule, records, column, first, last, now):  # type: ignore[no-untyped-def]
    """Calcium of the synapses column[first:last] jumps as after a postsynaptic spike."""
    j = first
    while j + LANES <= last:
        ask(records, column, j + AHEAD, min(j + AHEAD + LANES, last))
        index = load_ints(column, np.uint64(j))
        u, rho, seen, target = gather_listed(records, column, np.uint64(j))
        u, rho = visited(rule, u, rho, seen, now, target, index)
        note_slow(rule.shape, rule.calcium.tick, index, seen, now, rule.calcium.post)
        u = raised(u, rule.calcium.post)
        scatter_listed(records, column, np.uint64(j), u, rho, ints(now), target)
        j += LANES
    if j < last:
        # lanes past the end repeat the last synapse: the same numbers are written again
        index = gather_ints(column, lesser_int(lane_numbers() + j, last - 1))
        u, rho, seen, target = gather_records(records, index)
        u, rho = visited(rule, u, rho, seen, now, target, index)
        note_slow(rule.shape, rule.calcium.tick, index, seen, now, rule.calcium.post)
        scatter_records(records, index, raised(u, rule.calcium.post), rho, ints(now), target)


@kernel
def settle(rule, records, now):  # type: ignore[no-untyped-def]
    """Bring every synapse to tick `now`."""
    row_holds(rule, records, 0, records.size // 4, now)


@compiled
def onto(low, high, ticks, neurons, is_pre):  # type: ignore[no-untyped-def]
    """(ticks, neurons, is_pre) of the jumps that reach synapses onto the neurons low ... high - 1."""
    found = (np.empty_like(ticks), np.empty_like(neurons), np.empty_like(is_pre))
    count = 0
    for e in range(ticks.size):
        found[0][count], found[1][count], found[2][count] = ticks[e], neurons[e], is_pre[e]
        count += is_pre[e] or low <= neurons[e] < high
    return found[0][:count], found[1][:count], found[2][:count]


@kernel
def play(rule, records, rows, row_ends, column, columns, ticks, neurons, is_pre):  # type: ignore[no-untyped-def]
    """Apply jumps in order: neuron `neurons[e]` at tick `ticks[e]`, presynaptic where `is_pre[e]`.

    rows, row_ends : int64, per presynaptic neuron: the part of its row that is played
    columns : int64, offsets into `column`, per postsynaptic neuron
    """
    count = ticks.size
    for e in range(count):
        now, neuron = ticks[e], neurons[e]
        if e + 1 < count:
            following = neurons[e + 1]
            if is_pre[e + 1]:
                row_ahead(records, rows[following], row_ends[following])
            else:
                column_ahead(records, column, columns[following], columns[following + 1])
        if is_pre[e]:
            row_jumps(rule, records, rows[neuron], row_ends[neuron], now)
        else:
            column_jumps(rule, records, column, columns[neuron], columns[neuron + 1], now)
