"""Ongoing activity erases memories: how long they last under the rule, and what makes them last longer.

Claim: in a balanced network at some Hz a random pattern of efficacies is forgotten exponentially under the
threshold rule; a cascade of states, a late phase and a sliding threshold are compared with it on the same
activity. The lifetime is when the correlation with the stored pattern falls below 1/e of its first value.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from cascades.network import balanced_network
from cascades.network.plasticity import CascadeSynapse, SlidingThreshold, TagAndCapture
from cascades.network.session import Session
from cascades.plot import COLOURS, new_figure
from cascades.reduction import CalciumRule, published_rule

PLAIN = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
# biological time is short: proteins and the late phase are as many times faster as the run is shorter than a
# day
FAST_LATE = TagAndCapture(
    interval=100.0,
    baseline=0.5,
    tag_threshold=0.1,
    protein_threshold=0.2,
    tau_protein=2000.0,
    tau_late=5000.0,
)
CASES: dict[str, tuple[CalciumRule, tuple[Any, ...]]] = {
    "threshold rule": (PLAIN, ()),
    "with its double well": (dataclasses.replace(PLAIN, well="cubic"), ()),
    "cascade synapse": (PLAIN, (CascadeSynapse(interval=500.0, depth=6),)),
    "sliding threshold": (PLAIN, (SlidingThreshold(interval=500.0, target=2.0, tau_rate=2000.0),)),
    "tag and capture": (PLAIN, (FAST_LATE,)),
}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    duration = 5.0 if options.quick else 600.0
    curves = {name: memory(*case, duration, options.seed) for name, case in CASES.items()}
    print(f"{'':<24}{'lifetime [s]':>14}{'correlation at the end':>26}")
    for name, (times, kept) in curves.items():
        life = lifetime(times, kept)
        shown = f"{life:.1f}" if np.isfinite(life) else f"> {duration:g}"
        print(f"{name:<24}{shown:>14}{kept[-1]:>26.3f}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "network_memory.png"
    _figure(curves).savefig(path, dpi=150)
    print(f"\nfigure: {path}")
    return 0


def memory(rule: CalciumRule, mechanisms: tuple[Any, ...], duration: float, seed: int) -> Any:
    """(times [s], correlation of the transmitted efficacies with the stored pattern)."""
    network = balanced_network(rule, neurons=1000, inputs=100, mechanisms=mechanisms)
    session = Session.new(network, seed, 1)
    stored = session.view().plastic[0].efficacy.copy()
    if session.built.plastic.expressed is not None:
        stored = session.view().plastic[0].expressed.copy()
    stored -= stored.mean()
    times, kept = [], []
    for step in range(51):
        session.advance(round(step * duration / 50 * 1e4) + 1)
        session.read()
        now = session.readings[-1]["E -> E"][3].astype(float)
        spread = now.std() * stored.std()
        times.append(step * duration / 50)
        kept.append(float(((now - now.mean()) * stored).mean() / spread) if spread > 0.0 else 0.0)
    return np.array(times), np.array(kept)


def lifetime(times: np.ndarray, kept: np.ndarray) -> float:
    """When the correlation falls below 1/e of its first value [s]; infinite if it does not."""
    below = np.flatnonzero(kept < kept[0] / np.e)
    return float(times[below[0]]) if below.size else np.inf


def _figure(curves: dict[str, Any]) -> Any:
    figure, axes = new_figure(width=6.5, height=4.0)
    for (name, (times, kept)), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(times, kept, color=colour, label=name)
    axes.axhline(1.0 / np.e, color="#d9dee3", lw=1)
    axes.set(xlabel="time of ongoing activity [s]", ylabel="correlation with the stored pattern")
    axes.legend()
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis network_memory", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 s of biological time instead of 600")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
