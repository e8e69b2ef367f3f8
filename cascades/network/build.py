"""From a network's description to the arrays of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cascades.network import cells as cell_kernel
from cascades.network import wiring
from cascades.network.arrays import (
    BLOCK,
    CONSTANTS,
    INCREMENT,
    STATE_ROWS,
    STOCK,
    THRESHOLD,
    Cells,
    Found,
    Groups,
    Log,
    Plastic,
    Static,
    Timing,
    V,
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
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, PoissonSource, ReplayedSource
from cascades.network.progress import APART, counters
from cascades.network.synapse import Synapses
from cascades.reduction.rule import CalciumRule

NOISE, WIRING, START, ARRIVALS = range(4)  # independent streams of one seed
FOUND_ROOM = 1 << 16
LONGEST_WINDOW = 10  # ticks, where no delay sets it
FLOATS_PER_LINE = 16


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
    plastic = _plastic(network, seed, first, last, scale, expresses)
    static = _static(network, seed, first, last)
    groups = _groups(network, seed, threads)
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
        cells=_cells(network, seed, threads),
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


def relink(built: Built, number: int, senders: np.ndarray) -> None:
    """Rows and columns of plastic synapses whose records stand in the order of `senders` (counted
    through)."""
    p, network, synapses = built.plastic, built.network, built.plastic_of[number]
    source, target = network.population(synapses.source), network.population(synapses.target)
    begin, end = int(p.first[number]), int(p.first[number + 1])
    receivers = p.records.view(np.int32).reshape(-1, 4)[begin:end, 3].copy()
    offsets, _ = wiring.order_by(senders - np.int32(network.first(source.name)), source.size)
    edges = _edges(network, target.name, built.first, built.last)
    rows = slice(int(p.rows[number]), int(p.rows[number]) + source.size)
    p.split[rows] = wiring.split_rows(offsets, receivers, edges).T + begin
    _, order = wiring.order_by(receivers - np.int32(network.first(target.name)), target.size)
    p.column[begin:end] = order + begin
    if p.origin is not None:
        p.origin[begin:end] = senders[order]


def _edges(network: Network, name: str, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    g = [p.name for p in network.neurons].index(name)
    return np.append(first[:, g], last[-1, g]).astype(np.int32)


class _Wired(NamedTuple):
    """One description of synapses in rows; neurons are counted through."""

    synapses: Synapses
    senders: np.ndarray
    receivers: np.ndarray
    split: np.ndarray
    efficacy: np.ndarray


def _wire(network: Network, number: int, seed: int, first: np.ndarray, last: np.ndarray) -> _Wired:
    synapses = network.synapses[number]
    rng = np.random.default_rng([seed, WIRING, number])
    source, target = network.population(synapses.source), network.population(synapses.target)
    senders, receivers = wiring.pairs(synapses, source.size, target.size, rng)
    offsets, order = wiring.rows(senders, receivers, source.size, target.size)
    efficacy = wiring.initial_efficacy(synapses, order.size, rng)[order] if synapses.plastic else np.zeros(0)
    receivers = receivers[order] + np.int32(network.first(synapses.target))
    senders = senders[order] + np.int32(network.first(synapses.source))
    edges = _edges(network, synapses.target, first, last)
    return _Wired(synapses, senders, receivers, wiring.split_rows(offsets, receivers, edges), efficacy)


def _stacked(wired: list[_Wired], threads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first synapse of each description, first row of each, rows of all)."""
    first = np.cumsum([0, *(w.receivers.size for w in wired)])
    rows = np.cumsum([0, *(w.split.shape[1] for w in wired)])
    parts = [np.zeros((threads + 1, 0), np.int64), *(w.split + at for w, at in zip(wired, first))]
    return first, rows, np.ascontiguousarray(np.concatenate(parts, axis=1).T)


def _common(network: Network, wired: list[_Wired]) -> dict[str, np.ndarray]:
    names = [p.name for p in network.neurons]
    all_of = [w.synapses for w in wired]
    return {
        "source": np.array([names.index(s.source) for s in all_of], np.int64),
        "weight": np.array([s.weight for s in all_of], np.float32),
        "delay": np.array([round(s.delay / network.dt) for s in all_of], np.int64),
        "has_release": np.array([s.short_term is not None for s in all_of], bool),
        "onto": np.array([s.receptor == "inh" for s in all_of], np.int64),
    }


def _plastic(
    network: Network,
    seed: int,
    first: np.ndarray,
    last: np.ndarray,
    scale: np.ndarray | None,
    expresses: bool,
) -> Plastic:
    numbers = [n for n, s in enumerate(network.synapses) if s.plastic]
    wired = [_wire(network, n, seed, first, last) for n in numbers]
    at, rows, split = _stacked(wired, first.shape[0])
    names = [p.name for p in network.neurons]
    column, ends, origin, columns = (
        [np.zeros(0, np.int32)],
        [np.zeros(1, np.int64)],
        [np.zeros(0, np.int32)],
        [0],
    )
    for w, begin in zip(wired, at):
        target = network.population(w.synapses.target)
        offsets, order = wiring.order_by(w.receivers - np.int32(network.first(target.name)), target.size)
        column.append(order + np.int32(begin))
        ends.append(offsets[1:] + begin)
        columns.append(columns[-1] + target.size)
        if w.synapses.timing is not None:
            origin.append(w.senders[order])
    everywhere = np.concatenate([np.zeros(0, np.int32), *(w.receivers for w in wired)])
    efficacy = np.concatenate([np.zeros(0, np.float32), *(w.efficacy for w in wired)])
    has_timing = any(w.synapses.timing is not None for w in wired)
    late = network.rule.calcium.delay * 1000.0 if network.rule else 0.0
    return Plastic(
        records=wiring.make_records(efficacy, everywhere),
        split=split,
        column=np.concatenate(column),
        ends=np.concatenate(ends),
        origin=np.concatenate(origin) if has_timing else None,
        expressed=efficacy if expresses else None,
        scale=scale,
        first=at,
        rows=rows[:-1],
        columns=np.array(columns[:-1], np.int64),
        target=np.array([names.index(w.synapses.target) for w in wired], np.int64),
        calcium_delay=round(late / network.dt),
        **_common(network, wired),
    )


def _static(network: Network, seed: int, first: np.ndarray, last: np.ndarray) -> Static:
    numbers = [n for n, s in enumerate(network.synapses) if not s.plastic]
    wired = [_wire(network, n, seed, first, last) for n in numbers]
    _, rows, split = _stacked(wired, first.shape[0])
    neurons = np.concatenate([np.zeros(0, np.int32), *(w.receivers for w in wired)])
    return Static(neurons=neurons, split=split, rows=rows[:-1], **_common(network, wired))


def _groups(network: Network, seed: int, threads: int) -> Groups:
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
            ticks.append(np.maximum(np.rint(neuron.times / dt).astype(np.int64), 1))
            neurons.append((neuron.neurons + network.first(population.name)).astype(np.int32))
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


def _in_whole_lines(rows: int, columns: int) -> np.ndarray:
    """Zeros of float32 whose rows begin at cache lines, so that threads that own blocks of them share none;
    the last columns may be more than are asked for."""
    width = -(-columns // FLOATS_PER_LINE) * FLOATS_PER_LINE
    room = np.zeros(rows * width + FLOATS_PER_LINE, dtype=np.float32)
    first = -(room.ctypes.data // room.itemsize) % FLOATS_PER_LINE
    return room[first : first + rows * width].reshape(rows, width)


def _cells(network: Network, seed: int, threads: int) -> Cells:
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
