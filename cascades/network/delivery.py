"""Spikes reach synapses: calcium jumps in rows and columns, and what a synapse transmits.

Each thread handles the part of a row whose targets it owns: `split[row, thread]` to `split[row, thread + 1]`.
Spikes of other threads come in the order of their neurons, so that sums do not depend on who found them.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from cascades.network.arrays import FIRST
from cascades.network.compiled import UNCOUNTED, part_of_kernel
from cascades.network.memory import prefetch
from cascades.network.passes import (
    column_ahead,
    column_jumps,
    row_ahead,
    row_jumps,
    row_transmits,
)
from cascades.network.timing import hold_row, jump_traces_pre, timing_column, timing_row

STATIC_AHEAD = 256  # targets asked for in advance


def transmit_row(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
    """A spike arrives: onto[target] += weight * transmitted efficacy."""
    raise TypeError("called from Python")


@overload(transmit_row, jit_options=UNCOUNTED)
def _transmit_row(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
    fields = dict(zip(p.fields, p.types))
    if fields["expressed"] is not types.none and fields["scale"] is not types.none:

        def expressed_and_scaled(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
            target = p.records.view(np.int32)
            for j in range(first, last):
                neuron = target[4 * j + 3]
                onto[neuron] += weight * p.expressed[j] * p.scale[neuron]

        return expressed_and_scaled
    if fields["expressed"] is not types.none:

        def expressed(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
            target = p.records.view(np.int32)
            for j in range(first, last):
                onto[target[4 * j + 3]] += weight * p.expressed[j]

        return expressed

    def efficacy(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
        row_transmits(rule, p.records, first, last, now, weight, p.scale, onto)

    return efficacy


@part_of_kernel
def learn_from_arrivals(rule, groups, p, k, log, thread, threads, slot, now):  # type: ignore[no-untyped-def]
    """Calcium jumps of the presynaptic spikes in one slot of the log."""
    group = p.source[k]
    shift = p.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        end = log.ends[other, slot, group + 1]
        for q in range(log.ends[other, slot, group], end):
            row = log.neurons[other, q] + shift
            if q + 1 < end:
                following = log.neurons[other, q + 1] + shift
                row_ahead(p.records, p.split[following, thread], p.split[following, thread + 1])
            row_jumps(rule, p.records, p.split[row, thread], p.split[row, thread + 1], now)


@part_of_kernel
def learn_from_spikes(rule, timing, groups, p, k, cells, log, thread, slot, now):  # type: ignore[no-untyped-def]
    """Calcium jumps of this thread's own spikes, in the columns of their synapses."""
    group = p.target[k]
    shift = p.columns[k] - np.int64(groups.numbers[group, FIRST])
    end = log.ends[thread, slot, group + 1]
    for q in range(log.ends[thread, slot, group], end):
        neuron = log.neurons[thread, q]
        i = neuron + shift
        if q + 1 < end:
            following = log.neurons[thread, q + 1] + shift
            column_ahead(p.records, p.column, p.ends[following], p.ends[following + 1])
        column_jumps(rule, p.records, p.column, p.ends[i], p.ends[i + 1], now)
        timing_column(timing, p, cells, thread, neuron, p.ends[i], p.ends[i + 1])


@part_of_kernel
def deliver_plastic(rule, timing, groups, p, k, cells, onto, log, thread, threads, slot, now):  # type: ignore[no-untyped-def]
    """Spikes arrive at plastic synapses."""
    group = p.source[k]
    shift = p.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        end = log.ends[other, slot, group + 1]
        for q in range(log.ends[other, slot, group], end):
            if q + 1 < end:
                following = log.neurons[other, q + 1] + shift
                row_ahead(p.records, p.split[following, thread], p.split[following, thread + 1])
            neuron = log.neurons[other, q]
            row = neuron + shift
            first, last = p.split[row, thread], p.split[row, thread + 1]
            weight = p.weight[k] * log.gains[other, q] if p.has_release[k] else p.weight[k]
            hold_row(timing, rule, p, first, last, now)
            transmit_row(rule, p, first, last, now, weight, onto)
            timing_row(timing, p, cells, thread, neuron, first, last)


@part_of_kernel
def raise_traces(timing, p, k, cells, log, thread, threads, slot):  # type: ignore[no-untyped-def]
    """Presynaptic traces jump once all synapses have seen them as they were."""
    group = p.source[k]
    for other in range(threads):
        for q in range(log.ends[other, slot, group], log.ends[other, slot, group + 1]):
            jump_traces_pre(timing, cells, thread, log.neurons[other, q])


@part_of_kernel
def static_ahead(s, first, last):  # type: ignore[no-untyped-def]
    """Ask for the targets of a row that is visited soon."""
    for j in range(first, min(first + STATIC_AHEAD, last), 16):
        prefetch(s.neurons, np.uint64(j))


@part_of_kernel
def deliver_static(groups, s, k, onto, log, thread, threads, slot):  # type: ignore[no-untyped-def]
    """Spikes arrive at synapses that do not learn."""
    group = s.source[k]
    shift = s.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        end = log.ends[other, slot, group + 1]
        for q in range(log.ends[other, slot, group], end):
            if q + 1 < end:
                following = log.neurons[other, q + 1] + shift
                static_ahead(s, s.split[following, thread], s.split[following, thread + 1])
            row = log.neurons[other, q] + shift
            weight = s.weight[k] * log.gains[other, q] if s.has_release[k] else s.weight[k]
            targets = s.neurons[s.split[row, thread] : s.split[row, thread + 1]]
            for j in range(targets.size):
                onto[targets[j]] += weight
