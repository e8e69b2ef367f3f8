"""The arrays that the compiled loop reads and writes, by name."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

BLOCK = 64  # neurons that share one random process of arrivals
LEAKY, ADAPTIVE, POISSON, REPLAYED = range(4)


class Cells(NamedTuple):
    """State of all neurons, counted through the populations; float32, shape (neurons,), unless said."""

    v: np.ndarray  # [mV]
    adaptation: np.ndarray  # [pA]
    exc: np.ndarray  # [mV] or AMPA [nS]
    nmda: np.ndarray  # [nS]
    inh: np.ndarray  # [mV] or GABA [nS]
    threshold: np.ndarray  # [mV]
    increment: np.ndarray  # adaptation at a spike [pA]
    quiet: np.ndarray  # int32, refractory ticks left
    used: np.ndarray  # u of short-term plasticity
    stock: np.ndarray  # x of short-term plasticity
    released: np.ndarray  # int64, tick of the last release
    r1: np.ndarray  # presynaptic traces, shape (threads, neurons)
    r2: np.ndarray
    o1: np.ndarray  # postsynaptic traces
    o2: np.ndarray


class Group(NamedTuple):
    """One population."""

    kind: int
    first: int
    size: int
    constants: np.ndarray  # float32; see `cells.constants`
    rate: float  # of the Poisson process, per neuron and tick
    weight: Any  # of its arrivals
    key: Any  # uint32
    due: np.ndarray  # float64 [ticks], per block: the next arrival
    drawn: np.ndarray  # int64, per block: arrivals so far
    replay_ticks: np.ndarray  # int64
    replay_neurons: np.ndarray  # int32, counted through
    replay_at: np.ndarray  # int64, per thread
    use: Any  # short-term plasticity; 0 if there is none
    tau_rec: Any  # [ticks]
    tau_facil: Any


class Plastic(NamedTuple):
    """Plastic synapses between two populations."""

    records: np.ndarray
    split: np.ndarray  # int64, (threads + 1, sources): a thread's part of each row
    column: np.ndarray  # int32: records by target
    columns: np.ndarray  # int64, (targets + 1,): offsets into column
    origin: Any  # int32, per place in `column`: the presynaptic neuron; None without spike timing
    expressed: Any  # float32, per record: the transmitted efficacy; None if it is the record's
    scale: Any  # float32, per neuron: factor on the weight; None if it is one
    weight: Any
    delay: int  # [ticks]
    calcium_delay: int
    source: int  # number of the population
    source_first: int
    target: int
    target_first: int
    has_release: bool  # whether short-term plasticity acts
    onto: int  # 0 exc, 1 inh


class Static(NamedTuple):
    """Synapses that do not learn."""

    target: np.ndarray  # int32, by source
    split: np.ndarray
    weight: Any
    delay: int
    source: int
    source_first: int
    has_release: bool
    onto: int


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
    """Spikes of the last ticks, as delays look back at them, per thread and tick modulo the log's length."""

    neurons: np.ndarray  # int32, (threads, length, capacity)
    gains: np.ndarray  # float32, the same shape
    ends: np.ndarray  # int32, (threads, length, populations + 1): spikes of population g are ends[g] ... ends[g + 1]


class Found(NamedTuple):
    """Spikes since the loop was entered, per thread."""

    ticks: np.ndarray  # int64, (threads, capacity)
    neurons: np.ndarray  # int32
    counts: np.ndarray  # int64, (threads,)
