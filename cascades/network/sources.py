"""Spikes that no synapse brings: Poisson arrivals and replayed ones; and what a spike releases."""

from __future__ import annotations

import math

import numpy as np

from cascades.network.arrays import (
    ADAPTIVE,
    BLOCK,
    BLOCKS,
    EXC,
    FIRST,
    KEY,
    KIND,
    NMDA,
    NMDA_RATIO,
    POISSON,
    RATE,
    REPLAYS_END,
    SIZE,
    STOCK,
    TAU_FACIL,
    TAU_REC,
    USE,
    USED,
    WEIGHT,
)
from cascades.network.compiled import tick_function
from cascades.network.counter import pick, waiting_time, words


@tick_function
def arrivals(state, groups, g, first, last, t, neurons, count):  # type: ignore[no-untyped-def]
    """Poisson events up to tick t of the blocks between two neurons: spikes of a source, or input to
    neurons."""
    numbers = groups.numbers[g]
    kind, origin, key = np.int64(numbers[KIND]), np.int64(numbers[FIRST]), np.uint32(numbers[KEY])
    start = (first - origin) // BLOCK
    end = (last - origin + BLOCK - 1) // BLOCK
    for block in range(start, end):
        place = np.int64(numbers[BLOCKS]) + block
        inside = min(BLOCK, np.int64(numbers[SIZE]) - block * BLOCK)
        begun = count
        while groups.due[place] <= t:
            a, b = words(groups.drawn[place], block, key)
            chosen = origin + block * BLOCK + pick(b, inside)
            groups.due[place] += waiting_time(a) / (numbers[RATE] * inside)
            groups.drawn[place] += 1
            if kind == POISSON:
                known = False  # a neuron spikes at most once in a tick
                for q in range(begun, count):
                    known = known or neurons[q] == chosen
                if not known:
                    neurons[count] = chosen
                    count += 1
            else:
                state[EXC, chosen] += np.float32(numbers[WEIGHT])
                if kind == ADAPTIVE:
                    state[NMDA, chosen] += np.float32(numbers[WEIGHT] * numbers[NMDA_RATIO])
    return count


@tick_function
def replayed(groups, g, thread, first, last, t, neurons, count):  # type: ignore[no-untyped-def]
    """Given spikes up to tick t of the neurons first ... last - 1."""
    at = groups.replay_at[thread, g]
    end = np.int64(groups.numbers[g, REPLAYS_END])
    while at < end and groups.replay_ticks[at] <= t:
        neuron = groups.replay_neurons[at]
        if first <= neuron < last:
            neurons[count] = neuron
            count += 1
        at += 1
    groups.replay_at[thread, g] = at
    return count


@tick_function
def release(cells, numbers, neuron, t):  # type: ignore[no-untyped-def]
    """Short-term plasticity at a spike: the release relative to the first one after a long silence."""
    state, elapsed = cells.state, np.float64(t - cells.released[neuron])
    cells.released[neuron] = t
    stock = 1.0 - (1.0 - state[STOCK, neuron]) * math.exp(-elapsed / numbers[TAU_REC])
    used = numbers[USE]
    if numbers[TAU_FACIL] > 0.0:
        before = state[USED, neuron] * math.exp(-elapsed / numbers[TAU_FACIL])
        used = before + numbers[USE] * (1.0 - before)
        state[USED, neuron] = used
    state[STOCK, neuron] = stock - used * stock
    return np.float32(used * stock / numbers[USE])
