"""The picture of a model's main claim: what the model gives, and what was published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.card import Claim
from cascades.claims import ClaimResult
from cascades.claims.check import subject_of
from cascades.claims.measures import measure
from cascades.claims.subject import Subject
from cascades.continuation import branches
from cascades.plot import (
    DOWN,
    INK,
    LIGHT,
    UP,
    new_figure,
    plot_branch,
    set_decades,
    set_title,
    styled,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE_POINTS = 25


@styled
def main_claim(name: str, results: Sequence[ClaimResult]) -> Figure | None:
    """The first claim of a shipped model that is a curve: folds on their branches, a dose-response, or a "
    "course in
    time; if there is none, how far each claim is from what was published."""
    subject = subject_of(name)
    if not subject.card.claims:
        return None
    figure, axes = new_figure(width=6.4, height=3.4)
    for fewest_times in (3, 1):  # a course with several known points says more
        for claim in subject.card.claims:
            draw = _drawing(claim, fewest_times)
            if draw is not None:
                draw(subject, claim, axes)
                set_title(axes, claim.name)
                return figure
    _distances(results, axes)
    return figure


def _drawing(claim: Claim, fewest_times: int) -> Any:
    arguments = claim.arguments
    if claim.measure == "folds":
        return _folds
    if claim.measure == "equilibrium" and len(arguments.get("vary", ())) == 1:
        return _dose_response
    if claim.measure == "at" and "vary" not in arguments and np.size(arguments["time"]) >= fewest_times:
        return _course
    return None


def _folds(subject: Subject, claim: Claim, axes: Any) -> None:
    arguments = claim.arguments
    parameter = arguments["parameter"]
    values = subject.values(arguments.get("values"), arguments.get("named", ""))
    shown = next((p.symbol for p in subject.compiled.equations.ports if p.kind == "output"), None)
    for branch in branches(subject.compiled, parameter, arguments["bounds"], values=values):
        plot_branch(branch, shown or subject.compiled.state_names[0], axes=axes)
    for value in claim.expected:
        axes.axvline(value, color=UP, linewidth=0.8, linestyle=":")
    low, high = arguments["bounds"]
    if low > 0.0 and high / low > 10.0:
        set_decades(axes)
    axes.set_xlabel(with_unit(parameter, subject.compiled.equations.units.get(parameter, "")))


def _dose_response(subject: Subject, claim: Claim, axes: Any) -> None:
    arguments = dict(claim.arguments)
    ((parameter, doses),) = arguments["vary"].items()
    low, high = min(doses), max(doses)
    is_wide = low > 0.0 and high / low > 10.0
    grid = np.geomspace(low, high, CURVE_POINTS) if is_wide else np.linspace(low, high, CURVE_POINTS)
    curve = measure(subject, claim.measure, {**arguments, "vary": {parameter: grid.tolist()}})
    axes.plot(grid, curve, color=INK)
    _expected(axes, doses, claim)
    if is_wide:
        set_decades(axes)
    units = subject.compiled.equations.units
    axes.set_xlabel(with_unit(parameter, units.get(parameter, "")))
    axes.set_ylabel(with_unit(arguments["of"], units.get(arguments["of"], "")))


def _course(subject: Subject, claim: Claim, axes: Any) -> None:
    arguments = dict(claim.arguments)
    times, of = np.asarray(arguments.pop("time"), dtype=float), arguments.pop("of")
    relative = arguments.pop("relative", False)
    arguments.setdefault("duration", float(times.max()))
    trajectory = subject.run(**arguments)
    y = np.asarray(trajectory[of][0])
    axes.plot(trajectory.times, y / y[0] if relative else y, color=INK)
    _expected(axes, times, claim)
    axes.set_xlabel(f"time [{trajectory.time_unit}]")
    unit = "relative" if relative else trajectory.units.get(of, "")
    axes.set_ylabel(with_unit(of, unit))


def _expected(axes: Any, x: Any, claim: Claim) -> None:
    width = claim.standard_error or claim.tolerance
    axes.errorbar(x, claim.expected, yerr=width, fmt="o", color=UP, markersize=4, capsize=2, label="expected")
    axes.legend()


def _distances(results: Sequence[ClaimResult], axes: Any) -> None:
    """The largest distance of each claim from its expected numbers, in tolerances; 1 is the limit."""
    shown = [r for r in results if r.value and len(r.value) == len(r.expected)]
    rows = np.arange(len(shown))[::-1]
    far = [
        max(_distance(*triple) for triple in zip(r.value, r.expected, r.tolerance, strict=True))
        for r in shown
    ]
    axes.hlines(rows, 0.0, far, color=LIGHT, linewidth=3.0)
    axes.scatter(far, rows, color=[DOWN if r.holds else UP for r in shown], s=22, clip_on=False, zorder=5)
    axes.set_yticks(rows, [r.name if len(r.name) < 48 else f"{r.name[:45]}..." for r in shown])
    axes.axvline(1.0, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlim(0.0, max(1.2, min(1.1 * max(far, default=1.0), 5.0)))
    axes.set_xlabel("distance from what is expected, in tolerances")
    set_title(axes, "Claims")


def _distance(value: float, expected: float, tolerance: float) -> float:
    return abs(value - expected) / tolerance if tolerance > 0.0 else float(value != expected)
