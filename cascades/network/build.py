"""From a network's description to the arrays of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.network import cells as cell_kernel
from cascades.network import wiring
from cascades.network.arrays import BLOCK, Cells, Found, Group, Log, Plastic, Static, Timing
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
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, PoissonSource, ReplayedSource
from cascades.network.synapse import Synapses
from cascades.reduction.rule import CalciumRule

NOISE, WIRING, START, ARRIVALS = range(4)  # independent streams of one seed
FOUND_ROOM = 1 << 16
LONGEST_WINDOW = 10  # ticks, where no delay sets it
NOBODY = -1  # the population of synapses that stand for none


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
    groups: tuple[Group, ...]
    plastic: tuple[Plastic, ...]
    plastic_of: tuple[Synapses, ...]
    static: tuple[Static, ...]
    cells: Cells
    log: Log
    found: Found
    first: np.ndarray  # (threads, populations): the neurons that each thread owns
    last: np.ndarray
    window: int
    scale: np.ndarray | None
    noted: np.ndarray


def build(network: Network, seed: int, threads: int) -> Built:
    """Wire the network and set it to its initial state.  Raises NetworkError if memory is too small."""
    network.check_memory()
    first, last = _owned(network, threads)
    scale = np.ones(network.size, dtype=np.float32) if any(m.scales for m in network.mechanisms) else None
    expresses = any(m.expresses for m in network.mechanisms)
    plastic_of = tuple(s for s in network.synapses if s.plastic)
    timing = plastic_of[0].timing if plastic_of else None
    plastic, static = [], []
    for number, synapses in enumerate(network.synapses):
        rng = np.random.default_rng([seed, WIRING, number])
        if synapses.plastic:
            plastic.append(_plastic(network, synapses, first, last, rng, scale, expresses))
        else:
            static.append(_static(network, synapses, first, last, rng))
    if not plastic:
        plastic.append(_no_plastic(threads, scale, expresses))
    if not static:
        static.append(_no_static(threads))
    groups = tuple(_group(network, g, seed, threads) for g in range(len(network.neurons)))
    delays = [d for p in plastic if p.source != NOBODY for d in (p.delay, max(p.calcium_delay, 1))]
    delays += [s.delay for s in static if s.source != NOBODY]
    longest, window = max(delays, default=1), min(delays, default=LONGEST_WINDOW)
    capacity = int((last - first).sum(axis=1).max())
    length = 1 << math.ceil(math.log2(longest + window + 2))
    shape = (threads, length, capacity)
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
        plastic=tuple(plastic),
        plastic_of=plastic_of,
        static=tuple(static),
        cells=_cells(network, seed, threads),
        log=Log(np.zeros(shape, np.int32), np.ones(shape, np.float32), np.zeros((*shape[:2], len(groups) + 1), np.int32)),
        found=Found(np.zeros((threads, room), np.int64), np.zeros((threads, room), np.int32), np.zeros(threads, np.int64)),
        first=first,
        last=last,
        window=window,
        scale=scale,
        noted=np.zeros(network.size, dtype=np.float32),
    )  # fmt: skip


def rule_constants(network: Network, seed: int, base: int = 0) -> KernelRule:
    """The kernel's constants; per neuron if a mechanism slides them."""
    rule = network.rule
    # the counter of the noise is a tick since `base`: another base, another key
    key = stream_key(seed, NOISE + 1000 * base)
    if rule is None:
        f = np.float32
        still = Steps(f(80.0), f(80.0), f(0.0), f(0.0), f(0.0), f(0.0))
        return KernelRule(Calcium(f(1.0), f(0.0), f(0.0)), still, None, NoWell(), None)
    constants = kernel_rule(rule, network.dt, key)
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


def _edges(network: Network, name: str, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    g = [p.name for p in network.neurons].index(name)
    return np.append(first[:, g], last[-1, g]).astype(np.int32)


def _wired(network: Network, synapses: Synapses, rng: np.random.Generator) -> Any:
    source, target = network.population(synapses.source), network.population(synapses.target)
    senders, receivers = wiring.pairs(synapses, source.size, target.size, rng)
    offsets, order = wiring.rows(senders, receivers, source.size, target.size)
    return senders, receivers, offsets, order


def _plastic(
    network: Network,
    synapses: Synapses,
    first: np.ndarray,
    last: np.ndarray,
    rng: np.random.Generator,
    scale: np.ndarray | None,
    expresses: bool,
) -> Plastic:
    source, target = network.population(synapses.source), network.population(synapses.target)
    names = [p.name for p in network.neurons]
    senders, receivers, offsets, order = _wired(network, synapses, rng)
    efficacy = wiring.initial_efficacy(synapses, order.size, rng)[order]
    receivers = receivers[order]
    columns, column = wiring.order_by(receivers, target.size)
    at = network.first(synapses.target)
    everywhere = (receivers + np.int32(at)).astype(np.int32)
    origin = None
    if synapses.timing is not None:
        origin = (senders[order][column] + network.first(synapses.source)).astype(np.int32)
    delay = network.rule.calcium.delay * 1000.0 if network.rule else 0.0
    return Plastic(
        records=wiring.make_records(efficacy, everywhere),
        split=wiring.split_rows(offsets, everywhere, _edges(network, synapses.target, first, last)),
        column=column,
        columns=columns,
        origin=origin,
        expressed=efficacy.copy() if expresses else None,
        scale=scale,
        weight=np.float32(synapses.weight),
        delay=round(synapses.delay / network.dt),
        calcium_delay=round(delay / network.dt),
        source=names.index(synapses.source),
        source_first=network.first(synapses.source),
        target=names.index(synapses.target),
        target_first=at,
        has_release=synapses.short_term is not None,
        onto=int(synapses.receptor == "inh"),
    )


def _static(
    network: Network, synapses: Synapses, first: np.ndarray, last: np.ndarray, rng: np.random.Generator
) -> Static:
    _, receivers, offsets, order = _wired(network, synapses, rng)
    at = network.first(synapses.target)
    target = (receivers[order] + np.int32(at)).astype(np.int32)
    return Static(
        target=target,
        split=wiring.split_rows(offsets, target, _edges(network, synapses.target, first, last)),
        weight=np.float32(synapses.weight),
        delay=round(synapses.delay / network.dt),
        source=[p.name for p in network.neurons].index(synapses.source),
        source_first=network.first(synapses.source),
        has_release=synapses.short_term is not None,
        onto=int(synapses.receptor == "inh"),
    )


def _no_plastic(threads: int, scale: np.ndarray | None, expresses: bool) -> Plastic:
    nothing = np.zeros(0, np.float32)
    return Plastic(
        nothing, np.zeros((threads + 1, 0), np.int64), np.zeros(0, np.int32), np.zeros(1, np.int64), None,
        nothing if expresses else None, scale, np.float32(0.0), 1, 1, NOBODY, 0, NOBODY, 0, False, 0,
    )  # fmt: skip


def _no_static(threads: int) -> Static:
    empty = np.zeros((threads + 1, 0), np.int64)
    return Static(np.zeros(0, np.int32), empty, np.float32(0.0), 1, NOBODY, 0, False, 0)


def _group(network: Network, number: int, seed: int, threads: int) -> Group:
    population = network.neurons[number]
    neuron, dt = population.neuron, network.dt
    rate, weight = 0.0, 0.0
    if isinstance(neuron, PoissonSource):
        rate = neuron.rate * dt / 1000.0
    elif population.poisson is not None:
        rate, weight = population.poisson.rate * dt / 1000.0, population.poisson.weight
    blocks = -(-population.size // BLOCK)
    inside = np.minimum(BLOCK, population.size - BLOCK * np.arange(blocks))
    rng = np.random.default_rng([seed, ARRIVALS, number])
    due = rng.exponential(1.0, blocks) / (rate * inside) if rate > 0.0 else np.full(blocks, np.inf)
    ticks, neurons = np.zeros(0, np.int64), np.zeros(0, np.int32)
    if isinstance(neuron, ReplayedSource):
        ticks = np.maximum(np.rint(neuron.times / dt).astype(np.int64), 1)
        neurons = (neuron.neurons + network.first(population.name)).astype(np.int32)
    released = next((s.short_term for s in network.synapses if s.source == population.name and s.short_term), None)
    f = np.float32
    return Group(
        kind=cell_kernel.kind_of(neuron),
        first=network.first(population.name),
        size=population.size,
        constants=cell_kernel.constants(neuron, dt),
        rate=rate,
        weight=f(weight),
        key=np.uint32(stream_key(seed, ARRIVALS + 1000 * (number + 1))),
        due=due,
        drawn=np.zeros(blocks, np.int64),
        replay_ticks=ticks,
        replay_neurons=neurons,
        replay_at=np.zeros(threads, np.int64),
        use=f(released.use if released else 0.0),
        tau_rec=f(released.tau_rec / dt if released else 1.0),
        tau_facil=f(released.tau_facil / dt if released else 0.0),
    )


def _timing(timing: Any, dt: float) -> Timing | None:
    if timing is None:
        return None
    f = np.float32
    decays = (f(math.exp(-dt / tau)) for tau in (timing.tau_r1, timing.tau_r2, timing.tau_o1, timing.tau_o2))
    return Timing(
        f(timing.ltp), f(timing.ltd), f(timing.ltp_triplet), f(timing.ltd_triplet), *decays, bool(timing.soft)
    )


def _cells(network: Network, seed: int, threads: int) -> Cells:
    n = network.size
    rng = np.random.default_rng([seed, START])
    v, threshold, increment = (np.zeros(n, dtype=np.float32) for _ in range(3))
    for population in network.neurons:
        a = network.first(population.name)
        part, neuron = slice(a, a + population.size), population.neuron
        if isinstance(neuron, LeakyIntegrateAndFire | AdaptiveExponential):
            spread = rng.random(population.size, dtype=np.float32)
            v[part] = neuron.v_rest + spread * (neuron.v_threshold - neuron.v_rest)
            threshold[part] = neuron.v_threshold
        if isinstance(neuron, AdaptiveExponential):
            increment[part] = neuron.b
    zero = [np.zeros(n, dtype=np.float32) for _ in range(4)]
    traces = [np.zeros((threads, n), np.float32) for _ in range(2)] + [np.zeros(n, np.float32) for _ in range(2)]
    return Cells(
        v, *zero, threshold, increment, np.zeros(n, np.int32), np.zeros(n, np.float32), np.ones(n, np.float32),
        np.zeros(n, np.int64), *traces,
    )  # fmt: skip


