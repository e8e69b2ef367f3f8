"""The compiled loop: neurons, spikes and synapses tick by tick.

A thread owns a part of every population: it integrates these neurons and changes only the synapses onto them.
Before a tick it waits until the others have found all spikes that can arrive in it, which are older than the
shortest delay.  Which thread does what does not change a number.
"""

from __future__ import annotations

import numpy as np

from cascades.network.arrays import ADAPTIVE, BEFORE, EXC, INH, KIND, NMDA, NMDA_RATIO
from cascades.network.cells import tick
from cascades.network.compiled import kernel, part_of_kernel
from cascades.network.delivery import (
    deliver_plastic,
    deliver_static,
    learn_from_arrivals,
    learn_from_spikes,
    raise_traces,
)
from cascades.network.progress import lower_to, place, publish, seen, wait_for_others
from cascades.network.timing import fade, jump_traces_post


@part_of_kernel
def remember_ampa(groups, state, first, last):  # type: ignore[no-untyped-def]
    """What stands at the AMPA receptors before this tick's arrivals."""
    for g in range(groups.numbers.shape[0]):
        if groups.numbers[g, KIND] == ADAPTIVE:
            for i in range(first[g], last[g]):
                state[BEFORE, i] = state[EXC, i]


@part_of_kernel
def spread_to_nmda(groups, state, first, last):  # type: ignore[no-untyped-def]
    """What arrived at the AMPA receptors in this tick arrives at the NMDA receptors too."""
    for g in range(groups.numbers.shape[0]):
        if groups.numbers[g, KIND] == ADAPTIVE:
            ratio = np.float32(groups.numbers[g, NMDA_RATIO])
            for i in range(first[g], last[g]):
                state[NMDA, i] += ratio * (state[EXC, i] - state[BEFORE, i])


@part_of_kernel
def keep(found, thread, at, t, neurons, begun, count):  # type: ignore[no-untyped-def]
    """Note the spikes of this tick for the recording; returns how many there are now."""
    for q in range(begun, count):
        found.ticks[thread, at] = t
        found.neurons[thread, at] = neurons[q]
        at += 1
    return at


@part_of_kernel
def one_tick(  # type: ignore[no-untyped-def]
    thread, threads, t, base, rule, timing, groups, plastic, static, cells, log, begun, first, last
):
    """Tick t of what one thread owns: its neurons, then what the spikes do.

    The spikes found are numbers `begun` ... in the log; returns the number after the last.
    """
    length, populations = log.ends.shape[1], groups.numbers.shape[0]
    state, exc, inh = cells.state, cells.state[EXC], cells.state[INH]
    now, slot = np.int32(t - base), t % length
    neurons, gains = log.neurons[thread], log.gains[thread]
    count = begun
    log.ends[thread, slot, 0] = begun
    for g in range(populations):
        count = tick(cells, groups, g, thread, first[g], last[g], t, neurons, gains, count)
        log.ends[thread, slot, g + 1] = count
    fade(timing, cells, thread, first, last, populations)
    late = max(plastic.calcium_delay, 1)
    back, at_jump = (t - late) % length, np.int32(now - late + plastic.calcium_delay)
    for k in range(plastic.source.size):
        learn_from_arrivals(rule, groups, plastic, k, log, thread, threads, back, at_jump)
        learn_from_spikes(rule, timing, groups, plastic, k, cells, log, thread, slot, now)
    for q in range(begun, count):
        jump_traces_post(timing, cells, neurons[q])
    remember_ampa(groups, state, first, last)
    for k in range(plastic.source.size):
        back = (t - plastic.delay[k]) % length
        onto = exc if plastic.onto[k] == 0 else inh
        deliver_plastic(rule, timing, groups, plastic, k, cells, onto, log, thread, threads, back, now)
    for k in range(plastic.source.size):
        raise_traces(timing, plastic, k, cells, log, thread, threads, (t - plastic.delay[k]) % length)
    for k in range(static.source.size):
        onto = exc if static.onto[k] == 0 else inh
        deliver_static(groups, static, k, onto, log, thread, threads, (t - static.delay[k]) % length)
    spread_to_nmda(groups, state, first, last)
    return count


@kernel
def advance(  # type: ignore[no-untyped-def]
    thread, begin, window, base, rule, timing, groups, plastic, static, cells, log, found, first, last
):
    """One thread from tick `begin` up to found.stop; returns the tick reached.

    A thread that has to wait waits until the others are well ahead of what it needs: each look at their
    progress slows them down.

    Where `found` is nearly full the thread lowers found.stop to `window` ticks from there: no other thread
    can have gone further, so that all stop at the same tick.
    """
    threads = first.shape[0]
    own_first, own_last = first[thread], last[thread]
    length, half = log.ends.shape[1], log.neurons.shape[1] // 2
    room = found.ticks.shape[1] - (window + 1) * (half // length)
    t, count, others = begin, 0, begin
    logged = log.ends[thread, (begin - 1) % length, log.ends.shape[2] - 1]
    while True:
        if threads > 1 and others <= t - window:
            others = wait_for_others(found.done, thread, threads, t - window + 1 + window // 2)
        if t >= seen(found.stop, place(0)):
            break
        if count > room:
            lower_to(found.stop, place(0), t + window)
        begun = logged if t % length else half * (t // length % 2)
        logged = one_tick(
            thread, threads, t, base, rule, timing, groups, plastic, static, cells, log, begun,
            own_first, own_last,
        )  # fmt: skip
        count = keep(found, thread, count, t, log.neurons[thread], begun, logged)
        t += 1
        publish(found.done, place(thread), t)
    found.counts[thread] = count
    return t
