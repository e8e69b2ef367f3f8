"""Populations in arrays: the numbers of their neurons, what drives them, their state at the start."""

from __future__ import annotations

import numpy as np

from cascades.network import cells as cell_kernel
from cascades.network.arrays import (
    BLOCK,
    CONSTANTS,
    INCREMENT,
    STATE_ROWS,
    STOCK,
    THRESHOLD,
    Cells,
    Groups,
    V,
)
from cascades.network.counter import stream_key
from cascades.network.network import Network
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, PoissonSource, ReplayedSource
from cascades.network.progress import APART

START, ARRIVALS = 2, 3  # streams of random numbers
FLOATS_PER_LINE = 16


def groups_of(network: Network, seed: int, threads: int) -> Groups:
    dt, populations = network.dt, network.neurons
    count = len(populations)
    rate, weight = np.zeros(count), np.zeros(count)
    use, tau_rec, tau_facil = (np.full(count, x) for x in (0.0, 1.0, 0.0))
    due, drawn, ticks, neurons = [], [], [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for g, population in enumerate(populations):
        neuron = population.neuron
        if isinstance(neuron, PoissonSource):
            rate[g] = neuron.rate * dt / 1000.0
        elif population.poisson is not None:
            rate[g], weight[g] = population.poisson.rate * dt / 1000.0, population.poisson.weight
        blocks = -(-population.size // BLOCK)
        inside = np.minimum(BLOCK, population.size - BLOCK * np.arange(blocks))
        waiting = np.random.default_rng([seed, ARRIVALS, g]).exponential(1.0, blocks)
        due.append(waiting / (rate[g] * inside) if rate[g] > 0.0 else np.full(blocks, np.inf))
        drawn.append(np.zeros(blocks, np.int64))
        if isinstance(neuron, ReplayedSource):
            at = np.maximum(np.rint(neuron.times / dt).astype(np.int64), 1)
            order = np.lexsort((neuron.neurons, at))  # as the threads hear of them: by tick, then neuron
            ticks.append(at[order])
            neurons.append((neuron.neurons[order] + network.first(population.name)).astype(np.int32))
        else:
            ticks.append(ticks[0])
            neurons.append(neurons[0])
        for s in network.synapses:
            if s.source == population.name and s.short_term is not None:
                use[g], tau_rec[g] = s.short_term.use, s.short_term.tau_rec / dt
                tau_facil[g] = s.short_term.tau_facil / dt
    replays = np.cumsum([0, *(x.size for x in ticks[1:])])
    numbers = np.empty((count, CONSTANTS + cell_kernel.NEURON_CONSTANTS))
    for g, p in enumerate(populations):
        numbers[g, :CONSTANTS] = (
            cell_kernel.kind_of(p.neuron), network.first(p.name), p.size, rate[g], weight[g],
            stream_key(seed, ARRIVALS + 1000 * (g + 1)), sum(x.size for x in due[:g]),
            replays[g], replays[g + 1], use[g], tau_rec[g], tau_facil[g],
        )  # fmt: skip
        numbers[g, CONSTANTS:] = cell_kernel.constants(p.neuron, dt)
    return Groups(
        numbers=numbers,
        due=np.concatenate(due),
        drawn=np.concatenate(drawn),
        replay_ticks=np.concatenate(ticks),
        replay_neurons=np.concatenate(neurons),
        replay_at=np.tile(np.append(replays[:-1], np.zeros(APART, np.int64)), (threads, 1)),
    )


def _in_whole_lines(rows: int, columns: int) -> np.ndarray:
    """Zeros of float32 whose rows begin at cache lines, so that threads that own blocks of them share none;
    the last columns may be more than are asked for."""
    width = -(-columns // FLOATS_PER_LINE) * FLOATS_PER_LINE
    room = np.zeros(rows * width + FLOATS_PER_LINE, dtype=np.float32)
    first = -(room.ctypes.data // room.itemsize) % FLOATS_PER_LINE
    return room[first : first + rows * width].reshape(rows, width)


def cells_of(network: Network, seed: int, threads: int) -> Cells:
    n = network.size
    rng = np.random.default_rng([seed, START])
    state = _in_whole_lines(STATE_ROWS, n)
    state[STOCK] = 1.0
    for population in network.neurons:
        a = network.first(population.name)
        part, neuron = slice(a, a + population.size), population.neuron
        if isinstance(neuron, LeakyIntegrateAndFire | AdaptiveExponential):
            spread = rng.random(population.size, dtype=np.float32)
            state[V, part] = neuron.v_rest + spread * (neuron.v_threshold - neuron.v_rest)
            state[THRESHOLD, part] = neuron.v_threshold
        if isinstance(neuron, AdaptiveExponential):
            state[INCREMENT, part] = neuron.b
    return Cells(state, np.zeros(n, np.int64), np.zeros((threads, 2, n), np.float32))
