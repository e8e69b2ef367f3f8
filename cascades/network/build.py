"""From a network's description to the arrays of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.network import wiring
from cascades.network.arrays import (
    BLOCK,
    Cells,
    Found,
    Groups,
    Log,
    Plastic,
    Static,
    Timing,
)
from cascades.network.constants import (
    Calcium,
    KernelRule,
    NeuronSteps,
    NoWell,
    Steps,
    kernel_rule,
    zones,
)
from cascades.network.counter import stream_key
from cascades.network.network import Network
from cascades.network.populations import cells_of, groups_of
from cascades.network.progress import counters
from cascades.network.rows import edges_of, plastic_rows, static_rows
from cascades.network.synapse import Synapses
from cascades.reduction.rule import CalciumRule

NOISE = 0  # the stream of random numbers of the rule
FOUND_ROOM = 1 << 16
LONGEST_WINDOW = 10  # ticks, where no delay sets it


@dataclass
class Built:
    """A network in arrays; everything that a run changes is in here."""

    network: Network
    seed: int
    threads: int
    tick: int  # where the run stands
    base: int  # tick 0 of the records
    rule: KernelRule
    timing: Timing | None
    groups: Groups
    plastic: Plastic
    plastic_of: tuple[Synapses, ...]
    static: Static
    cells: Cells
    log: Log
    found: Found
    first: np.ndarray  # (threads, populations): the neurons that each thread owns
    last: np.ndarray
    window: int


def build(network: Network, seed: int, threads: int) -> Built:
    """Wire the network and set it to its initial state.  Raises NetworkError if memory is too small."""
    network.check_memory()
    first, last = _owned(network, threads)
    scale = np.ones(network.size, dtype=np.float32) if any(m.scales for m in network.mechanisms) else None
    expresses = any(m.expresses for m in network.mechanisms)
    plastic_of = tuple(s for s in network.synapses if s.plastic)
    timing = plastic_of[0].timing if plastic_of else None
    plastic = plastic_rows(network, seed, first, last, scale, expresses)
    static = static_rows(network, seed, first, last)
    groups = groups_of(network, seed, threads)
    delays = [*plastic.delay, *static.delay, *([max(plastic.calcium_delay, 1)] if plastic_of else [])]
    longest, window = int(max(delays, default=1)), int(min(delays, default=LONGEST_WINDOW))
    capacity = int((last - first).sum(axis=1).max())
    length = 1 << math.ceil(math.log2(longest + window + 2))
    shape = (threads, 2 * length * capacity)
    room = max(FOUND_ROOM, 4 * capacity * window)
    return Built(
        network=network,
        seed=seed,
        threads=threads,
        tick=1,
        base=0,
        rule=rule_constants(network, seed),
        timing=_timing(timing, network.dt),
        groups=groups,
        plastic=plastic,
        plastic_of=plastic_of,
        static=static,
        cells=cells_of(network, seed, threads),
        log=Log(
            np.zeros(shape, np.int32),
            np.ones(shape, np.float32),
            np.zeros((threads, length, len(network.neurons) + 1), np.int64),
        ),
        found=Found(
            np.zeros((threads, room), np.int64),
            np.zeros((threads, room), np.int32),
            np.zeros(threads, np.int64),
            counters(threads),
            counters(1),
        ),
        first=first,
        last=last,
        window=window,
    )


def rule_constants(network: Network, seed: int, base: int = 0) -> KernelRule:
    """The kernel's constants; per neuron if a mechanism slides them."""
    rule = network.rule
    # the counter of the noise is a tick since `base`: another base, another key
    key = stream_key(seed, NOISE + 1000 * base)
    if rule is None:
        f = np.float32
        still = Steps(f(80.0), f(80.0), f(0.0), f(0.0), f(0.0), f(0.0))
        return KernelRule(Calcium(f(1.0), f(0.0), f(0.0)), still, None, NoWell(), None)
    constants = kernel_rule(rule, network.dt, key, network.calcium, network.synapse_count(plastic=True))
    if not any(m.slides for m in network.mechanisms):
        return constants
    return constants._replace(drift=NeuronSteps(neuron_zones(network, rule)), rest=None)


def neuron_zones(network: Network, rule: CalciumRule) -> np.ndarray:
    """The rule's zones for every neuron, one row more than there are (lanes read ahead); flat float32."""
    return np.tile(zones(rule).astype(np.float32), network.size + 1)


def _owned(network: Network, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """First neuron, and the one after the last, of each thread in each population."""
    edges = np.empty((threads + 1, len(network.neurons)), dtype=np.int64)
    for g, population in enumerate(network.neurons):
        blocks = -(-population.size // BLOCK)
        local = np.minimum(np.arange(threads + 1) * blocks // threads * BLOCK, population.size)
        local[-1] = population.size
        edges[:, g] = network.first(population.name) + local
    return np.ascontiguousarray(edges[:-1]), np.ascontiguousarray(edges[1:])


def relink(built: Built, number: int, senders: np.ndarray) -> None:
    """Rows and columns of plastic synapses whose records stand in the order of `senders` (counted
    through)."""
    p, network, synapses = built.plastic, built.network, built.plastic_of[number]
    source, target = network.population(synapses.source), network.population(synapses.target)
    begin, end = int(p.first[number]), int(p.first[number + 1])
    receivers = p.records.view(np.int32).reshape(-1, 4)[begin:end, 3].copy()
    offsets, _ = wiring.order_by(senders - np.int32(network.first(source.name)), source.size)
    edges = edges_of(network, target.name, built.first, built.last)
    rows = slice(int(p.rows[number]), int(p.rows[number]) + source.size)
    p.split[rows] = wiring.split_rows(offsets, receivers, edges).T + begin
    _, order = wiring.order_by(receivers - np.int32(network.first(target.name)), target.size)
    p.column[begin:end] = order + begin
    if p.origin is not None:
        p.origin[begin:end] = senders[order]


def _timing(timing: Any, dt: float) -> Timing | None:
    if timing is None:
        return None
    f = np.float32
    r1, r2, o1, o2 = (
        f(math.exp(-dt / tau)) for tau in (timing.tau_r1, timing.tau_r2, timing.tau_o1, timing.tau_o2)
    )
    return Timing(
        f(timing.ltp),
        f(timing.ltd),
        f(timing.ltp_triplet),
        f(timing.ltd_triplet),
        r1,
        r2,
        o1,
        o2,
        bool(timing.soft),
    )
