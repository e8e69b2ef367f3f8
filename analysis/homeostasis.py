"""Hebbian plasticity runs away; scaling, a sliding threshold and competition each hold it.

Claims: neurons whose synapses potentiate at every rate fire faster and faster until the efficacies saturate;
with one stabilising mechanism at a time the same neurons do neither, and stay at their target rate.

Every stabiliser has a set point, and none is found by trial in the closed loop.  Scaling has the target rate
itself.  The slot pool needs the mean efficacy at which the neurons fire at the target: measured with synapses
that do not learn.  The sliding threshold (of potentiation) needs the rate at which its factor is one: with
Poisson spikes on both sides, at the rates of input and target, the threshold is moved until the rule's
efficacy settles where the neurons fire at the target.  The pool has no other knowledge of the rate, and pulls
the mean efficacy back within a second while potentiation goes on: the two balance above the size of the pool,
by what potentiation adds in that second.  So the pool is that much smaller, measured in the same way.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
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
    replay,
    run_network,
)
from cascades.network.plasticity import SlidingThreshold, SlotPool, SynapticScaling
from cascades.plot import COLOURS, new_figure
from cascades.reduction import CalciumRule, published_rule

TARGET, INPUT = 8.0, 10.0  # Hz
HELD = 0.25  # a rate within this part of the target is at the target
RUNAWAY = 2.0  # times the target
SATURATED = 0.8  # an efficacy above this
OUT = 100  # neurons
POOL_TIME = 1000.0  # [ms]
# depression is a fifth of the published one, so that potentiation wins at every rate
HEBBIAN = dataclasses.replace(
    published_rule("cortical slice"),
    sigma=0.0,
    well="none",
    gamma_d=0.2 * published_rule("cortical slice").gamma_d,
)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    duration = 10_000.0 if options.quick else 120_000.0
    cases, start = mechanisms(options.seed)
    found = {
        name: run_network(network(chosen, start), duration, seed=options.seed)
        for name, chosen in cases.items()
    }
    print(
        f"\n{'':<26}{'rate, last quarter [Hz]':>26}{'the quarter before':>20}{'saturated':>12}{'spread':>9}"
    )
    verdicts = []
    for name, recording in found.items():
        last, before = late_rates(recording)
        saturated = float((recording.efficacies > SATURATED).mean())
        print(f"{name:<26}{last:>26.1f}{before:>20.1f}{saturated:>12.0%}{recording.efficacies.std():>9.3f}")
        if name == "Hebbian alone":
            holds = last > RUNAWAY * TARGET and saturated > 0.5
            verdicts.append((f"{name}: above {RUNAWAY * TARGET:g} Hz, most synapses saturated", holds))
        else:
            holds = last < RUNAWAY * TARGET and saturated < 0.1
            verdicts.append((f"{name}: below {RUNAWAY * TARGET:g} Hz, fewer than 10 % saturated", holds))
            holds = abs(last - TARGET) <= HELD * TARGET
            verdicts.append((f"{name}: within {HELD:.0%} of {TARGET:g} Hz", holds))
    print()
    for claim, holds in verdicts:
        print(f"{'holds' if holds else 'MISSED':<8}{claim}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "homeostasis.png"
    _figure(found).savefig(path, dpi=150)
    print(f"\nfigure: {path}")
    return 0 if all(holds for _, holds in verdicts) else 1


def mechanisms(seed: int) -> tuple[dict[str, tuple[Any, ...]], float]:
    """The stabilisers at set points measured in the open loop, and the efficacy at the target rate."""
    needed = root(lambda m: fixed_rate(m, seed) - TARGET, 0.0, 1.0)
    factor = root(lambda f: needed - settled(f, seed), 1.0, 3.0)
    print(f"open loop: {TARGET:g} Hz need a mean efficacy of {needed:.3f};")
    print(f"the rule settles there with its potentiation threshold {factor:.2f} times as high;")
    added = POOL_TIME * potentiation(needed, seed)
    print(f"potentiation adds {added:.3f} in the time of the pool")
    slow = {"interval": 200.0, "tau_rate": 1000.0}
    return {
        "Hebbian alone": (),
        "synaptic scaling": (SynapticScaling(target=TARGET, tau=2000.0, **slow),),
        "sliding threshold (BCM)": (
            SlidingThreshold(
                target=TARGET / factor, lowest=0.1, highest=100.0, moves_depression=False, **slow
            ),
        ),
        "slot pool": (SlotPool(interval=200.0, mean=needed - added, tau=POOL_TIME),),
    }, needed


def root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises, up to its sampling noise, crosses zero."""
    for _ in range(8):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return 0.5 * (low + high)


def fixed_rate(efficacy: float, seed: int) -> float:
    """Rate [Hz] of neurons whose synapses do not learn."""
    still = dataclasses.replace(HEBBIAN, gamma_p=0.0, gamma_d=0.0)
    return run_network(network((), efficacy, still, spread=0.0), 3000.0, seed=seed + 1).rate(
        "out", after=500.0
    )


def settled(factor: float, seed: int) -> float:
    """Where the efficacy settles with theta_p `factor` times as high, input and output at random."""
    rule: CalciumRule = dataclasses.replace(HEBBIAN, theta_p=factor * HEBBIAN.theta_p)
    rng = np.random.default_rng(seed + 2)
    duration = 300_000.0
    pre, post = (
        [np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration / 1e3))) for _ in range(40)]
        for rate in (INPUT, TARGET)
    )
    times = np.linspace(0.5 * duration, duration, 20)
    return float(replay(rule, pre, post, duration=duration, times=times, efficacy=0.5).efficacies.mean())


def potentiation(efficacy: float, seed: int) -> float:
    """Growth of the efficacy [1/ms] from there, input and output at random."""
    rng = np.random.default_rng(seed + 3)
    duration = 2000.0
    pre, post = (
        [np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration / 1e3))) for _ in range(1000)]
        for rate in (INPUT, TARGET)
    )
    return (
        float(replay(HEBBIAN, pre, post, duration=duration, efficacy=efficacy).final.mean() - efficacy)
        / duration
    )


def network(
    chosen: tuple[Any, ...], efficacy: float, rule: CalciumRule = HEBBIAN, spread: float = 0.2
) -> Network:
    """A hundred neurons, each with a hundred plastic synapses from Poisson sources."""
    start = (max(efficacy - spread, 0.0), min(efficacy + spread, 1.0))
    return Network(
        [
            Population("in", 500, PoissonSource(INPUT)),
            Population("out", OUT, LeakyIntegrateAndFire(drive=13.0)),
        ],
        [Synapses("in", "out", FixedInDegree(100), 8.0, plastic=True, efficacy=start)],
        rule,
        chosen,
    )


def late_rates(recording: Recording) -> tuple[float, float]:
    """Rates [Hz] in the last quarter and in the one before."""
    quarter = recording.duration / 4.0
    last = recording.rate("out", after=3.0 * quarter)
    return last, 2.0 * recording.rate("out", after=2.0 * quarter) - last


def _figure(found: dict[str, Recording]) -> Any:
    figure, axes = new_figure(1, 2, width=9.0, height=3.6)
    for (name, recording), colour in zip(found.items(), COLOURS, strict=False):
        times, rate = recording.rate_in_time("out", recording.duration / 50)
        axes[0].plot(times / 1000.0, rate, color=colour, label=name)
        axes[1].hist(recording.efficacies, np.linspace(0.0, 1.0, 41), histtype="step", color=colour, lw=1.5)
    axes[0].axhline(TARGET, color="#d9dee3", lw=4, zorder=0)
    axes[0].set(xlabel="time [s]", ylabel="rate [Hz]")
    axes[0].set_ylim(0.0, np.ceil(axes[0].get_ylim()[1]))
    axes[0].legend()
    axes[1].set(xlabel="efficacy at the end", ylabel="synapses", yscale="log")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis homeostasis", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 s of biological time instead of 120")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
