"""What dose-responses of calcineurin can tell about calmodulin: seen, sloppy, and unseen parameters.

Claim: the dose-responses of calcineurin (Stemmer & Klee 1994), read after ten minutes, fix the dissociation
constant of its complex with calmodulin if everything else is known (a profile with two ends); fitted
together with a constant of calcium it is limited on one side only; and rates are not seen at all, because
everything is at equilibrium: the null directions of the Fisher information say so before any profile is
drawn.  All on the model of Eriksson et al. (2019).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from cascades.card import model_card
from cascades.fitting import FitProblem, Profile, fit, identifiability, morris_screening, profile
from cascades.fitting.claims import from_claims
from cascades.fitting.profile import VERDICTS
from cascades.plot import COLOURS, new_figure

MODEL = "camkii_eriksson_2019"


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    card = model_card(MODEL)
    unknown = [n for n in card.parameters if n.startswith(("kon_", "koff_", "kcat_", "KD_", "kaut"))]
    everything = from_claims(MODEL, unknown)
    local = identifiability(everything)
    seen = local.eigenvalues[: local.rank]
    decades = np.log10(seen[0] / seen[-1])
    print(f"{len(unknown)} parameters, {len(everything.measurements)} measurements of six experiments")
    print(f"directions seen: {local.rank} of {len(unknown)}; their eigenvalues span {decades:.1f} decades")
    for direction in local.null_directions[:5]:
        print("  unseen: " + ", ".join(f"{n} {c:+.2f}" for n, c in list(direction.items())[:4]))

    small, target = _calcineurin(everything)
    print(
        f"\ncalcineurin alone: {len(small.measurements)} measurements, fitted: {', '.join(small.names)}",
        flush=True,
    )
    points = 25 if options.quick else 50
    found = _profiles(small, options.seed, points)
    print("the constant of calcineurin's complex, everything else known:", flush=True)
    (alone,) = _profiles(_estimating(small, {target}), options.seed, points)
    effects = morris_screening(small, trajectories=4 if options.quick else 10, seed=options.seed)
    order = np.argsort(-effects.main[0])
    print("over the whole range (Morris), largest effect on the likelihood first: "
          + ", ".join(effects.names[k] for k in order))  # fmt: skip
    verdicts = {one.name: one.verdict for one in found}
    holds = (alone.verdict, verdicts[target]) == VERDICTS[:2] and all(
        verdict == VERDICTS[2] for name, verdict in verdicts.items() if name.startswith("kon_")
    )
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "identifiability.png"
    _figure(local.eigenvalues, [alone, *found]).savefig(path, dpi=150)
    print(f"\nthe claim {'holds' if holds else 'IS MISSED'}\nfigure: {path}")
    return 0 if holds else 1


def _profiles(problem: FitProblem, seed: int, points: int) -> list[Profile]:
    result = fit(problem, starts=1, seed=seed, guesses=[problem.nominal])
    found = []
    for name in problem.names:
        one = profile(result, name, points=points)
        limits = f"; {', '.join(one.limited_by)} at a bound" if one.limited_by else ""
        low, high = (10.0**edge for edge in one.interval)
        print(f"  {name:<22}{one.verdict:<34}[{low:.3g}, {high:.3g}]{limits}", flush=True)
        found.append(one)
    return found


def _calcineurin(problem: FitProblem) -> tuple[FitProblem, str]:
    """The experiments that read calcineurin, and its constant with calmodulin; fitted are this one, the
    constant of calcium that they see best, and the rates that they see best and worst."""
    kept = tuple(m for m in problem.measurements if "calcineurin" in m.experiment)
    used = {m.experiment for m in kept}
    small = replace(
        problem, measurements=kept, experiments=tuple(e for e in problem.experiments if e.id in used)
    )
    information = np.diag(small.objective.fisher_information(small.nominal))
    order = [small.names[k] for k in np.argsort(-information)]
    constants = [name for name in order if name.startswith("KD_")]
    rates = [name for name in order if name.startswith("kon_")]
    calcium = next(name for name in constants if name.endswith("_Ca"))
    target = next(name for name in constants if not name.endswith("_Ca"))
    return _estimating(small, {calcium, target, rates[0], rates[-1]}), target


def _estimating(problem: FitProblem, names: set[str]) -> FitProblem:
    return replace(
        problem, parameters=tuple(replace(p, is_estimated=p.id in names) for p in problem.parameters)
    )


def _figure(eigenvalues: np.ndarray, profiles: list[Profile]):  # type: ignore[no-untyped-def]
    figure, axes = new_figure(1, 1 + len(profiles), width=3.0 * (1 + len(profiles)), height=3.0)
    axes = np.ravel(axes)
    axes[0].semilogy(np.maximum(eigenvalues / eigenvalues[0], 1e-18), ".", color=COLOURS[0])
    axes[0].set_xlabel("direction, sorted")
    axes[0].set_ylabel("eigenvalue / largest")
    axes[0].set_title("all experiments", fontsize=8)
    for axis, one in zip(axes[1:], profiles, strict=True):
        one.plot(axis)
        axis.set_xlabel(f"log10 {one.name}")
        axis.set_title(one.verdict, fontsize=8)
        axis.set_ylim(-0.1, 2.0 * (one.threshold - one.objective.min()))
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis identifiability", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="coarser profiles")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
