"""What dose-responses of calcineurin can tell about calmodulin: seen, sloppy, and unseen parameters.

Claim: the dose-responses of calcineurin (Stemmer & Klee 1994), read after ten minutes, fix a dissociation
constant of calmodulin (a profile with two ends) but not rates, because everything is at equilibrium: the
null directions of the Fisher information say so before any profile is drawn.  All on the model of
Eriksson et al. (2019).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from cascades.card import model_card
from cascades.fitting import FitProblem, Profile, fit, identifiability, morris_screening, profile
from cascades.fitting.claims import from_claims
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

    small = _calcineurin(everything)
    print(
        f"\ncalcineurin alone: {len(small.measurements)} measurements, fitted: {', '.join(small.names)}",
        flush=True,
    )
    result = fit(small, starts=1, seed=options.seed, guesses=[small.nominal])
    found = []
    for name in small.names:
        one = profile(result, name, points=25 if options.quick else 50)
        limits = f"; {', '.join(one.limited_by)} at a bound" if one.limited_by else ""
        low, high = (10.0**edge for edge in one.interval)
        print(f"  {name:<22}{one.verdict:<34}[{low:.3g}, {high:.3g}]{limits}", flush=True)
        found.append(one)
    effects = morris_screening(small, trajectories=4 if options.quick else 10, seed=options.seed)
    order = np.argsort(-effects.main[0])
    print("over the whole range (Morris), largest effect on the likelihood first: "
          + ", ".join(effects.names[k] for k in order))  # fmt: skip
    verdicts = {one.verdict for one in found}
    holds = "identifiable" in verdicts and len(verdicts) > 1
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "identifiability.png"
    _figure(local.eigenvalues, found).savefig(path, dpi=150)
    claim = "holds" if holds else "IS MISSED"
    print(f"\nverdicts found: {', '.join(sorted(verdicts))}: the claim {claim}\nfigure: {path}")
    return 0 if holds else 1


def _calcineurin(problem: FitProblem) -> FitProblem:
    """The experiments that read calcineurin; fitted are the dissociation constants of calcium and of
    another partner that they see best, and the rates that they see best and worst."""
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
    chosen = {calcium, target, rates[0], rates[-1]}
    return replace(
        small,
        parameters=tuple(replace(p, is_estimated=p.id in chosen) for p in small.parameters),
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
