"""The network layer: nanoseconds per synaptic event, CPU seconds per biological second, bytes per synapse.

Ratios are taken side by side in one process, of CPU seconds, medians.  One comparison needs what this
package does not ship: a yardstick in C++ (CASCADES_YARDSTICK names a shared library with `init`, `blk32` and
`tab32`).  Without it its rows are left out.  Other simulators are in `peers`.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from analysis._speed import Row
from cascades.network import balanced_network, run_network
from cascades.network.constants import curve, kernel_rule
from cascades.network.replay import Player
from cascades.network.session import Session
from cascades.reduction import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
RATE, DT = 5.0, 0.1  # Hz, ms
HOUR = 3600.0  # [s]
FIVE_HZ = 25.6  # the drive [mV] at which the network of the hour stays near that rate


def run(quick: bool) -> list[Row]:
    """All rows; `quick` takes smaller networks and fewer repetitions."""
    rows = kernels(100_000 if quick else 1_000_000, 2.0, 3 if quick else 7)
    rows += networks(quick)
    rows += threads(quick)
    return [*rows, hour(10.0 if quick else 300.0)]


# ---------------------------------------------------------------------------------- the kernel
def kernels(synapses: int, duration: float, repeats: int) -> list[Row]:
    """Replay of Poisson spikes, as many pre- as postsynaptic neurons, fan-out 100."""
    n, fan_out = synapses // 100, 100
    rng = np.random.default_rng(1)
    sources = np.repeat(np.arange(n), fan_out)
    targets = np.sort(rng.integers(0, n, (n, fan_out)), axis=1).ravel()
    start = rng.random(synapses).astype(np.float32)
    counts = rng.poisson(n * RATE * duration, 2)
    ticks = rng.integers(1, int(duration * 1e4), counts.sum()).astype(np.int32)
    neurons = rng.integers(0, n, counts.sum()).astype(np.int32)
    is_pre = np.arange(counts.sum()) < counts[0]
    order = np.lexsort((neurons, is_pre, ticks))
    events = tuple(x[order] for x in (ticks, neurons, is_pre))

    step = kernel_rule(RULE, DT)
    kinds = {
        "step thresholds": step,
        "any rates, two tables": step._replace(drift=curve(RULE)),
        "double well": kernel_rule(dataclasses.replace(RULE, well="cubic"), DT),
        "noise": kernel_rule(dataclasses.replace(RULE, sigma=3.35), DT, 1),
    }
    whole, sharded = (Player(sources, targets, n, n, start, shards) for shards in (1, None))
    per_neuron = np.diff(whole.columns)
    total = counts[0] * fan_out + int(per_neuron[events[1][~events[2]]].sum())
    first = whole.records.copy()

    def ours(player: Player, rule: Any) -> Callable[[], None]:
        return lambda: player.play(rule, *events)

    runs = {f"{name}": ours(whole, rule) for name, rule in kinds.items()}
    runs["step thresholds, in shards"] = ours(sharded, step)
    runs |= _yardstick(whole, events, fan_out)
    nothing = tuple(x[:0] for x in events)
    for rule in kinds.values():
        whole.play(rule, *nothing)
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, go in runs.items():
            whole.records[:] = first
            sharded.records[:] = first
            begun = time.process_time()
            go()
            spent[name].append((time.process_time() - begun) / total * 1e9)
    median = {name: float(np.median(x)) for name, x in spent.items()}
    size = f"{synapses:.0e}".replace("+0", "")
    rows = [Row(f"kernel, {size} synapses, {name}", x, "ns/event") for name, x in median.items()]
    if "C++ yardstick" in median:
        c, table = median["C++ yardstick"], median["C++ yardstick, tables"]
        rows += [
            Row("kernel / C++ yardstick", median["step thresholds"] / c, "", 0.85),
            Row("kernel in shards / C++ yardstick", median["step thresholds, in shards"] / c, "", 0.6),
            Row("two-table kernel / C++ yardstick", median["any rates, two tables"] / c, "", 1.1),
            Row("two-table kernel / its C++ yardstick", median["any rates, two tables"] / table, ""),
        ]
    return rows


def _yardstick(player: Player, events: tuple[np.ndarray, ...], fan_out: int) -> dict[str, Callable[[], None]]:
    path = os.environ.get("CASCADES_YARDSTICK")
    if not path:
        return {}
    library = ctypes.CDLL(path)

    def pointer(array: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    scratch = [np.zeros(m, np.float32) for m in (4098, 4098, 2 * 4098)]
    library.init(*map(pointer, scratch))
    ticks, neurons, kinds = events[0], events[1], events[2].astype(np.int8)
    rows = np.arange(0, player.records.size // 4 + 1, fan_out, dtype=np.int32)
    columns = player.columns.astype(np.int32)
    arrays = [pointer(a) for a in (rows, columns, player.column, player.records)]
    lead = [pointer(ticks), pointer(neurons), pointer(kinds), ctypes.c_long(ticks.size)]
    kept = (scratch, kinds, rows, columns)

    def go(function: Any) -> Callable[[], None]:
        return lambda: (function(*lead, *arrays), kept)[0]

    return {"C++ yardstick": go(library.blk32), "C++ yardstick, tables": go(library.tab32)}


# ---------------------------------------------------------------------------------- whole networks
def _seconds(session: Session, biological: float, clock: Callable[[], float]) -> float:
    begun = clock()
    session.advance(session.tick + round(biological * 1e4))
    return (clock() - begun) / biological


def networks(quick: bool) -> list[Row]:
    """Balanced networks on one thread; bytes of the arrays that last."""
    rows = []
    for neurons, inputs, biological in ((2000, 100, 2.0), (10_000, 100, 0.5 if quick else 2.0)):
        session = Session.new(balanced_network(RULE, neurons=neurons, inputs=inputs), 1, 1)
        session.advance(101)
        cpu = float(np.median([_seconds(session, biological, time.process_time) for _ in range(3)]))
        rows.append(Row(f"network {neurons} x {inputs}", cpu, "CPU s per biological s"))
    p = session.built.plastic
    used = sum(a.nbytes for a in (p.records, p.split, p.column, p.ends))
    rows.append(Row("memory per plastic synapse", used / p.column.size, "bytes", 24.0))
    return rows


def threads(quick: bool) -> list[Row]:
    """Two threads against one, wall clock, the same bits.

    The quickest of several runs in turn, not their median: whatever else the machine does takes one of two
    processors away, and then the other thread waits.
    """
    neurons, inputs, biological = (10_000, 100, 0.2) if quick else (10_000, 1000, 0.3)
    network = balanced_network(RULE, neurons=neurons, inputs=inputs)
    sessions = [Session.new(network, 1, n) for n in (1, 2)]
    for session in sessions:
        session.advance(101)
    wall: list[list[float]] = [[], []]
    for _ in range(3 if quick else 24):
        for k, session in enumerate(sessions):
            wall[k].append(_seconds(session, biological, time.perf_counter))
    size = f"{network.synapse_count(plastic=True):.0e}".replace("+0", "")
    gain = min(wall[0]) / min(wall[1])
    return [
        Row(f"two threads, {size} plastic synapses", gain, "x", 1.7, False),
        Row("two threads: same spikes, states and efficacies", float(_same(*sessions)), "", 1.0, False),
    ]


def _same(a: Session, b: Session) -> bool:
    pairs = [(np.concatenate(x), np.concatenate(y)) for x, y in ((a.ticks, b.ticks), (a.neurons, b.neurons))]
    pairs += [
        (a.built.cells.state, b.built.cells.state),
        (a.built.plastic.records.view(np.int32), b.built.plastic.records.view(np.int32)),
    ]
    return all(np.array_equal(x, y) for x, y in pairs)


def hour(biological: float) -> Row:
    """So many seconds of the network that has to do an hour, stopped and resumed half way, on one thread."""
    network = balanced_network(RULE, neurons=10_000, inputs=125, drive=FIVE_HZ)
    run_network(network, 1.0)  # compiled before it is timed
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {
            "seed": 1,
            "keep_spikes": (),
            "checkpoint": Path(folder) / "state",
        }
        begun = time.perf_counter()
        halves = [
            run_network(network, part * 1000.0 * biological, resume=True, **options) for part in (0.5, 1.0)
        ]
        wall = time.perf_counter() - begun
    rate = sum(half.spike_counts.sum() for half in halves) / network.size / biological
    measured = "all of it" if biological >= HOUR else f"from {biological:g} s"
    name = f"one hour of 10,000 x 125 at {rate:.1f} Hz, one thread, {measured}, resumed half way"
    return Row(name, wall / biological * HOUR / 60.0, "minutes", 15.0)


def main() -> None:
    """Print the rows of this section, or that of a whole hour."""
    parser = argparse.ArgumentParser(prog="python -m analysis._speed.network", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller networks, fewer repetitions")
    parser.add_argument("--hour", action="store_true", help="only the hour, all of it: about eight minutes")
    options = parser.parse_args()
    for row in [hour(HOUR)] if options.hour else run(options.quick):
        bar = "" if row.bar is None else f"   bar {'<=' if row.is_less else '>='} {row.bar:g}: {row.holds}"
        print(f"{row.name:<90}{row.value:>10.3g} {row.unit}{bar}", flush=True)


if __name__ == "__main__":
    main()
