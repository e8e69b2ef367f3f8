"""Replay by the hippocampus consolidates a memory into a cortical population.

A pattern of cortical neurons is driven by hippocampal replays: short bursts of the hippocampal cells that
were active together.  The plastic synapses among the cortical neurons learn by the calcium rule.  Claim:
after a night with replays a part of the pattern calls up the rest without the hippocampus; after a night of
the same spikes, shuffled among cells and moments, it does not.

The strength of the recurrent synapses in the recall test is not a number that the rule gives.  It is chosen
on one night (its own seed and pattern), from a list, as the one that best tells replayed from shuffled; the
claim is judged on other nights with other patterns and other noise, which had no part in the choice.  A cell
is called up if it spikes within 30 ms of a cue.
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
    PoissonDrive,
    Population,
    ReplayedSource,
    Synapses,
    run_network,
)
from cascades.plot import COLOURS, new_figure
from cascades.reduction import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
CELLS, PATTERN, CUE = 200, 40, 20  # cortical neurons, those of the memory, those that cue it
BURST, WITHIN = 4, 5.0  # spikes per cell and replay, ms between them
PERIOD = 400.0  # ms between replays
STRENGTHS = (2.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0)  # mV at efficacy 1, tried on the first night
CUES = 20
HITS = 0.5  # by how much the fraction called up of the pattern must exceed that of the other cells
FALSE = 0.25  # and by how much it may after a shuffled night
CONDITIONS = ("replayed", "shuffled")


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    replays, nights = (25, 1) if options.quick else (120, 4)
    first = {c: night(c, replays, options.seed) for c in CONDITIONS}
    strength = choose(first, options.seed)
    print(f"recurrent strength chosen on night 0: {strength:g} mV\n")
    print(f"{'night':<7}{'':<10}{'efficacy within':>16}{'elsewhere':>11}{'rest of pattern':>17}{'others':>8}")
    recalls: dict[str, list[np.ndarray]] = {c: [] for c in CONDITIONS}
    verdicts = []
    for k in range(1, nights + 1):
        seed = options.seed + k
        gaps = {}
        for condition in CONDITIONS:
            grid, pattern = night(condition, replays, seed)
            called = recall(grid, pattern, strength, seed)
            recalls[condition].append(called)
            gaps[condition] = selectivity(called)
            inside, outside = within(grid, pattern)
            rest, others = called[CUE:PATTERN].mean(), called[PATTERN:].mean()
            print(f"{k:<7}{condition:<10}{inside:>16.3f}{outside:>11.3f}{rest:>17.0%}{others:>8.0%}")
        verdicts.append(gaps["replayed"] >= HITS and abs(gaps["shuffled"]) <= FALSE)
    print(f"\ntarget: {HITS:.0%} more of the pattern than of the others is called up after replays,")
    print(f"        at most {FALSE:.0%} more or less after a shuffled night")
    verdict = "holds" if all(verdicts) else "MISSED"
    print(f"{verdict:<8}on {sum(verdicts)} of {nights} nights not used for tuning")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "replay.png"
    _figure(recalls).savefig(path, dpi=150)
    print(f"\nfigure: {path}")
    return 0 if all(verdicts) else 1


def choose(first: dict[str, tuple[np.ndarray, np.ndarray]], seed: int) -> float:
    """The strength at which recall differs most between the two conditions of the first night."""

    def difference(strength: float) -> float:
        gap = {c: selectivity(recall(*given, strength, seed)) for c, given in first.items()}
        return gap["replayed"] - gap["shuffled"]

    return max(STRENGTHS, key=difference)


def selectivity(called: np.ndarray) -> float:
    """How much more of the rest of the pattern than of the other cells is called up."""
    return float(called[CUE:PATTERN].mean() - called[PATTERN:].mean())


def night(condition: str, replays: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(efficacies after the night, shape (cells, cells), the cells of the pattern)."""
    rng = np.random.default_rng(seed)
    pattern = rng.permutation(CELLS)[:PATTERN]
    times, cells = [], []
    for k in range(replays):
        for burst in range(BURST):
            times.append(PERIOD * k + 100.0 + burst * WITHIN + rng.uniform(0.0, 1.0, PATTERN))
            cells.append(pattern)
    at, who = np.concatenate(times), np.concatenate(cells)
    if condition == "shuffled":
        at, who = rng.uniform(0.0, PERIOD * replays, at.size), rng.integers(0, CELLS, who.size)
    asleep = _cortex(ReplayedSource(at, who), 0.05, 0.5)
    found = run_network(asleep, PERIOD * replays, seed=seed)
    grid = np.zeros((CELLS, CELLS))
    grid[_pairs()] = found.final_efficacies["cortex -> cortex"]
    return grid, pattern


def within(grid: np.ndarray, pattern: np.ndarray) -> tuple[float, float]:
    """Mean efficacy among the cells of the pattern, and among the others."""
    member = np.zeros(CELLS, dtype=bool)
    member[pattern] = True
    inside, outside = (m[:, None] & m & ~np.eye(CELLS, dtype=bool) for m in (member, ~member))
    return float(grid[inside].mean()), float(grid[outside].mean())


def recall(grid: np.ndarray, pattern: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Fraction of the cues that call up each cortical cell: first the cue, then the rest of the pattern, then
    the others."""
    times = np.concatenate([200.0 * k + 50.0 + np.zeros(CUE) for k in range(CUES)])
    network = _cortex(ReplayedSource(times, np.tile(pattern[:CUE], CUES)), grid[_pairs()], strength)
    at, who = run_network(network, 200.0 * CUES, seed=seed).spikes("cortex")
    cue, phase = at // 200.0, at % 200.0
    is_after = (phase > 50.0) & (phase < 80.0)
    answers = np.unique(who[is_after] + CELLS * cue[is_after].astype(int)) % CELLS
    called = np.bincount(answers, minlength=CELLS) / CUES
    others = np.setdiff1d(np.arange(CELLS), pattern)
    return called[np.concatenate([pattern, others])]


def _pairs() -> tuple[np.ndarray, np.ndarray]:
    source, target = (x.ravel() for x in np.indices((CELLS, CELLS)))
    keep = source != target
    return source[keep], target[keep]


def _cortex(hippocampus: ReplayedSource, efficacy: Any, strength: float) -> Network:
    cell = LeakyIntegrateAndFire(tau_exc=5.0, tau_inh=10.0)
    source, target = _pairs()
    return Network(
        [
            Population("hippocampus", CELLS, hippocampus),
            Population("cortex", CELLS, cell, PoissonDrive(400.0, 0.8)),
            Population("inhibition", 50, LeakyIntegrateAndFire()),
        ],
        [
            Synapses("hippocampus", "cortex", Pairs(np.arange(CELLS), np.arange(CELLS)), 130.0),
            Synapses("cortex", "cortex", Pairs(source, target), strength, plastic=True, efficacy=efficacy),
            Synapses("cortex", "inhibition", AllToAll(), 7.0),
            Synapses("inhibition", "cortex", AllToAll(), 12.0, receptor="inh"),
        ],
        RULE,
    )


def _figure(recalls: dict[str, list[np.ndarray]]) -> Any:
    figure, axes = new_figure(width=6.5, height=3.6)
    for (name, nights), colour in zip(recalls.items(), COLOURS, strict=False):
        for k, called in enumerate(nights):
            axes.plot(np.arange(CELLS), called, ".", color=colour, ms=3, label=name if k == 0 else None)
    axes.set_ylim(0.0, 1.03)
    for edge, text in ((0, "cue"), (CUE, "rest"), (PATTERN, "others")):
        axes.axvline(edge - 0.5, color="#d9dee3", lw=1)
        axes.annotate(text, (edge, axes.get_ylim()[1]), va="bottom", fontsize=8)
    axes.set(xlabel="cortical cell, by its part in the memory", ylabel="fraction of cues that call it up")
    axes.legend()
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis replay", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="25 replays, one night instead of four")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
