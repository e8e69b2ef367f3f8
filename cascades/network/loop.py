"""The compiled loop: neurons, spikes and synapses tick by tick.

A thread owns a part of every population: it integrates these neurons and changes only the synapses onto them.
Threads meet after a window no longer than the shortest delay, so that what one sends the others need in the
next window at the earliest.  Which thread does what does not change a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from cascades.network.arrays import ADAPTIVE, BEFORE, EXC, FIRST, INH, KIND, NMDA, O1, O2
from cascades.network.barrier import meet
from cascades.network.cells import NMDA_RATIO, tick
from cascades.network.compiled import compiled
from cascades.network.passes import (
    column_ahead,
    column_jumps,
    part_of_kernel,
    row_holds,
    row_jumps,
    row_transmits,
)
from cascades.network.vectors import prefetch

inner: Any = njit(nogil=True, error_model="numpy", boundscheck=False, forceinline=True)


# ---------------------------------------------------------------------------------- one row, one column
def transmit_row(rule, p, first, last, now, weight, onto):  # type: ignore[no-untyped-def]
    """A spike arrives: onto[target] += weight * transmitted efficacy."""
    raise TypeError("called from Python")


@overload(transmit_row, jit_options={"error_model": "numpy", "boundscheck": False, "nogil": True})
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


@inner
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


# ---------------------------------------------------------------------------------- one thread, some ticks
@part_of_kernel
def learn_from_arrivals(rule, groups, p, k, log, thread, threads, slot, now):  # type: ignore[no-untyped-def]
    """Calcium jumps of the presynaptic spikes in one slot of the log."""
    group = p.source[k]
    shift = p.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        end = log.ends[other, slot, group + 1]
        for q in range(log.ends[other, slot, group], end):
            row = log.neurons[other, slot, q] + shift
            if q + 1 < end:
                following = log.neurons[other, slot, q + 1] + shift
                prefetch(p.records, np.uint64(4) * np.uint64(p.split[thread, following]))
            row_jumps(rule, p.records, p.split[thread, row], p.split[thread + 1, row], now)


@part_of_kernel
def learn_from_spikes(rule, timing, groups, p, k, cells, log, thread, slot, now):  # type: ignore[no-untyped-def]
    """Calcium jumps of this thread's own spikes, in the columns of their synapses."""
    group = p.target[k]
    shift = p.columns[k] - np.int64(groups.numbers[group, FIRST])
    end = log.ends[thread, slot, group + 1]
    for q in range(log.ends[thread, slot, group], end):
        neuron = log.neurons[thread, slot, q]
        i = neuron + shift
        if q + 1 < end:
            following = log.neurons[thread, slot, q + 1] + shift
            column_ahead(p.records, p.column, p.ends[following], p.ends[following + 1])
        column_jumps(rule, p.records, p.column, p.ends[i], p.ends[i + 1], now)
        timing_column(timing, p, cells, thread, neuron, p.ends[i], p.ends[i + 1])


@part_of_kernel
def deliver_plastic(rule, timing, groups, p, k, cells, onto, log, thread, threads, slot, now):  # type: ignore[no-untyped-def]
    """Spikes arrive.  Threads come in the order of their neurons, so that sums do not depend on their
    number."""
    group = p.source[k]
    shift = p.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        for q in range(log.ends[other, slot, group], log.ends[other, slot, group + 1]):
            neuron = log.neurons[other, slot, q]
            row = neuron + shift
            first, last = p.split[thread, row], p.split[thread + 1, row]
            weight = p.weight[k] * log.gains[other, slot, q] if p.has_release[k] else p.weight[k]
            hold_row(timing, rule, p, first, last, now)
            transmit_row(rule, p, first, last, now, weight, onto)
            timing_row(timing, p, cells, thread, neuron, first, last)


@part_of_kernel
def raise_traces(timing, p, k, cells, log, thread, threads, slot):  # type: ignore[no-untyped-def]
    """Presynaptic traces jump once all synapses have seen them as they were."""
    group = p.source[k]
    for other in range(threads):
        for q in range(log.ends[other, slot, group], log.ends[other, slot, group + 1]):
            jump_traces_pre(timing, cells, thread, log.neurons[other, slot, q])


@part_of_kernel
def deliver_static(groups, s, k, onto, log, thread, threads, slot):  # type: ignore[no-untyped-def]
    group = s.source[k]
    shift = s.rows[k] - np.int64(groups.numbers[group, FIRST])
    for other in range(threads):
        for q in range(log.ends[other, slot, group], log.ends[other, slot, group + 1]):
            row = log.neurons[other, slot, q] + shift
            weight = s.weight[k] * log.gains[other, slot, q] if s.has_release[k] else s.weight[k]
            targets = s.neurons[s.split[thread, row] : s.split[thread + 1, row]]
            for j in range(targets.size):
                onto[targets[j]] += weight


@inner
def spread_nmda(state, ratio, first, last):  # type: ignore[no-untyped-def]
    """What arrived at the AMPA receptors in this tick arrives at the NMDA receptors too."""
    for i in range(first, last):
        state[NMDA, i] += ratio * (state[EXC, i] - state[BEFORE, i])


@inner
def keep(found, thread, t, neurons, count):  # type: ignore[no-untyped-def]
    """Note the spikes of this tick for the recording."""
    at = found.counts[thread]
    for q in range(count):
        found.ticks[thread, at + q] = t
        found.neurons[thread, at + q] = neurons[q]
    found.counts[thread] = at + count


@inner
def ticks_of_thread(  # type: ignore[no-untyped-def]
    thread, threads, begin, end, base, rule, timing, groups, plastic, static, cells, log, found, first, last
):
    """Ticks begin ... end - 1 of what one thread owns."""
    length, populations = log.ends.shape[1], groups.numbers.shape[0]
    state, exc, inh = cells.state, cells.state[EXC], cells.state[INH]
    late = max(plastic.calcium_delay, 1)
    for t in range(begin, end):
        now = np.int32(t - base)
        slot = t % length
        neurons, gains = log.neurons[thread, slot], log.gains[thread, slot]
        count = 0
        for g in range(populations):
            count = tick(
                cells, groups, g, thread, first[thread, g], last[thread, g], t, neurons, gains, count
            )
            log.ends[thread, slot, g + 1] = count
        keep(found, thread, t, neurons, count)
        fade(timing, cells, thread, first[thread], last[thread], populations)
        back = (t - late) % length
        seen = np.int32(now - late + plastic.calcium_delay)
        for k in range(plastic.source.size):
            learn_from_arrivals(rule, groups, plastic, k, log, thread, threads, back, seen)
            learn_from_spikes(rule, timing, groups, plastic, k, cells, log, thread, slot, now)
        for q in range(count):
            jump_traces_post(timing, cells, neurons[q])
        for g in range(populations):
            if groups.numbers[g, KIND] == ADAPTIVE:
                for i in range(first[thread, g], last[thread, g]):
                    state[BEFORE, i] = state[EXC, i]
        for k in range(plastic.source.size):
            back = (t - plastic.delay[k]) % length
            onto = exc if plastic.onto[k] == 0 else inh
            deliver_plastic(rule, timing, groups, plastic, k, cells, onto, log, thread, threads, back, now)
        for k in range(plastic.source.size):
            raise_traces(timing, plastic, k, cells, log, thread, threads, (t - plastic.delay[k]) % length)
        for k in range(static.source.size):
            onto = exc if static.onto[k] == 0 else inh
            deliver_static(groups, static, k, onto, log, thread, threads, (t - static.delay[k]) % length)
        for g in range(populations):
            if groups.numbers[g, KIND] == ADAPTIVE:
                ratio = np.float32(groups.numbers[g, NMDA_RATIO])
                spread_nmda(state, ratio, first[thread, g], last[thread, g])


@compiled
def advance(  # type: ignore[no-untyped-def]
    thread, begin, end, window, base, rule, timing, groups, plastic, static, cells, log, found, first, last
):
    """Ticks begin ... end - 1 of one thread; returns the tick reached, earlier if `found` is nearly full."""
    threads = first.shape[0]
    room = found.ticks.shape[1] - window * log.neurons.shape[2]
    t = begin
    turn = 0
    while t < end and found.sofar[turn].max() <= room:
        till = min(t + window, end)
        ticks_of_thread(
            thread,
            threads,
            t,
            till,
            base,
            rule,
            timing,
            groups,
            plastic,
            static,
            cells,
            log,
            found,
            first,
            last,
        )
        t = till
        # written before the threads meet and overwritten only two meetings later: all decide alike
        turn = 1 - turn
        found.sofar[turn, thread] = found.counts[thread]
        if threads > 1:
            meet(found.meetings, threads)
    return t
