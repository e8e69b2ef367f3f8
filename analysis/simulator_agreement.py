"""The same network here, in Brian2 and in NEST: rates and mean efficacy agree within what wiring scatters.

Our exports write the populations and synapses; each simulator wires them with its own random numbers, so
agreement is statistical: the difference of the means is compared with its standard error over seeds.  Needs
an interpreter that has Brian2 or NEST with NESTML (CASCADES_SIMULATORS names it); one that is missing is left
out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cascades.errors import SimulatorError
from cascades.export import export, run_on_nest
from cascades.network import Network, Recording, balanced_network, run_network
from cascades.plot import COLOURS, new_figure
from cascades.reduction import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
WITHIN = 4.0  # standard errors of the difference
NAMES = ("rate E [Hz]", "rate I [Hz]", "mean efficacy")

BRIAN2 = """
import json, sys
import numpy as np
from brian2 import *
prefs.codegen.target = "cython"
seed(int(sys.argv[2])); np.random.seed(int(sys.argv[2]))
exec(open("network.py").read())
monitor_e = SpikeMonitor(POPULATIONS["E"], record=False)  # Brian2 looks at names
monitor_i = SpikeMonitor(POPULATIONS["I"], record=False)
duration = float(sys.argv[1])
run(duration * ms)
bring_up_to_date(synapses_0)
rates = [m.num_spikes / len(m.source) / duration * 1e3 for m in (monitor_e, monitor_i)]
print(json.dumps([*rates, float(np.mean(synapses_0.rho))]))
"""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    python = os.environ.get("CASCADES_SIMULATORS", sys.executable)
    neurons, duration, seeds = (500, 500.0, 3) if options.quick else (2000, 2000.0, 6)
    network = balanced_network(RULE, neurons=neurons, inputs=100)
    ours = np.array([numbers(run_network(network, duration, seed=seed)) for seed in range(seeds)])
    others = {}
    for name, run in (("Brian2", brian2), ("NEST", nest)):
        try:
            others[name] = np.array([run(python, network, duration, seed) for seed in range(seeds)])
        except SimulatorError as error:
            print(f"{name} is left out: {error}")
    if not others:
        return 1
    print(f"{neurons} neurons, {duration / 1e3:g} s, {seeds} seeds; mean and standard error")
    print(f"{'':<16}{'here':>18}" + "".join(f"{name:>18}{'difference':>14}" for name in others))
    agree = True
    for k, what in enumerate(NAMES):
        line = f"{what:<16}{_said(ours[:, k])}"
        for theirs in others.values():
            z = difference(ours[:, k], theirs[:, k])
            agree &= abs(z) <= WITHIN
            line += f"{_said(theirs[:, k])}{z:>11.1f} SE"
        print(line)
    print(f"\nthe simulators {'agree' if agree else 'DO NOT agree'} within {WITHIN:g} standard errors")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "simulator_agreement.png"
    _figure({"here": ours, **others}).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if agree else 1


def numbers(recording: Recording) -> list[float]:
    """Rates [Hz] of E and I, and the mean efficacy at the end."""
    return [*recording.rates.values(), float(recording.efficacies.mean())]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of the means, in its standard errors."""
    error = np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)
    return float((b.mean() - a.mean()) / error)


def nest(python: str, network: Network, duration: float, seed: int) -> list[float]:
    return numbers(run_on_nest(network, duration, seed=seed, python=python))


def brian2(python: str, network: Network, duration: float, seed: int) -> list[float]:
    """The exported network, wired by Brian2.  Raises SimulatorError if it stops."""
    with tempfile.TemporaryDirectory() as folder:
        export(network, "brian2", folder)
        (Path(folder) / "go.py").write_text(BRIAN2)
        arguments = [python, "go.py", str(duration), str(seed)]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SimulatorError("Brian2", (done.stderr.strip().splitlines() or ["no message"])[-1])
        return [float(x) for x in json.loads(done.stdout.strip().splitlines()[-1])]


def _said(x: np.ndarray) -> str:
    return f"{x.mean():>10.4f} ±{x.std(ddof=1) / np.sqrt(x.size):.4f}"


def _figure(found: dict[str, np.ndarray]) -> Any:
    """One panel per number: every seed, and mean with standard error."""
    figure, axes = new_figure(1, len(NAMES), width=8.0, height=3.0)
    for k, (axis, what) in enumerate(zip(axes, NAMES)):
        for at, (values, colour) in enumerate(zip(found.values(), COLOURS, strict=False)):
            x = values[:, k]
            axis.plot(at + np.linspace(-0.15, 0.15, x.size), x, "o", ms=4, mfc="none", color=colour)
            axis.errorbar(at, x.mean(), x.std(ddof=1) / np.sqrt(x.size), fmt="_", ms=22, color=colour)
        axis.set_xticks(range(len(found)), list(found))
        axis.set_xlim(-0.6, len(found) - 0.4)
        axis.set(ylabel=what)
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis simulator_agreement", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 neurons for 0.5 s instead of 2,000 for 2 s")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
