"""Spike timing in the compiled loop: traces of spikes, and what they do to the synapses of a row or a column.

Without spike timing (`timing` is None) every function here is empty, and the compiled loop contains none.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from cascades.network.arrays import O1, O2
from cascades.network.compiled import part_of_kernel
from cascades.network.passes import row_holds


@part_of_kernel
def bounded(rho):  # type: ignore[no-untyped-def]
    return min(max(rho, np.float32(0.0)), np.float32(1.0))


def timing_row(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
    """Spike timing at a presynaptic arrival; the synapses stand at the present tick."""
    raise TypeError("called from Python")


def timing_column(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
    """Spike timing at a postsynaptic spike."""
    raise TypeError("called from Python")


def fade(timing, cells, thread, first, last, groups):  # type: ignore[no-untyped-def]
    """Decay of the traces within one tick."""
    raise TypeError("called from Python")


@overload(timing_row)
def _timing_row(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, p, cells, thread, neuron, first, last: None

    def row(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
        target = p.records.view(np.int32)
        size = timing.ltd + timing.ltd_triplet * cells.traces[thread, 1, neuron]
        for j in range(first, last):
            rho = p.records[4 * j + 1]
            change = size * cells.state[O1, target[4 * j + 3]]
            p.records[4 * j + 1] = bounded(rho - (change * rho if timing.soft else change))

    return row


@overload(timing_column)
def _timing_column(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, p, cells, thread, neuron, first, last: None

    def column(timing, p, cells, thread, neuron, first, last):  # type: ignore[no-untyped-def]
        size = timing.ltp + timing.ltp_triplet * cells.state[O2, neuron]
        for q in range(first, last):
            j = np.int64(p.column[q])
            rho = p.records[4 * j + 1]
            change = size * cells.traces[thread, 0, p.origin[q]]
            p.records[4 * j + 1] = bounded(
                rho + (change * (np.float32(1.0) - rho) if timing.soft else change)
            )

    return column


@overload(fade)
def _fade(timing, cells, thread, first, last, groups):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, cells, thread, first, last, groups: None

    def traces(timing, cells, thread, first, last, groups):  # type: ignore[no-untyped-def]
        for i in range(cells.traces.shape[2]):
            cells.traces[thread, 0, i] *= timing.decay_r1
            cells.traces[thread, 1, i] *= timing.decay_r2
        for g in range(groups):
            for i in range(first[g], last[g]):
                cells.state[O1, i] *= timing.decay_o1
                cells.state[O2, i] *= timing.decay_o2

    return traces


def jump_traces_pre(timing, cells, thread, neuron):  # type: ignore[no-untyped-def]
    raise TypeError("called from Python")


def jump_traces_post(timing, cells, neuron):  # type: ignore[no-untyped-def]
    raise TypeError("called from Python")


def hold_row(timing, rule, p, first, last, now):  # type: ignore[no-untyped-def]
    """Bring a row to the present tick, where spike timing is about to change it."""
    raise TypeError("called from Python")


@overload(jump_traces_pre)
def _jump_traces_pre(timing, cells, thread, neuron):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, cells, thread, neuron: None

    def jump(timing, cells, thread, neuron):  # type: ignore[no-untyped-def]
        cells.traces[thread, 0, neuron] += np.float32(1.0)
        cells.traces[thread, 1, neuron] += np.float32(1.0)

    return jump


@overload(jump_traces_post)
def _jump_traces_post(timing, cells, neuron):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, cells, neuron: None

    def jump(timing, cells, neuron):  # type: ignore[no-untyped-def]
        cells.state[O1, neuron] += np.float32(1.0)
        cells.state[O2, neuron] += np.float32(1.0)

    return jump


@overload(hold_row)
def _hold_row(timing, rule, p, first, last, now):  # type: ignore[no-untyped-def]
    if timing is types.none:
        return lambda timing, rule, p, first, last, now: None
    return lambda timing, rule, p, first, last, now: row_holds(rule, p.records, first, last, now)
