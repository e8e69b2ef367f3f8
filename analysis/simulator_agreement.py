"""The same network here and in Brian2: rates and mean efficacy agree within what the wiring scatters.

Our export writes the populations and synapses; Brian2 wires them with its own random numbers, so agreement is
statistical: the difference of the means is compared with the scatter over seeds of ours.  Needs an
interpreter that has Brian2 (CASCADES_SIMULATORS names it).
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

from cascades.export import export
from cascades.network import balanced_network, run_network
from cascades.plot import COLOURS, new_figure
from cascades.reduction import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
WITHIN = 4.0  # standard errors of the difference

SCRIPT = """
import json, sys
import numpy as np
from brian2 import *
prefs.codegen.target = "cython"
seed(int(sys.argv[2])); np.random.seed(int(sys.argv[2]))
exec(open("network.py").read())
monitors = {name: SpikeMonitor(group, record=False) for name, group in (("E", E), ("I", I))}
duration = float(sys.argv[1])
run(duration * ms)
found = {name: m.num_spikes / len(m.source) / duration * 1e3 for name, m in monitors.items()}
print(json.dumps({**found, "efficacy": float(np.mean(synapses_0.rho))}))
"""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    python = os.environ.get("CASCADES_SIMULATORS", sys.executable)
    if subprocess.run([python, "-c", "import brian2"], capture_output=True).returncode:
        print("Brian2 is not there; CASCADES_SIMULATORS names an interpreter that has it")
        return 1
    neurons, duration, seeds = (500, 500.0, 2) if options.quick else (2000, 2000.0, 4)
    network = balanced_network(RULE, neurons=neurons, inputs=100)
    names = ("E", "I", "efficacy")
    ours, theirs = [], []
    for seed in range(seeds):
        recording = run_network(network, duration, seed=seed)
        ours.append([*recording.rates.values(), recording.efficacies.mean()])
        theirs.append([brian2(python, network, duration, seed)[name] for name in names])
    a, b = np.array(ours), np.array(theirs)
    error = np.sqrt((a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)) / seeds)
    agree = np.abs(a.mean(axis=0) - b.mean(axis=0)) <= WITHIN * error
    print(f"{'':<22}{'here':>12}{'Brian2':>12}{'standard error':>16}")
    for k, what in enumerate(("rate E [Hz]", "rate I [Hz]", "mean efficacy")):
        print(f"{what:<22}{a[:, k].mean():>12.4f}{b[:, k].mean():>12.4f}{error[k]:>16.4f}")
    print(f"\nthe simulators {'agree' if agree.all() else 'DO NOT agree'} within {WITHIN:g} standard errors")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "simulator_agreement.png"
    _figure(a, b).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if agree.all() else 1


def brian2(python: str, network: Any, duration: float, seed: int) -> dict[str, float]:
    """Rates [Hz] and the mean efficacy of the exported network."""
    with tempfile.TemporaryDirectory() as folder:
        export(network, "brian2", folder)
        (Path(folder) / "go.py").write_text(SCRIPT)
        arguments = [python, "go.py", str(duration), str(seed)]
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"Brian2 stopped: {done.stderr.strip().splitlines()[-1]}")
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _figure(a: np.ndarray, b: np.ndarray) -> Any:
    figure, axes = new_figure(width=4.5, height=3.6)
    for k, (name, colour) in enumerate(zip(("E", "I"), COLOURS, strict=False)):
        axes.plot(np.zeros(len(a)) + k - 0.1, a[:, k], "o", color=colour, label=f"{name}, here")
        axes.plot(np.zeros(len(b)) + k + 0.1, b[:, k], "s", mfc="none", color=colour, label=f"{name}, Brian2")
    axes.set_xticks([0, 1], ["E", "I"])
    axes.set(ylabel="rate [Hz]")
    axes.legend()
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis simulator_agreement", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500 neurons for 0.5 s instead of 2,000 for 2 s")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
