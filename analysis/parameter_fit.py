"""Calmodulin, calcineurin and CaMKII fitted to dose-responses, each experiment predicted from the others.

Claim: from the authors' start values (Eriksson et al. 2019) a fit to Bradshaw 2003, Shifman 2006, O'Donnell
2010 and Stemmer & Klee 1994 lowers chi2 several times, within their own prior (a standard deviation of 2.5
in every logarithm).  Then every experiment in turn is left out, the rest is fitted from the same start
values, and the experiment is predicted: a prediction counts if it is better than that of the start values,
which were made with all experiments in view, and holds if its chi2 is below twice its number of points.
That is lenient: the stated errors are so wide that the fit to all has a chi2 of 0.04 per point.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from cascades.card import model_card
from cascades.fitting import FitProblem, FitResult, fit, identifiability, profile
from cascades.fitting.claims import from_claims
from cascades.fitting.problem import FitParameter, Prior
from cascades.plot import COLOURS, new_figure

MODEL = "camkii_eriksson_2019"
PRIOR = 2.5  # standard deviation of each natural logarithm (icpm-kth/uqsa, CaMKII/Parameter.tsv)
REACH = 1.5  # bounds, in prior standard deviations
HOLDS = 2.0  # chi2 per point of a prediction that holds


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    problem = _problem()
    names = sorted({_experiment(m.experiment) for m in problem.measurements})
    print(f"{len(problem.names)} parameters, {len(problem.measurements)} measurements\n", flush=True)
    start = problem.nominal
    whole = _fitted(problem, options, "all")
    predicted = {}
    for name in names if not options.quick else names[:1]:
        rest = _fitted(_only(problem, set(names) - {name}), options, name)
        predicted[name] = np.array(rest.best.x)
        print(f"left out: {name}", flush=True)
    _table(problem, names, np.array(whole.best.x), predicted)
    _identifiability(whole, options)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "parameter_fit.png"
    _figure(problem, names, np.array(whole.best.x), predicted).savefig(path, dpi=150)
    lower = _chi2(problem, np.array(whole.best.x)) < _chi2(problem, start)
    print(f"\nthe fit {'is better than' if lower else 'DOES NOT IMPROVE'} the start values\nfigure: {path}")
    return 0 if lower else 1


def _fitted(problem: FitProblem, options: argparse.Namespace, name: str) -> FitResult:
    """The first start is from the authors' values, the others from the best of points of their own."""
    folder = None
    if options.resume is not None:
        folder = options.resume / "".join(c if c.isalnum() else "_" for c in name)
    return fit(
        problem, starts=options.starts, seed=options.seed, screened=10, guesses=[problem.nominal],
        folder=folder,
    )  # fmt: skip


def _table(problem: FitProblem, names: list[str], best: np.ndarray, predicted: dict[str, np.ndarray]) -> None:
    start = problem.nominal
    head = f"{'experiment':<52}{'points':>7}{'at start':>10}{'fitted':>9}{'left out':>10}"
    print(f"\n{head}  verdict on the prediction")
    better = holds = 0
    for name in names:
        part = _only(problem, {name})
        before, after = _chi2(part, start), _chi2(part, best)
        line = f"{name[:50]:<52}{len(part.measurements):>7}{before:>10.2f}{after:>9.2f}"
        if name in predicted:
            left = _chi2(part, predicted[name])
            better += left < before
            holds += left < HOLDS * len(part.measurements)
            verdict = "holds" if left < HOLDS * len(part.measurements) else "MISSED"
            line += (
                f"{left:>10.2f}  {verdict}, {'better' if left < before else 'worse'} than the start values"
            )
        print(line)
    print(
        f"{'all':<52}{len(problem.measurements):>7}{_chi2(problem, start):>10.2f}{_chi2(problem, best):>9.2f}"
    )
    print(f"\n{holds} of {len(predicted)} predictions hold, {better} are better than the start values'")


def _identifiability(result: FitResult, options: argparse.Namespace) -> None:
    local = identifiability(result.problem, np.array(result.best.x))
    spectrum = local.eigenvalues / local.eigenvalues[0]
    decades = -np.log10(spectrum[local.rank - 1])
    seen = f"{local.rank} of {len(local.names)} directions are seen"
    print(f"{seen}; their eigenvalues span {decades:.1f} decades (sloppy)")
    for name in options.profile:
        found = profile(result, name, points=12)
        low, high = np.exp(found.interval)
        limits = f"; {', '.join(found.limited_by)} at a bound" if found.limited_by else ""
        print(f"profile of {name}: {found.verdict}, [{low:.3g}, {high:.3g}]{limits}", flush=True)


def _problem() -> FitProblem:
    """Every rate and constant with a published value is unknown; totals and geometry are not."""
    card = model_card(MODEL)
    unknown = [n for n in card.parameters if n.startswith(("kon_", "koff_", "kcat_", "KD_", "kaut"))]
    problem = from_claims(MODEL, unknown)
    parameters = tuple(_with_prior(p) for p in problem.parameters)
    return replace(problem, parameters=parameters)


def _with_prior(parameter: FitParameter) -> FitParameter:
    factor = float(np.exp(REACH * PRIOR))
    value = parameter.nominal
    prior = Prior("normal", (float(np.log(value)), PRIOR), is_scaled=True)
    return FitParameter(parameter.id, value, value / factor, value * factor, "log", True, prior)


def _experiment(name: str) -> str:
    return name.split(" #")[0]


def _only(problem: FitProblem, names: set[str]) -> FitProblem:
    kept = tuple(m for m in problem.measurements if _experiment(m.experiment) in names)
    used = {m.experiment for m in kept}
    experiments = tuple(e for e in problem.experiments if e.id in used)
    return replace(problem, experiments=experiments, measurements=kept)


def _chi2(problem: FitProblem, x: np.ndarray) -> float:
    return float((problem.residuals(x) ** 2).sum())


def _figure(problem, names, best, predicted):  # type: ignore[no-untyped-def]
    figure, axes = new_figure(2, 3, width=9.5, height=5.6)
    for axis, name in zip(np.ravel(axes), names, strict=True):
        part = _only(problem, {name})
        dose = np.array([float(m.experiment.rpartition("=")[2]) for m in part.measurements])
        order = np.argsort(dose)
        curves = {"fit to all": (best, "-"), "start": (problem.nominal, ":")}
        if name in predicted:
            curves["predicted from the others"] = (predicted[name], "--")
        for k, (label, (x, style)) in enumerate(curves.items()):
            comparison = part.objective.evaluate(x, slopes=False).comparison
            if k == 0:
                seen = comparison.data.value, comparison.sigma
                axis.errorbar(dose, *seen, fmt=".", color="0.5", linewidth=0.7)
            axis.plot(dose[order], comparison.simulated[order], style, color=COLOURS[k], label=label)
        axis.set_xscale("log")
        axis.set_title(name.split(" (")[0], fontsize=8)
        axis.set_xlabel("dose [uM]")
    np.ravel(axes)[0].legend(frameon=False, fontsize=7)
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis parameter_fit", description=__doc__)
    parser.add_argument(
        "--starts", type=int, default=1, help="per fit; the first is from the authors' values"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--profile", action="append", default=[], help="a parameter to profile; may be repeated"
    )
    parser.add_argument("--resume", type=Path, help="keep finished starts here and go on from them")
    parser.add_argument("--quick", action="store_true", help="leave out one experiment only")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
