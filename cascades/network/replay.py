"""Replay: spike trains in, efficacies out; no neurons.

For spikes that were recorded, or simulated by another program.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import NetworkError
from cascades.network.calcium import CalciumShape, check_shape
from cascades.reduction.rule import CalciumRule

if TYPE_CHECKING:
    import pandas as pd

SHARD = 1 << 18  # synapses replayed together: 4 MB stay in the cache
SHORTEST_ROW = 48  # synapses of a presynaptic neuron in one shard, on average: three full vectors
NOISE = 0


@dataclass(frozen=True, eq=False)
class Replay:
    """Efficacies over time: shape (times, synapses); times in ms."""

    rule: CalciumRule
    sources: np.ndarray
    targets: np.ndarray
    times: np.ndarray
    efficacies: np.ndarray

    @property
    def final(self) -> np.ndarray:
        """Efficacies at the last time; shape (synapses,)."""
        return self.efficacies[-1]

    @property
    def units(self) -> dict[str, str]:
        return {"time": "ms", "efficacy": "1"}

    def to_dataframe(self) -> pd.DataFrame:
        """One row per time and synapse: time [ms], synapse, source, target, efficacy."""
        import pandas as pd

        n = self.sources.size
        return pd.DataFrame(
            {
                "time": np.repeat(self.times, n),
                "synapse": np.tile(np.arange(n), self.times.size),
                "source": np.tile(self.sources, self.times.size),
                "target": np.tile(self.targets, self.times.size),
                "efficacy": self.efficacies.ravel(),
            }
        )

    def save(self, path: str | Path) -> Path:
        """Write to one .npz file, whole or not at all."""
        from cascades.network.recording import write_whole

        path = Path(path).with_suffix(".npz")
        write_whole(
            path,
            {
                "rule": np.array(self.rule.to_json()),
                "sources": self.sources,
                "targets": self.targets,
                "times": self.times,
                "efficacies": self.efficacies,
            },
        )
        return path


def replay(
    rule: CalciumRule,
    pre: Sequence[Any],
    post: Sequence[Any],
    *,
    duration: float,
    sources: Any = None,
    targets: Any = None,
    efficacy: Any = 0.5,
    times: Any = None,
    seed: int = 0,
    precision: str = "double",
    dt: float = 0.1,
    threads: int = 1,
    calcium: CalciumShape | None = None,
) -> Replay:
    """The efficacies of synapses whose pre- and postsynaptic neurons spike at given times.

    Parameters
    ----------
    rule : CalciumRule
    pre, post : sequences of sequences of float
        Spike times [ms] of each pre- and postsynaptic neuron.
    duration : float
        [ms]
    sources, targets : int arrays, shape (synapses,)
        Neurons of each synapse; by default the first with the first, the second with the second, and so on.
    efficacy : float or array, shape (synapses,)
        At time 0.
    times : floats, optional
        When to read the efficacies [ms]; by default at the end.
    seed : int
        Of the rule's noise.
    precision : "double" or "single"
        Double is exact at any spike times; single is the network's kernel on a grid of `dt` [ms], for
        millions of synapses, on `threads` threads.
    calcium : SaturatingPump or SlowRise, optional
        Where the calcium of the rule does not jump and decay exponentially.

    Raises
    ------
    NetworkError
        An index out of range, a spike outside the replay, an efficacy outside [0, 1], a rule that single
        precision cannot express.
    """
    check_shape(calcium, rule)
    before, after = _trains("pre", pre), _trains("post", post)
    sources, targets = _pairs(sources, targets, len(pre), len(post))
    start = np.broadcast_to(np.asarray(efficacy, dtype=float), sources.shape)
    if not ((start >= 0.0) & (start <= 1.0)).all():
        raise NetworkError(
            "replay", f"efficacies must lie in [0, 1] (got {start[~((start >= 0) & (start <= 1))][0]})"
        )
    times = np.array([duration]) if times is None else np.atleast_1d(np.asarray(times, dtype=float))
    if (np.diff(times) < 0.0).any() or times.min() < 0.0 or times.max() > duration:
        raise NetworkError("replay", "times must be sorted and lie between 0 and the duration")
    if precision == "double":
        out = _double(rule, before, after, sources, targets, start, times, seed, calcium)
    elif precision == "single":
        out = _single(rule, before, after, sources, targets, start, times, seed, dt, threads, calcium)
    else:
        raise NetworkError("replay", f"precision must be 'double' or 'single' (got {precision!r})")
    return Replay(rule, sources, targets, times, out)


def _trains(name: str, spikes: Sequence[Any]) -> list[np.ndarray]:
    trains = [np.sort(np.asarray(train, dtype=float).ravel()) for train in spikes]
    for i, train in enumerate(trains):
        if train.size and not (np.isfinite(train).all() and train[0] >= 0.0):
            raise NetworkError("replay", f"{name}synaptic neuron {i} spikes before 0 or at no time")
    return trains


def _pairs(sources: Any, targets: Any, n_pre: int, n_post: int) -> tuple[np.ndarray, np.ndarray]:
    if sources is None and targets is None:
        if n_pre != n_post:
            raise NetworkError("replay", f"{n_pre} and {n_post} trains are no pairs; say sources and targets")
        sources = targets = np.arange(n_pre)
    if sources is None or targets is None:
        raise NetworkError("replay", "say sources and targets, or neither")
    out = [np.asarray(x, dtype=np.int64).ravel() for x in (sources, targets)]
    if out[0].size != out[1].size:
        raise NetworkError("replay", "as many sources as targets are needed")
    for name, indices, size in (("source", out[0], n_pre), ("target", out[1], n_post)):
        wrong = indices[(indices < 0) | (indices >= size)]
        if wrong.size:
            raise NetworkError("replay", f"{name} index {wrong[0]} is out of range; there are {size} trains")
    return out[0], out[1]


def _double(
    rule: CalciumRule,
    pre: list[np.ndarray],
    post: list[np.ndarray],
    sources: np.ndarray,
    targets: np.ndarray,
    start: np.ndarray,
    times: np.ndarray,
    seed: int,
    shape: CalciumShape | None,
) -> np.ndarray:
    from cascades.network.constants import MS_PER_S
    from cascades.network.counter import stream_key
    from cascades.network.exact import exact_rule, replay_exactly

    flat = []
    for trains in (pre, post):
        ends = np.cumsum([0, *(t.size for t in trains)])
        flat += [np.concatenate([np.zeros(0), *trains]) / MS_PER_S, ends]
    out = np.empty((times.size, sources.size))
    key = np.uint32(stream_key(seed, NOISE))
    replay_exactly(
        exact_rule(rule, shape), *flat, sources, targets, np.array(start), times / MS_PER_S, key, out
    )
    return out


def _single(
    rule: CalciumRule,
    pre: list[np.ndarray],
    post: list[np.ndarray],
    sources: np.ndarray,
    targets: np.ndarray,
    start: np.ndarray,
    times: np.ndarray,
    seed: int,
    dt: float,
    threads: int,
    shape: CalciumShape | None,
) -> np.ndarray:
    from cascades.network.constants import MS_PER_S, apart, kernel_rule
    from cascades.network.counter import stream_key
    from cascades.network.passes import settle

    constants = kernel_rule(rule, dt, stream_key(seed, NOISE), shape, sources.size)
    played = Player(sources, targets, len(pre), len(post), start)
    late = round(rule.calcium.delay * MS_PER_S / dt)
    ticks, neurons, is_pre = events(pre, post, dt, late)
    out = np.empty((times.size, sources.size))
    last = 0
    for row, until in enumerate(np.rint(times / dt).astype(np.int64)):
        here = slice(last, int(np.searchsorted(ticks, until, "right")))
        played.play(constants, ticks[here], neurons[here], is_pre[here], threads)
        last = here.stop
        records = played.records.copy()
        settle(apart(constants), records, np.int32(until))
        out[row, played.order] = records.reshape(-1, 4)[:, 1]
    return out


def events(
    pre: list[np.ndarray], post: list[np.ndarray], dt: float, late: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Jumps of calcium in order: tick (int32), neuron (int32), whether it is presynaptic."""
    ticks, neurons, kinds = [], [], []
    for trains, shift, is_pre in ((pre, late, True), (post, 0, False)):
        sizes = [t.size for t in trains]
        ticks.append(np.rint(np.concatenate([np.zeros(0), *trains]) / dt).astype(np.int64) + shift)
        neurons.append(np.repeat(np.arange(len(trains), dtype=np.int32), sizes))
        kinds.append(np.full(sum(sizes), is_pre))
    tick, neuron, kind = (np.concatenate(x) for x in (ticks, neurons, kinds))
    if tick.size and tick.max() >= 2**31:
        raise NetworkError(
            "replay", f"a spike at {tick.max() * dt:.3g} ms is beyond the grid; use double precision"
        )
    order = np.lexsort((neuron, kind, tick))
    return tick[order].astype(np.int32), neuron[order], kind[order]


class Player:
    """Synapses in rows and columns, ready to be played; `order` is where each record stood in the
    description.

    They lie in shards of postsynaptic neurons, each in one piece of memory, which are played one after the
    other: one shard stays in the cache.  A number of shards that is not given is as large as pays.
    """

    def __init__(
        self,
        sources: np.ndarray,
        targets: np.ndarray,
        n_pre: int,
        n_post: int,
        efficacy: np.ndarray,
        shards: int | None = None,
    ) -> None:
        from cascades.network import wiring

        senders, receivers = sources.astype(np.int32), targets.astype(np.int32)
        size = receivers.size
        if shards is None:
            shards = max(1, min(-(-size // SHARD), size // max(n_pre, 1) // SHORTEST_ROW))
        ends, _ = wiring.order_by(receivers, n_post)
        # equal shares of synapses, cut between postsynaptic neurons
        self.edges = np.searchsorted(ends, np.arange(shards + 1) * size // shards, "left").astype(np.int32)
        self.edges[0], self.edges[-1] = 0, n_post
        shard = np.searchsorted(self.edges[1:-1], receivers, "right").astype(np.int32)
        offsets, self.order = wiring.rows(
            shard * np.int32(n_pre) + senders, receivers, shards * n_pre, n_post
        )
        self.first, self.last = (x.reshape(shards, n_pre) for x in (offsets[:-1], offsets[1:]))
        receivers = receivers[self.order]
        self.columns, self.column = wiring.order_by(receivers, n_post)
        self.records = wiring.make_records(np.asarray(efficacy, np.float32)[self.order], receivers)

    def play(
        self, constants: Any, ticks: np.ndarray, neurons: np.ndarray, is_pre: np.ndarray, threads: int = 1
    ) -> None:
        """Apply the jumps, one shard of postsynaptic neurons after the other or side by side."""
        from cascades.network.passes import onto, play

        def part(k: int) -> None:
            jumps = onto(self.edges[k], self.edges[k + 1], ticks, neurons, is_pre)
            play(constants, self.records, self.first[k], self.last[k], self.column, self.columns, *jumps)

        shards = range(self.first.shape[0])
        if threads == 1 or len(shards) == 1:
            for k in shards:
                part(k)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(part, shards))
