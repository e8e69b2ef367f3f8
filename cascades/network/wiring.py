"""From a description of connections to rows, columns and records."""

from __future__ import annotations

from typing import Any

import numpy as np

from cascades.errors import NetworkError
from cascades.network.compiled import compiled
from cascades.network.synapse import AllToAll, FixedInDegree, Pairs, Synapses

ABSENT = -50.0  # ln calcium of a synapse that has seen no spike


def pairs(
    synapses: Synapses, sources: int, targets: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(sources, targets) of every synapse, int32, in the order of the description."""
    connect = synapses.connect
    within = synapses.source == synapses.target
    if isinstance(connect, Pairs):
        return connect.sources.astype(np.int32), connect.targets.astype(np.int32)
    if isinstance(connect, FixedInDegree):
        target = np.repeat(np.arange(targets, dtype=np.int32), connect.count)
        source = rng.integers(0, sources - within, target.size, dtype=np.int32)
        if within:  # skip the neuron itself
            source += source >= target
        return source, target
    if isinstance(connect, AllToAll):
        source, target = (x.ravel().astype(np.int32) for x in np.indices((sources, targets)))
        keep = source != target if within else slice(None)
        return source[keep], target[keep]
    raise NetworkError(f"synapses {synapses.name}", f"unknown connectivity {connect!r}")


@compiled
def order_by(keys: np.ndarray, groups: int) -> Any:
    """(offsets, order): members of group g are order[offsets[g] : offsets[g + 1]], in their given order."""
    offsets = np.zeros(groups + 1, dtype=np.int64)
    for key in keys:
        offsets[key + 1] += 1
    offsets[:] = np.cumsum(offsets)
    place = offsets[:-1].copy()
    order = np.empty(keys.size, dtype=np.int32)
    for i in range(keys.size):
        order[place[keys[i]]] = i
        place[keys[i]] += 1
    return offsets, order


def rows(source: np.ndarray, target: np.ndarray, sources: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """(offsets, order): synapses sorted by source and, within a row, by target; else in their given order."""
    _, by_target = order_by(target, targets)
    offsets, by_source = order_by(source[by_target], sources)
    return offsets, by_target[by_source]


def initial_efficacy(synapses: Synapses, count: int, rng: np.random.Generator) -> np.ndarray:
    """float32, shape (count,), in the order of the description."""
    given = np.asarray(synapses.efficacy, dtype=np.float32)
    if isinstance(synapses.efficacy, tuple):
        return (given[0] + (given[1] - given[0]) * rng.random(count, dtype=np.float32)).astype(np.float32)
    return np.broadcast_to(given, (count,)).astype(np.float32)


def make_records(efficacy: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Records of synapses at rest, flat float32; shape (4 * count,)."""
    records = np.empty((efficacy.size, 4), dtype=np.float32)
    records[:, 0] = ABSENT
    records[:, 1] = efficacy
    records[:, 2:].view(np.int32)[:, 0] = 0
    records[:, 2:].view(np.int32)[:, 1] = target
    return records.ravel()


@compiled
def split_rows(offsets: np.ndarray, target: np.ndarray, edges: np.ndarray) -> Any:
    """Where each row, sorted by target, passes each of the sorted `edges`; shape (edges, rows)."""
    split = np.empty((edges.size, offsets.size - 1), dtype=np.int64)
    for row in range(offsets.size - 1):
        at = offsets[row]
        for e in range(edges.size):
            while at < offsets[row + 1] and target[at] < edges[e]:
                at += 1
            split[e, row] = at
    return split
