"""Pictures of a derivation: the rule, its thresholds, and a map of its errors over the protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.reduction.ladder import RuleLadder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cascades.reduction.protocol_map import ProtocolMap
    from cascades.reduction.sliding import SlidingRule

GOOD, BAD, INK = "#2166ac", "#b2182b", "#333333"


def ladder_figure(ladder: RuleLadder, *, title: str = "") -> Figure:
    """Four panels: rates over calcium, the well, the accuracy of the levels, and the error map."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    rates_over_calcium(ladder, axes[0, 0])
    well(ladder, axes[0, 1])
    accuracy(ladder, axes[1, 0])
    error_map(ladder, axes[1, 1])
    if title:
        figure.suptitle(title)
    return figure


def rates_over_calcium(ladder: RuleLadder, axes: Axes) -> Axes:
    """Potentiation and depression rates of the graded and of the chosen rule, and the folds."""
    runs, rule = ladder.details["constant"], ladder.rule
    grid = np.linspace(runs.calcium[0], runs.calcium[-1], 600)
    axes.plot(runs.calcium, runs.potentiation, ".", color=BAD, label="constant calcium, up")
    axes.plot(runs.calcium, runs.depression, ".", color=GOOD, label="constant calcium, down")
    up, down = rule.rates_at(grid)
    axes.plot(grid, up, color=BAD, label=f"{rule.name}, up")
    axes.plot(grid, down, color=GOOD, label=f"{rule.name}, down")
    for fold in ladder.thresholds.get("physical (folds)", ()):
        axes.axvline(fold, color=INK, lw=0.6, ls=":")
    axes.set(xlabel="calcium [uM]", ylabel="rate [1/s]", xscale="log", title="dotted: folds")
    least = 1e-3 * max(float(np.max([runs.potentiation, runs.depression])), 1e-9)
    axes.set_yscale("symlog", linthresh=least)
    axes.set_ylim(bottom=-0.2 * least)
    axes.legend(fontsize=7)
    return axes


def well(ladder: RuleLadder, axes: Axes) -> Axes:
    """The drift at rest: seen, tabulated, and of the chosen rule."""
    states, table, rule = ladder.details["states"], ladder.details["well"], ladder.rule
    inside = (states.rho > -0.05) & (states.rho < 1.35)
    axes.plot(states.rho[inside], states.drift[inside], ".", ms=2, color="0.7", label="full model at rest")
    axes.plot(table.rho, table.drift, color=INK, label="table")
    rho = np.linspace(0.0, 1.0, 201)
    scale = float(np.abs(table.drift).max())
    axes.plot(rho, rule.drift_at_rest(rho), color=BAD, label=rule.name)
    axes.set(xlabel="efficacy", ylabel="drift [1/s]", ylim=(-2.0 * scale, 2.0 * scale), title="the well")
    axes.axhline(0.0, color=INK, lw=0.5)
    axes.legend(fontsize=7)
    return axes


def accuracy(ladder: RuleLadder, axes: Axes) -> Axes:
    """Held-out error of each level against its cost; the outcome accuracy is in the legend."""
    for i, level in enumerate(ladder, start=1):
        overall = level.certificate.overall
        place = (1e3 * level.cost, overall.rmse)
        color = BAD if level is ladder.chosen else GOOD
        axes.plot(*place, "o", color=color, label=f"{i} {level.name} ({overall.outcome_accuracy:.2f})")
        axes.annotate(str(i), place, fontsize=8, xytext=(4, 3), textcoords="offset points")
    axes.margins(x=0.15, y=0.15)
    axes.set_ylim(bottom=0.0, top=1.9 * max(level.certificate.overall.rmse for level in ladder))
    axes.legend(fontsize=6, loc="upper left", handlelength=0.5)
    axes.axvline(1e3 * ladder.full_cost, color=INK, lw=0.6, ls=":")
    axes.set(xlabel="cost of one protocol [ms]; dotted: full model", ylabel="held-out rmse", xscale="log")
    axes.set_title("levels (outcome accuracy)")
    return axes


def error_map(ladder: RuleLadder, axes: Axes) -> Axes:
    """Root-mean-square error of each level in each held-out family."""
    families = list(ladder[0].certificate.families)
    grid = np.array([[level.certificate.families[name].rmse for name in families] for level in ladder])
    image = axes.imshow(grid.T, cmap="Reds", vmin=0.0, vmax=0.5, aspect="auto")
    axes.set_xticks(range(len(ladder)), [level.name for level in ladder], rotation=30, ha="right", fontsize=7)
    axes.set_yticks(range(len(families)), families, fontsize=7)
    for i, j in np.ndindex(grid.shape):
        accuracy = ladder[i].certificate.families[families[j]].outcome_accuracy
        color = "white" if grid[i, j] > 0.3 else INK
        axes.text(
            i, j, f"{grid[i, j]:.2f} ({accuracy:.2f})", ha="center", va="center", fontsize=6, color=color
        )
    axes.set_title("rmse (and outcome accuracy) by family")
    _figure(axes).colorbar(image, ax=axes, shrink=0.8)
    return axes


def protocol_map_figure(maps: Sequence[ProtocolMap], *, title: str = "") -> Figure:
    """One row per map: what the full model does, what the rule says, and its error; hatched is where
    the rule does not hold, crosses are wrong outcomes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 3.6 * len(maps)), layout="constrained")
    for row, one in zip(figure.subplots(len(maps), 3, squeeze=False), maps, strict=True):
        for axes, which in zip(row, ("full", "rule", "error"), strict=True):
            _map_panel(one, which, axes)
    if title:
        figure.suptitle(title)
    return figure


def _map_panel(one: ProtocolMap, which: str, axes: Axes) -> None:
    from matplotlib.collections import PolyCollection

    from cascades.reduction.protocol_map import HOLDS

    (across, x), (up, y) = one.across, one.up
    shown = one.error if which == "error" else one.change(which)
    colours = {"cmap": "Reds", "vmin": 0.0, "vmax": 1.0} if which == "error" else {
        "cmap": "RdBu_r", "vmin": -0.5, "vmax": 0.5}  # fmt: skip
    image = axes.pcolormesh(x, y, shown, shading="nearest", **colours)  # type: ignore[arg-type]
    corners: Any = image.get_coordinates()
    cells: list[Any] = [
        [corners[i, j], corners[i, j + 1], corners[i + 1, j + 1], corners[i + 1, j]]
        for i, j in np.argwhere(~one.holds)
    ]
    axes.add_collection(PolyCollection(cells, facecolor="none", edgecolor=INK, linewidth=0.0, hatch="////"))
    if which == "error":
        wrong_y, wrong_x = np.nonzero(~one.is_right)
        axes.plot(x[wrong_x], y[wrong_y], "x", color=INK, ms=3, mew=0.7)
    for scale, values in ((axes.set_xscale, x), (axes.set_yscale, y)):
        if values.min() > 0.0:
            scale("log")
    titles = {
        "full": "full model: mean change of efficacy",
        "rule": "rule: mean change of efficacy",
        "error": f"largest error; holds (within {HOLDS:g}, right outcome) in {one.holds.mean():.0%}",
    }
    axes.set(xlabel=across, ylabel=up)
    axes.set_title(titles[which], fontsize=9)
    _figure(axes).colorbar(image, ax=axes, shrink=0.9)


def _figure(axes: Axes) -> Any:
    return axes.get_figure()


def sliding_figure(sliding: SlidingRule) -> Figure:
    """Thresholds, folds and rates along each slow variable."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(sliding.axes) + 1.0, 6.0), layout="constrained")
    grid = figure.subplots(2, len(sliding.axes), squeeze=False)
    for column, axis in enumerate(sliding.axes):
        fine = np.linspace(axis.values[0], axis.values[-1], 101)
        rules = [sliding.at(**{axis.name: float(x)}) for x in fine]
        for row, names in enumerate((("theta_d", "theta_p"), ("gamma_d", "gamma_p"))):
            axes = grid[row, column]
            for name, color in zip(names, (GOOD, BAD), strict=True):
                axes.plot(fine, [getattr(rule, name) for rule in rules], color=color, label=name)
                axes.plot(axis.values, [getattr(rule, name) for rule in axis.rules], "o", color=color)
            axes.axvline(sliding.standing[axis.name], color=INK, lw=0.6, ls=":")
            axes.set(xlabel=axis.name, ylabel="calcium [uM]" if row == 0 else "rate [1/s]")
            if row == 1:
                axes.set_yscale("log")
            axes.legend(fontsize=8)
        for value, folds in zip(axis.values, axis.folds, strict=True):
            grid[0, column].plot([value] * len(folds), folds, "x", color=INK, ms=4)
    return figure
