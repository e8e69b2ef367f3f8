"""The arrays that the compiled loop reads and writes, by name."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

BLOCK = 64  # neurons that share one random process of arrivals
LEAKY, ADAPTIVE, POISSON, REPLAYED = range(4)


# Rows of the state of all neurons, counted through the populations
(
    V,  # [mV]
    ADAPTATION,  # [pA]
    EXC,  # [mV] or AMPA [nS]
    NMDA,  # [nS]
    INH,  # [mV] or GABA [nS]
    THRESHOLD,  # [mV]
    INCREMENT,  # of the adaptation at a spike [pA]
    QUIET,  # refractory ticks left
    USED,  # u of short-term plasticity
    STOCK,  # x of short-term plasticity
    O1,  # postsynaptic traces
    O2,
    BEFORE,  # EXC before this tick's arrivals
) = range(13)
STATE_ROWS = 13


class Cells(NamedTuple):
    """State of all neurons."""

    state: np.ndarray  # float32, (STATE_ROWS, neurons and a few more)
    released: np.ndarray  # int64, (neurons,): tick of the last release
    traces: np.ndarray  # float32, (threads, 2, neurons): presynaptic traces r1 and r2


# Columns of the numbers of a population
(KIND, FIRST, SIZE, RATE, WEIGHT, KEY, BLOCKS, REPLAYS, REPLAYS_END, USE, TAU_REC, TAU_FACIL) = range(12)
CONSTANTS = 12  # here the numbers of the neuron begin; see `cells.constants`
NMDA_RATIO = CONSTANTS + 13


class Groups(NamedTuple):
    """All populations."""

    numbers: np.ndarray  # float64, (populations, CONSTANTS + constants of a neuron)
    due: np.ndarray  # float64 [ticks], per block of neurons: the next arrival
    drawn: np.ndarray  # int64, per block: arrivals so far
    replay_ticks: np.ndarray  # int64
    replay_neurons: np.ndarray  # int32, counted through
    replay_at: np.ndarray  # int64, (threads, populations and room between the threads)


class Plastic(NamedTuple):
    """All plastic synapses, one description after the other; one entry per description unless said.

    The row of neuron i in description k is number rows[k] + i, its column number columns[k] + i.
    """

    records: np.ndarray
    split: np.ndarray  # int64, (rows, threads + 1): where the part of each thread begins and ends
    column: np.ndarray  # int32: records by target
    ends: np.ndarray  # int64, (columns + 1,): offsets into `column`
    origin: Any  # int32, per place in `column`: the presynaptic neuron; None without spike timing
    expressed: Any  # float32, per record: the transmitted efficacy; None if it is the record's
    scale: Any  # float32, per neuron: factor on the weight; None if it is one
    first: np.ndarray  # (descriptions + 1,): offsets into the records
    rows: np.ndarray
    columns: np.ndarray
    source: np.ndarray  # numbers of populations
    target: np.ndarray
    weight: np.ndarray  # float32
    delay: np.ndarray  # [ticks]
    calcium_delay: int
    has_release: np.ndarray  # whether short-term plasticity acts
    onto: np.ndarray  # 0 exc, 1 inh


class Static(NamedTuple):
    """All synapses that do not learn, one description after the other; as in `Plastic`."""

    neurons: np.ndarray  # int32: targets by source
    split: np.ndarray
    rows: np.ndarray
    source: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    has_release: np.ndarray
    onto: np.ndarray


class Timing(NamedTuple):
    """Spike-timing-dependent plasticity; decays are per tick."""

    ltp: Any
    ltd: Any
    ltp_triplet: Any
    ltd_triplet: Any
    decay_r1: Any
    decay_r2: Any
    decay_o1: Any
    decay_o2: Any
    soft: bool


class Log(NamedTuple):
    """Spikes of the last ticks, as delays look back at them, per thread.

    Those of tick t and population g lie in `neurons` from ends[thread, t % length, g] up to the next
    end.  They lie close together, because what one thread writes and another reads is slow to move
    between processors: `length` ticks fill one half of the room, the next as many the other.
    """

    neurons: np.ndarray  # int32, (threads, 2 * length * capacity)
    gains: np.ndarray  # float32, the same shape
    ends: np.ndarray  # int64, (threads, length, populations + 1)


class Found(NamedTuple):
    """Spikes since the loop was entered, per thread."""

    ticks: np.ndarray  # int64, (threads, capacity)
    neurons: np.ndarray  # int32
    counts: np.ndarray  # int64, (threads,)
    done: np.ndarray  # counters: the tick that each thread does next, for the others to see
    stop: np.ndarray  # one counter: the tick at which all stop
