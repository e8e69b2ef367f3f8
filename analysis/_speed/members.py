"""A million members of a 73-state model, kept as one observable: the memory and the time they take.

Each count runs in a process of its own, whose peak is asked for at its end.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from analysis._speed import Row
from analysis._speed.cases import network
from analysis._speed.networks import medium
from cascades import simulate
from cascades.solvers.rodas5p import Rodas5P

FEW, SOME, ALL = 2_000, 20_000, 1_000_000
KEPT = "A11d"  # receptors with both phosphates in the density
PROTOCOL = "constant"
BAR = 2.0  # GB


def run(quick: bool) -> list[Row]:
    members = SOME if quick else ALL
    few, _, _ = in_a_process(FEW)
    peak, seconds, result = in_a_process(members)
    growth = (1e9 * (peak - few) - result) / (members - FEW)
    what = f"73 states, {members:,} members"
    return [
        Row(f"{what}: peak memory, {result / 1e9:.2g} GB of it the result", peak, "GB", BAR),
        Row(f"{what}: memory for one more, besides its result", growth, "bytes"),
        Row(f"{what}: time, one thread", seconds, "s"),
        Row(f"{what}: time of one", 1e3 * seconds / members, "ms"),
    ]


def in_a_process(members: int) -> tuple[float, float, float]:
    """Peak memory [GB], CPU time [s] and the bytes of the result."""
    command = [sys.executable, "-m", __name__, str(members)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    peak, seconds, result = map(float, found.split())
    return peak, seconds, result


def measure(members: int) -> tuple[float, float, float]:
    subject = network(medium())
    rng = np.random.default_rng(0)
    names = ("pump", "cyclase", "exo0")
    values = {
        name: subject.compiled.default_values[name] * rng.lognormal(0.0, 0.2, members) for name in names
    }
    start = time.process_time()
    found = simulate(
        subject.compiled,
        subject.times(PROTOCOL),
        values=values,
        solver=Rodas5P(threads=1),
        observables=[KEPT],
    )
    return peak_memory(), time.process_time() - start, float(found.values.nbytes)


def peak_memory() -> float:
    """Of this process [GB].  What `getrusage` says may be the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    print(*measure(int(sys.argv[1])))
