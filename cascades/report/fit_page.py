"""The report of a fit: how good, how sure, and every start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cascades.expression import Expr, to_text
from cascades.fitting.features import Measured
from cascades.fitting.identifiability import Identifiability
from cascades.fitting.profile import Profile
from cascades.fitting.result import FitResult
from cascades.plot import GREY, INK, UP, new_figure, set_title, styled
from cascades.report.html import Page, Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_STARTS = 20


def fit_page(result: FitResult, local: Identifiability, profiles: Sequence[Profile]) -> Page:
    """The page of a fit with its local identifiability and the profiles that were computed."""
    problem = result.problem
    best = np.array(result.best.x)
    heights = np.array([start.objective for start in result.starts])
    reached = int(np.count_nonzero(heights <= heights[0] + 1e-3))
    n_data, n_names = len(problem.measurements), len(problem.names)
    facts = [
        (f"{-result.best.objective:.6g}", "log-posterior of the best start"),
        (f"{reached} of {len(heights)}", "starts within 0.001 of the best"),
        (f"{local.rank} of {n_names}", "directions of the parameters that the data see"),
        (str(n_data + len(problem.features)), f"data in {len(problem.experiments)} experiments"),
    ]
    sections = [
        _data_section(result),
        Section(
            "Optimisation",
            (
                "A plateau of equal optima that many starts reach is the sign of a trustworthy optimum.",
                *_failures(result),
            ),
            [Picture(waterfall(result), "Objective of every start above the best one, sorted.")],
            [_starts(result)],
        ),
        Section(
            "Parameters and identifiability",
            _warnings(local),
            [Picture(spectrum(local), "Eigenvalues of the Fisher information: small ones are sloppy.")],
            [_parameters(result, local, best)],
        ),
    ]
    if profiles:
        pictures = [Picture(profile_figure(p), f"Profile of {p.name}: {p.verdict}.") for p in profiles]
        sections.append(Section("Profile likelihood", (), pictures, [_profiles(profiles)]))
    return Page(
        title=f"Fit of {problem.name}",
        subtitle=f"{n_names} parameters, {result.method}, seed {result.seed}",
        lead="The model is simulated for every experiment and compared with the measurements; parameters "
        "were searched from many starts inside of their bounds.",
        sections=sections,
        facts=facts,
    )


def _data_section(result: FitResult) -> Section:
    pictures, tables = [], []
    if result.problem.measurements:
        pictures.append(Picture(compare(result), "Every measurement against the best fit."))
    if result.problem.features:
        tables.append(_features(result))
    return Section("Model and data", (), pictures, tables)


def _features(result: FitResult) -> Table:
    problem = result.problem
    terms = problem.objective.evaluate(np.array(result.best.x), slopes=False).terms
    rows = []
    for feature in problem.features:
        term, statement = terms.get(feature.id), feature.statement
        said = (
            f"{statement.value:.6g}"
            if isinstance(statement, Measured)
            else f"between {_limit(statement.low)} and {_limit(statement.high)}"
        )
        found = (term.quantity, term.log_likelihood) if term else ("failed", "")
        rows.append((feature.id, feature.experiment, said, *found))
    return Table(("feature", "experiment", "measured", "best fit", "log-likelihood"), rows)


def _limit(formula: Expr) -> str:
    return f"{formula.value:g}" if formula.is_number else to_text(formula)


def _failures(result: FitResult) -> list[str]:
    failed = [start for start in result.starts if start.n_failures]
    if not failed:
        return ["No simulation failed."]
    total = sum(start.n_failures for start in failed)
    where = f"{total} simulations failed on the way of {len(failed)} starts and were given a penalty"
    return [f"{where}; one of them: {failed[0].a_failure}."]


def _warnings(local: Identifiability) -> list[str]:
    if local.is_structurally_identifiable:
        return ["No combination of parameters leaves all observables unchanged."]
    found = []
    for direction in local.null_directions:
        shares = ", ".join(f"{name} ({share:+.2f})" for name, share in list(direction.items())[:5])
        found.append(f"No measurement sees this combination of scaled parameters: {shares}.")
    return found


def _starts(result: FitResult) -> Table:
    rows = [
        (s.start, s.objective, s.first_objective, s.evaluations, s.status)
        for s in result.starts[:SHOWN_STARTS]
    ]
    note = "" if len(result.starts) <= SHOWN_STARTS else f"The best {SHOWN_STARTS} of {len(result.starts)}."
    return Table(("start", "objective", "at the start", "evaluations", "ended by"), rows, note=note)


def _parameters(result: FitResult, local: Identifiability, best: np.ndarray) -> Table:
    problem = result.problem
    rows = []
    errors = local.standard_errors
    for parameter, x, error in zip(problem.estimated, best, errors, strict=True):
        low, high = parameter.to_scale(parameter.lower), parameter.to_scale(parameter.upper)
        at_bound = "at its bound" if min(x - low, high - x) < 1e-4 * max(1.0, high - low) else ""
        rows.append((parameter.id, parameter.from_scale(x), parameter.scale, float(error), at_bound))
    note = "The error is the Cramer-Rao bound on the parameter's own scale; inf: not seen by the data."
    return Table(("parameter", "best value", "scale", "error on it", ""), rows, note=note)


def _profiles(profiles: Sequence[Profile]) -> Table:
    rows = [(p.name, *p.interval, p.verdict, ", ".join(p.limited_by)) for p in profiles]
    columns = ("parameter", "low", "high", "verdict", "while these sat on a bound")
    return Table(columns, rows, note="95 % intervals on the parameter's own scale.")


@styled
def compare(result: FitResult) -> Figure:
    problem = result.problem
    comparison = problem.objective.evaluate(np.array(result.best.x), slopes=False).comparison
    figure, axes = new_figure(1, 1, width=8.6, height=5.0)
    axes = np.ravel(axes)[0]
    for observable in problem.observables:
        rows = [i for i, m in enumerate(problem.measurements) if m.observable == observable.id]
        axes.plot(comparison.data.value[rows], comparison.simulated[rows], ".", label=observable.id)
    ends = [comparison.data.value.min(), comparison.data.value.max()]
    axes.plot(ends, ends, color=GREY, linewidth=0.8)
    axes.set_xlabel("measured")
    axes.set_ylabel("simulated")
    if len(problem.observables) <= 8:
        axes.legend(frameon=False, fontsize="small")
    return figure


@styled
def waterfall(result: FitResult) -> Figure:
    figure, axes = new_figure(1, 1, width=8.6, height=3.4)
    result.plot_waterfall(np.ravel(axes)[0])
    return figure


@styled
def spectrum(local: Identifiability) -> Figure:
    figure, axes = new_figure(1, 1, width=8.6, height=3.2)
    local.plot(np.ravel(axes)[0])
    return figure


@styled
def profile_figure(one: Profile) -> Figure:
    figure, axes = new_figure(1, 1, width=8.6, height=3.4)
    ax = one.plot(np.ravel(axes)[0])
    ax.lines[0].set_color(INK)
    ax.lines[1].set_color(UP)
    set_title(ax, one.verdict)
    return figure
