"""The composed spine in bulk: eight hours of late LTP, and an ensemble over the protocols of `phenomena`.

A thousand parameter sets are measured on a part of them and scaled up: the CPU time of that part, times
the number of parts, over two cores.
"""

from __future__ import annotations

import time

import numpy as np

from analysis._speed import Row, cpu_seconds
from cascades import compile_model, load_model
from cascades.card import model_card
from cascades.compiler.compiled import CompiledModel
from cascades.protocols import (
    HOUR,
    Protocol,
    early_ltp,
    frequency_response,
    hfs,
    late_ltp,
    ltd,
    priming,
    reset,
    stdp,
)
from cascades.simulate import simulate

MODEL = "spine_cascades"
SETS, MEASURED, SPREAD = 1000, 32, 0.1  # parameter sets, how many are run, log standard deviation
CORES = 2
SEED = 0


def run(quick: bool) -> list[Row]:
    compiled = compile_model(load_model(MODEL))
    (single,) = cpu_seconds([lambda: simulate(compiled, [0.0, 8.0 * HOUR], protocol=hfs())], repeats=5)
    protocols = table_protocols()
    members = MEASURED // (4 if quick else 1)
    values = random_sets(compiled, members)
    failed = 0
    start = time.process_time()
    for protocol in protocols:
        times = [0.0, protocol.duration]
        ran = simulate(compiled, times, protocol=protocol, values=values, throw=False, progress=False)
        failed += int(np.count_nonzero(ran.status))
    minutes = (time.process_time() - start) * SETS / members / CORES / 60.0
    return [
        Row("8 h with 4 x 100 Hz, single", single, "s", 1.0),
        Row(f"{SETS} sets over {len(protocols)} protocols, from {members} sets", minutes, "min", 10.0),
        Row("of these runs failed", float(failed), "runs", 0.0),
    ]


def table_protocols() -> list[Protocol]:
    """One protocol per row of the table that needs a run of its own."""
    rates = (1.0, 3.0, 5.0, 8.0, 10.0, 12.0, 20.0, 50.0, 100.0)
    delays = (-0.05, -0.02, -0.01, 0.005, 0.01, 0.02, 0.05)
    return [
        early_ltp(), early_ltp(after=3 * HOUR), late_ltp(),
        ltd(), priming(), priming(pause=4 * HOUR), reset(),
        *(frequency_response(rate=rate) for rate in rates),
        *(stdp(delay=delay, rate=rate) for rate in (1.0, 5.0) for delay in delays),
    ]  # fmt: skip


def random_sets(compiled: CompiledModel, count: int) -> dict[str, np.ndarray]:
    """Every tuned constant, lognormal about its value."""
    generator = np.random.default_rng(SEED)
    tuned = [n for n, entry in model_card(MODEL).parameters.items() if entry.status == "tuned"]
    return {n: compiled.default_values[n] * np.exp(SPREAD * generator.normal(size=count)) for n in tuned}
