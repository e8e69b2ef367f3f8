"""Hebbian plasticity runs away; scaling, a sliding threshold and competition each hold it.

Claim: neurons whose inputs potentiate more than they depress fire faster and faster until the efficacies
saturate. The same network with one stabilising mechanism at a time ends nearer to its target rate, and says
how it pays: what happens to the spread of the efficacies, which is what the synapses have learned.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from cascades.network import (
    FixedInDegree,
    LeakyIntegrateAndFire,
    Network,
    PoissonSource,
    Population,
    Recording,
    Synapses,
    run_network,
)
from cascades.network.plasticity import SlidingThreshold, SlotPool, SynapticScaling
from cascades.plot import COLOURS, new_figure
from cascades.reduction import published_rule

TARGET = 8.0  # Hz
# depression is weakened, so that potentiation wins at every rate
HEBBIAN = dataclasses.replace(
    published_rule("cortical slice"),
    sigma=0.0,
    well="none",
    gamma_d=0.05 * published_rule("cortical slice").gamma_d,
)
CASES: dict[str, tuple[Any, ...]] = {
    "Hebbian alone": (),
    "synaptic scaling": (SynapticScaling(interval=200.0, target=TARGET, tau=2000.0, tau_rate=1000.0),),
    "sliding threshold (BCM)": (
        SlidingThreshold(interval=200.0, target=TARGET, power=1.0, tau_rate=1000.0, lowest=0.7, highest=4.0),
    ),
    "slot pool": (SlotPool(interval=200.0, mean=0.3, tau=1000.0),),
}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    duration = 5_000.0 if options.quick else 20_000.0
    found = {name: run_network(network(m), duration, seed=options.seed) for name, m in CASES.items()}
    print(
        f"target rate {TARGET:g} Hz\n{'':<26}{'rate at the end [Hz]':>22}{'mean efficacy':>16}{'spread':>10}"
    )
    for name, recording in found.items():
        last = recording.rate("out", after=0.8 * duration)
        e = recording.efficacies
        print(f"{name:<26}{last:>22.1f}{e.mean():>16.3f}{e.std():>10.3f}")
    runaway = found["Hebbian alone"].rate("out", after=0.8 * duration)
    closer = [
        n
        for n, r in found.items()
        if abs(r.rate("out", after=0.8 * duration) - TARGET) < abs(runaway - TARGET)
    ]
    print(f"\nnearer to the target than Hebbian alone: {', '.join(closer) or 'none'}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "homeostasis.png"
    _figure(found).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0


def network(mechanisms: tuple[Any, ...]) -> Network:
    """A hundred neurons, each with a hundred plastic synapses from Poisson sources at 10 Hz."""
    return Network(
        [
            Population("in", 500, PoissonSource(10.0)),
            Population("out", 100, LeakyIntegrateAndFire(drive=13.0)),
        ],
        [Synapses("in", "out", FixedInDegree(100), 8.0, plastic=True, efficacy=(0.0, 0.6))],
        HEBBIAN,
        mechanisms,
    )


def _figure(found: dict[str, Recording]) -> Any:
    figure, axes = new_figure(width=6.5, height=4.0)
    for (name, recording), colour in zip(found.items(), COLOURS, strict=False):
        times, rate = recording.rate_in_time("out", recording.duration / 50)
        axes.plot(times / 1000.0, rate, color=colour, label=name)
    axes.axhline(TARGET, color="#d9dee3", lw=4, zorder=0)
    axes.set(xlabel="time [s]", ylabel="rate [Hz]")
    axes.set_ylim(0.0, np.ceil(axes.get_ylim()[1]))
    axes.legend()
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis homeostasis", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 s of biological time instead of 20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
