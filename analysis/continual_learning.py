"""Two tasks in sequence: what learning the second costs the first, with and without protection.

A task is a pairing of a group of inputs with a group of neurons: both are driven together, so that the
calcium rule potentiates the synapses between them.  The second task drives the same inputs with other
neurons, and its inputs alone depress what the first had potentiated.  Claims: without protection most of the
first task is lost while the second is learned; scaling the changes of a synapse by how much it has learned
before keeps most of it at some strength, and the second task is still learned.

What a task has taught is how far the synapses that it pairs rose above their start.  Learning takes ten
seconds; forgetting, which inputs do without a neuron, takes some forty, so a task lasts sixty.  At 20 Hz this
parameter set potentiates by postsynaptic spikes alone as well: the synapses of silent inputs onto trained
neurons rise nearly as far, and are shown beside.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from cascades.network import (
    AllToAll,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    Population,
    ReplayedSource,
    Synapses,
    run_network,
)
from cascades.network.plasticity import ImportanceScaling
from cascades.plot import COLOURS, LIGHT, new_figure
from cascades.reduction import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
INPUTS, OUTPUTS = 100, 40
SHARED, RATE = slice(0, 60), 20.0  # inputs of both tasks; Hz
START = 0.3  # efficacy
OF_TASK = {"first": slice(0, 20), "second": slice(20, 40)}  # outputs
STRENGTHS = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# Targets: parts of the first task that are kept, and of the unprotected second task that are still learned
LOST, KEPT, LEARNED = 0.5, 0.8, 0.5


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    length = 20_000.0 if options.quick else 60_000.0
    print("rise of the mean efficacy of the synapses that a task pairs\n")
    print(
        f"{'protection':>12}{'first, learned':>18}{'silent inputs':>16}{'first, at the end':>20}"
        f"{'kept':>8}{'second, at the end':>20}"
    )
    kept, gained = [], []
    for strength in STRENGTHS:
        learned, silent, at_end, second = course(strength, length, options.seed)
        kept.append(at_end / learned)
        gained.append(second)
        print(
            f"{strength:>12g}{learned:>18.3f}{silent:>16.3f}{at_end:>20.3f}{kept[-1]:>8.0%}{second:>20.3f}",
            flush=True,
        )
    part = np.array(gained) / gained[0]
    best = int(np.argmax(np.minimum(np.array(kept) / KEPT, part / LEARNED)))
    verdicts = [
        (f"unprotected, at most {LOST:.0%} of the first task is kept", kept[0], kept[0] <= LOST),
        (f"protection {STRENGTHS[best]:g} keeps at least {KEPT:.0%} of it", kept[best], kept[best] >= KEPT),
        (f"and {LEARNED:.0%} of the second task is still learned", part[best], part[best] >= LEARNED),
    ]
    print()
    for claim, value, holds in verdicts:
        print(f"{'holds' if holds else 'MISSED':<8}{value:>6.0%}  {claim}")
    print()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "continual_learning.png"
    _figure(kept, gained).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if all(holds for _, _, holds in verdicts) else 1


def course(strength: float, length: float, seed: int) -> tuple[float, float, float, float]:
    """Rise of the first task's synapses after it, of silent inputs onto its neurons, of the first task's at
    the end, and of the second's."""
    protection = ImportanceScaling(interval=200.0, strength=strength, ends=(length,))
    described = network(length, seed, protection)
    after_first, at_end = (run_network(described, n * length, seed=seed).efficacies for n in (1.0, 2.0))
    silent = rise(after_first, "first", slice(SHARED.stop, INPUTS))
    return rise(after_first, "first"), silent, rise(at_end, "first"), rise(at_end, "second")


def rise(efficacies: np.ndarray, task: str, inputs: slice = SHARED) -> float:
    """How far the synapses from these inputs onto the neurons of a task stand above their start."""
    return float(efficacies.reshape(INPUTS, OUTPUTS)[inputs, OF_TASK[task]].mean() - START)


def network(length: float, seed: int, protection: ImportanceScaling) -> Network:
    """Inputs and teachers spike at random while their task is on; teachers make their neurons spike."""
    rng = np.random.default_rng(seed)
    inputs, teachers = _Spikes(rng), _Spikes(rng)
    for begin, task in ((0.0, "first"), (length, "second")):
        inputs.add(range(SHARED.stop), RATE, begin, begin + length)
        teachers.add(range(*OF_TASK[task].indices(OUTPUTS)), RATE, begin, begin + length)
    return Network(
        [
            Population("in", INPUTS, inputs.source()),
            Population("teacher", OUTPUTS, teachers.source()),
            Population("out", OUTPUTS, LeakyIntegrateAndFire()),
        ],
        [
            Synapses("in", "out", AllToAll(), 0.02, plastic=True, efficacy=START),
            Synapses("teacher", "out", Pairs(np.arange(OUTPUTS), np.arange(OUTPUTS)), 400.0),
        ],
        RULE,
        [protection],
    )


class _Spikes:
    def __init__(self, rng: np.random.Generator):
        self.rng, self.times, self.neurons = rng, [], []  # type: ignore[var-annotated]

    def add(self, neurons: range, rate: float, begin: float, end: float) -> None:
        for neuron in neurons:
            times = np.sort(self.rng.uniform(begin, end, self.rng.poisson(rate * (end - begin) / 1000.0)))
            self.times.append(times)
            self.neurons.append(np.full(times.size, neuron))

    def source(self) -> ReplayedSource:
        return ReplayedSource(np.concatenate(self.times), np.concatenate(self.neurons))


def _figure(kept: list[float], gained: list[float]) -> Any:
    figure, axes = new_figure(width=5.0, height=3.6)
    for target in (KEPT, LEARNED):
        axes.axhline(target, color=LIGHT, lw=1)
    learned = np.array(gained) / gained[0]
    axes.plot(STRENGTHS, kept, "o-", color=COLOURS[0], label="first task, part that is kept")
    axes.plot(STRENGTHS, learned, "o-", color=COLOURS[1], label="second task, part of the unprotected")
    axes.set_xscale("symlog", linthresh=3.0)
    axes.set(xlabel="strength of protection", ylim=(0.0, 1.1))
    axes.legend(loc="lower right")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis continual_learning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 s per task instead of 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
