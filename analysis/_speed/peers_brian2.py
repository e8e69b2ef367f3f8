"""Brian2 in C++ standalone mode, event-driven and clock-driven, through our export."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from analysis._speed import peers
from analysis._speed.network import RATE, RULE
from cascades.export.brian2 import files
from cascades.network import balanced_network
from cascades.network.constants import kernel_rule
from cascades.network.replay import Player

DT, FAN_OUT = 0.1, 100

GO = """
import subprocess, sys
import numpy as np
from brian2 import *

what, mode, n, fan_out, duration = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
n, fan_out = int(n), int(fan_out)
set_device("cpp_standalone", build_on_run=False)
prefs.devices.cpp_standalone.openmp_threads = 0
prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
prefs.codegen.cpp.extra_compile_args_gcc = [
    "-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native"
]
np.random.seed(1)
seed(1)
if what == "kernel":
    defaultclock.dt = 0.1 * ms
    from calcium_synapses import calcium_synapses
    pre, post = PoissonGroup(n, 5 * Hz), PoissonGroup(n, 5 * Hz)
    s = calcium_synapses(pre, post, "", mode)
    s.connect(i=np.repeat(np.arange(n), fan_out), j=np.random.randint(0, n, n * fan_out))
    s.rho = "rand()"
else:
    exec(open("network.py").read())
device.insert_code("before_network_run", "clock_t begun = clock();")
said = 'printf("seconds %.9g\\\\n", double(clock() - begun)/CLOCKS_PER_SEC);'
device.insert_code("after_network_run", said)
run(duration * second)
device.build(directory="built", compile=True, run=False)
for line in sys.stdin:
    done = subprocess.run(["./main"], cwd="built", capture_output=True, text=True, check=True)
    seconds = next(row for row in done.stdout.splitlines() if row.startswith("seconds "))
    print("seconds", float(seconds.split()[1]) / duration, flush=True)
"""


def is_there(python: str) -> bool:
    return peers.has(python, "brian2")


def contests(python: str, quick: bool) -> list[peers.Contest]:
    """The plasticity kernel, and whole networks."""
    n = 1000 if quick else 10_000
    size = f"{n * FAN_OUT:.0e}".replace("+0", "")
    alone = our_kernel(n, 1.0)

    def peer(what: str, mode: str, neurons: int, biological: float) -> Callable[[], peers.Peer]:
        source = balanced_network(RULE, neurons=neurons, inputs=FAN_OUT) if what == "network" else RULE
        texts = {**files(source), "go.py": GO}
        return lambda: peers.Peer(python, texts, (what, mode, neurons, FAN_OUT, biological))

    found = [
        peers.Contest(f"kernel, {size} synapses at 5 Hz: Brian2 event-driven", alone,
                      peer("kernel", "event", n, 1.0), 15.0),
        peers.Contest(f"kernel, {size} synapses at 5 Hz: Brian2 clock-driven", alone,
                      peer("kernel", "clock", n, 0.2), 50.0),
    ]  # fmt: skip
    for neurons in (2000,) if quick else (2000, 10_000):
        found.append(
            peers.Contest(f"network {neurons} x {FAN_OUT}: Brian2 event-driven",
                          peers.our_network(neurons, FAN_OUT, 1.0),
                          peer("network", "event", neurons, 1.0), 4.0)
        )  # fmt: skip
    return found


def our_kernel(n: int, duration: float) -> Callable[[], float]:
    """CPU seconds per biological second of the replay kernel: Poisson spikes, n neurons on each side."""
    rng = np.random.default_rng(1)
    sources = np.repeat(np.arange(n), FAN_OUT)
    targets = rng.integers(0, n, n * FAN_OUT)
    player = Player(sources, targets, n, n, rng.random(n * FAN_OUT))
    counts = rng.poisson(n * RATE * duration, 2)
    ticks = rng.integers(1, round(duration * 1e3 / DT), counts.sum()).astype(np.int32)
    neurons = rng.integers(0, n, counts.sum()).astype(np.int32)
    is_pre = np.arange(counts.sum()) < counts[0]
    order = np.lexsort((neurons, is_pre, ticks))
    events = tuple(x[order] for x in (ticks, neurons, is_pre))
    rule, start = kernel_rule(RULE, DT), player.records.copy()

    def go() -> float:
        player.records[:] = start
        begun = time.process_time()
        player.play(rule, *events)
        return (time.process_time() - begun) / duration

    return go
