"""The figures of a report, one function each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.plot import COLOURS, DOWN, GREY, INK, LIGHT, UP, new_figure, set_decades, set_title, with_unit
from cascades.report.bistability import Diagram
from cascades.report.experiments import Experiment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOWS = {"LTP": 1.3, "LTD": 3.0}  # [s] of calcium shown


def experiments(both: Sequence[Experiment], states: Sequence[float]) -> Figure:
    """Calcium at the beginning of each protocol, and the read-out over all of it; `states` are its
    levels at the equilibria at rest."""
    figure, axes = new_figure(2, len(both), width=8.6, height=4.6, sharey="row", height_ratios=(1, 1.3))
    for column, (experiment, colour) in enumerate(zip(both, (UP, DOWN), strict=True)):
        trajectory = experiment.trajectory
        t = trajectory.times
        above, below = axes[0, column], axes[1, column]
        shown = t <= WINDOWS[experiment.title]
        above.plot(t[shown], trajectory[experiment.calcium][0, shown], color=INK, linewidth=1.0)
        set_title(above, f"{experiment.title}: {experiment.protocol.name}")
        above.set_xlabel(f"time [{trajectory.time_unit}], the beginning")
        below.axvspan(0.0, experiment.protocol.duration, color=LIGHT, alpha=0.5, linewidth=0)
        for level in states:
            below.axhline(level, color=GREY, linewidth=0.7, linestyle=":")
        below.plot(t, trajectory[experiment.weight][0], color=colour)
        below.set_xlabel(f"time [{trajectory.time_unit}], all of it (stimulation shaded)")
    first = both[0]
    units = first.trajectory.units
    axes[0, 0].set_ylabel(with_unit(first.calcium, units.get(first.calcium, "")))
    axes[1, 0].set_ylabel(with_unit(first.weight, units.get(first.weight, "")))
    return figure


def bifurcation(diagram: Diagram, unit: str = "uM") -> Figure:
    """Every branch over held calcium; the equilibria at rest on a line of their own."""
    figure, axes = new_figure(width=7.2, height=4.0)
    for branch, colour in zip(diagram.branches, (DOWN, UP, *COLOURS[2:]), strict=False):
        _branch(axes, branch, diagram.weight, colour)
    axes.axvline(diagram.rest, color=GREY, linewidth=0.8, linestyle=":")
    for state in diagram.states:
        face = INK if state.is_stable else "white"
        axes.plot(
            diagram.rest, state[diagram.weight], "s", color=INK, markerfacecolor=face, markersize=5, zorder=6
        )
    axes.annotate(
        "at rest", (diagram.rest, 1.0), xycoords=("data", "axes fraction"), xytext=(4, -10),
        textcoords="offset points", fontsize=8, color=GREY,
    )  # fmt: skip
    set_decades(axes)
    axes.set_xlabel(with_unit(f"{diagram.parameter}, held", unit))
    axes.set_ylabel(diagram.weight)
    axes.set_title(
        "Equilibria against calcium: full lines are stable, dashed ones are not, circles are folds"
    )
    return figure


def _branch(axes: Any, branch: Any, name: str, colour: str) -> None:
    x, y = branch.values, branch[name]
    stable = branch.is_stable
    edge = np.flatnonzero(np.diff(stable.astype(int)))
    near = np.zeros_like(stable)
    near[edge] = near[edge + 1] = True  # so that the parts meet
    axes.plot(x, np.where(stable, y, np.nan), color=colour, linewidth=2.2)
    axes.plot(x, np.where(~stable | near, y, np.nan), color=colour, linewidth=1.2, linestyle=(0, (4, 2)))
    for fold in branch.of_kind("fold"):
        height = float(branch.problem.observe(name, fold.x, fold.q))
        axes.plot(fold.value, height, "o", color=colour, markerfacecolor="white", markersize=6, zorder=5)
        axes.annotate(
            f"{fold.value:.4g}",
            (fold.value, height),
            xytext=(7, 3),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
