"""Synapses in rows by presynaptic and columns by postsynaptic neuron, cut between the threads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cascades.network import wiring
from cascades.network.arrays import Plastic, Static
from cascades.network.network import Network
from cascades.network.synapse import Synapses

WIRING = 1  # the stream of random numbers that wires


def edges_of(network: Network, name: str, first: np.ndarray, last: np.ndarray) -> np.ndarray:
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
    edges = edges_of(network, synapses.target, first, last)
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


def plastic_rows(
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


def static_rows(network: Network, seed: int, first: np.ndarray, last: np.ndarray) -> Static:
    numbers = [n for n, s in enumerate(network.synapses) if not s.plastic]
    wired = [_wire(network, n, seed, first, last) for n in numbers]
    _, rows, split = _stacked(wired, first.shape[0])
    neurons = np.concatenate([np.zeros(0, np.int32), *(w.receivers for w in wired)])
    return Static(neurons=neurons, split=split, rows=rows[:-1], **_common(network, wired))
