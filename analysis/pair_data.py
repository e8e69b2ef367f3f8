"""The derived rule of the composed spine against pairs of spikes in cortical slices.

Claim: none of success.  The rule of `spine_cascades` was derived from its biochemistry and has seen none of
these data, which are of another area than most of its parts; chi2 and the agreement of signs stand beside
those of the cortical set of Graupner & Brunel (2012), which was fitted to the first of the two data sets.

Data: mean relative change and its standard error, as in Graupner & Brunel (2012), Fig. 4.  Sjostrom et al.
(2001) Neuron 32:1149: 50 pairs at 0.1 Hz, or 15 bursts of 5 pairs, 10 s apart.  Markram et al. (1997)
Science 275:213: 10 bursts of 5 pairs, 4 s apart.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from cascades.plot import FULL, GREY, RULE, new_figure
from cascades.reduction import CalciumRule, derive_rule, published_rule
from cascades.reduction.published import Population, published_population, transition_probabilities
from cascades.report.readouts import readouts

MODEL, CORTICAL = "spine_cascades", "cortical slice"
REST = 600.0  # [s] after the protocol before the change is read


@dataclass(frozen=True)
class Point:
    """Pairs at `rate` [Hz], the postsynaptic spike `delay` [s] after the presynaptic one."""

    study: str
    rate: float
    delay: float
    change: float
    error: float

    @property
    def bursts(self) -> tuple[int, int, float]:
        """How many bursts, of how many pairs, how far apart [s]."""
        if self.study == "Markram 1997":
            return 10, 5, 4.0
        return (50, 1, 10.0) if self.rate < 1.0 else (15, 5, 10.0)

    def spikes(self) -> tuple[np.ndarray, np.ndarray]:
        """Times [s] before and after the synapse, the first at 0.1 s."""
        count, pairs, apart = self.bursts
        pre = 0.1 + (apart * np.arange(count)[:, None] + np.arange(pairs) / self.rate).ravel()
        return pre, pre + self.delay

    @property
    def duration(self) -> float:
        """Of the protocol [s], the pause after its last burst included."""
        count, _, apart = self.bursts
        return count * apart


def _points(study: str, rows: str) -> list[Point]:
    table = [[float(x) for x in row.split()] for row in rows.strip().splitlines()]
    return [Point(study, rate, 1e-3 * delay, change, error) for rate, delay, change, error in table]


DATA = [
    *_points("Sjostrom 2001", """
        0.1  10 -0.04 0.05
        0.1 -10 -0.29 0.08
        10   10  0.14 0.10
        10  -10 -0.41 0.11
        20   10  0.29 0.14
        20  -10 -0.34 0.10
        40   10  0.53 0.11
        40  -10  0.56 0.32
        50   10  0.56 0.26
        50  -10  0.75 0.19"""),
    *_points("Markram 1997", """
        2    5 -0.01 0.04
        5    5  0.02 0.06
        10   5  0.26 0.08
        10 -10 -0.21 0.03
        20   5  0.36 0.08
        30   5  0.42 0.08
        40   5  0.50 0.12"""),
]  # fmt: skip


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    model = cascades.load_model(MODEL)
    calcium, weight = readouts(model)
    ladder = derive_rule(
        cascades.compile_model(model), calcium=calcium, weight=weight, seed=options.seed,
        budget="quick" if options.quick else "full",
    )  # fmt: skip
    rule = ladder.rule
    low, high = rule.provenance["down"], rule.provenance["up"]
    derived = np.array([_derived(rule, point, Population(0.5, high / low)) for point in DATA])
    cortical = np.array([_published(point) for point in DATA])
    print(f"{MODEL}: {weight} driven by {calcium}; level {rule.name!r}; UP is {high / low:.2f} times DOWN,"
          f" half of the synapses start in each\n")  # fmt: skip
    print(f"{'study':<15}{'rate':>6}{'delay':>7}{'measured':>16}{'derived':>10}{'cortical set':>14}")
    for point, a, b in zip(DATA, derived, cortical, strict=True):
        print(f"{point.study:<15}{point.rate:>6g}{1e3 * point.delay:>7g}"
              f"{point.change:>+9.2f} +-{point.error:>5.2f}{a:>+10.2f}{b:>+14.2f}")  # fmt: skip
    print()
    for study in dict.fromkeys(point.study for point in DATA):
        rows = [i for i, point in enumerate(DATA) if point.study == study]
        for name, said in (("derived", derived), ("cortical set", cortical)):
            chi2, agree, signs = _score([DATA[i] for i in rows], said[rows])
            said_right = f"sign right in {agree} of {signs}"
            print(f"{study:<15}{name:<14} chi2 {chi2:8.1f} of {len(rows)} points, {said_right}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "pair_data.png"
    _figure(derived, cortical).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0


def _derived(rule: CalciumRule, point: Point, population: Population) -> float:
    """Relative change of the mean strength of synapses that start DOWN and UP; without noise."""
    pre, post = point.spikes()
    ends = [float(rule.replay(pre, post, [point.duration + REST], rho=rho)[0]) for rho in (0.0, 1.0)]
    beta, gain = population.beta, population.ratio - 1.0
    after = beta * (1.0 + gain * ends[0]) + (1.0 - beta) * (1.0 + gain * ends[1])
    return after / (beta + (1.0 - beta) * (1.0 + gain)) - 1.0


def _published(point: Point) -> float:
    """The published solution: an efficacy that is averaged over the protocol and then falls to its side."""
    rule, population = published_rule(CORTICAL), published_population(CORTICAL)
    times = np.arange(0.0, point.duration, 2e-4)
    calcium = rule.calcium.at(times, *point.spikes())
    above = (float(np.mean(calcium > rule.theta_d)), float(np.mean(calcium > rule.theta_p)))
    up, down = transition_probabilities(rule, above, point.duration)
    beta, b = population.beta, population.ratio
    low = (1.0 - up) * beta + down * (1.0 - beta)
    high = up * beta + (1.0 - down) * (1.0 - beta)
    return (low + high * b) / (beta + (1.0 - beta) * b) - 1.0


def _score(points: list[Point], said: np.ndarray) -> tuple[float, int, int]:
    """chi2, and how many of the changes that are more than their error have the right sign."""
    chi2 = sum(((s - p.change) / p.error) ** 2 for p, s in zip(points, said, strict=True))
    clear = [(p.change, s) for p, s in zip(points, said, strict=True) if abs(p.change) > p.error]
    return float(chi2), sum(bool(np.sign(change) == np.sign(s)) for change, s in clear), len(clear)


def _figure(derived: np.ndarray, cortical: np.ndarray) -> Any:
    figure, axes = new_figure(1, 2, width=8.0, height=3.2, sharey=True)
    for place, study in zip(axes, dict.fromkeys(point.study for point in DATA), strict=True):
        for sign, marker in ((1.0, "o"), (-1.0, "s")):
            rows = [i for i, p in enumerate(DATA) if p.study == study and np.sign(p.delay) == sign]
            rate = [DATA[i].rate for i in rows]
            change, error = [DATA[i].change for i in rows], [DATA[i].error for i in rows]
            when = "pre first" if sign > 0 else "post first"
            place.errorbar(rate, change, error, fmt=marker, color=FULL, label=f"measured, {when}")
            style = "-" if sign > 0 else "--"
            place.plot(rate, derived[rows], style, marker=marker, ms=3, color=RULE, label=f"derived, {when}")
            place.plot(
                rate, cortical[rows], style, marker=marker, ms=3, color=GREY, label=f"cortical set, {when}"
            )
        place.axhline(0.0, color=GREY, lw=0.6)
        place.set(xlabel="rate of pairs [Hz]", title=study)
    axes[0].set_ylabel("relative change")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis pair_data", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer protocols and levels in the derivation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
