"""Figures from results.  Every function draws into the axes it is given, or into new ones, and returns them.

matplotlib is imported when the first figure is drawn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cascades.continuation import Branch
    from cascades.trajectory import Trajectory

P = ParamSpec("P")
R = TypeVar("R")

INK, GREY, LIGHT = "#22303c", "#7b8794", "#d9dee3"
DOWN, UP, SADDLE = "#2660a4", "#c8502b", "#8a8f98"
FULL, RULE = INK, "#c8502b"
COLOURS = ("#2660a4", "#c8502b", "#1b8a7a", "#b7791f", "#6b4fa0", "#22303c")

STYLE = {
    "axes.edgecolor": GREY, "axes.labelcolor": INK, "axes.labelsize": 9, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": GREY, "ytick.color": GREY,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "legend.frameon": False, "lines.linewidth": 1.6, "text.color": INK,
    "font.family": "DejaVu Sans", "figure.facecolor": "white",
    "axes.prop_cycle": "cycler('color', " + repr(list(COLOURS)) + ")",
}  # fmt: skip


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that draws: what it draws has the look of this package."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


@styled
def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 3.0, **kwargs: Any
) -> tuple[Figure, Any]:
    """A figure of its own (no pyplot state) and its axes: one, or an array of shape (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **kwargs)


@styled
def plot_trajectory(trajectory: Trajectory, *names: str, member: int = 0, axes: Axes | None = None) -> Axes:
    """States or observables of one member over time; all states if no names are given."""
    axes = _axes(axes)
    chosen = names or trajectory.names
    for name in chosen:
        axes.plot(trajectory.times, np.asarray(trajectory[name])[member], label=name)
    units = {trajectory.units.get(name, "") for name in chosen}
    axes.set_xlabel(f"time [{trajectory.time_unit}]")
    axes.set_ylabel(
        with_unit(", ".join(chosen) if len(chosen) < 4 else "", units.pop() if len(units) == 1 else "")
    )
    if 1 < len(chosen) <= 12:
        axes.legend(ncols=1 if len(chosen) < 6 else 2)
    return axes


@styled
def plot_branch(
    branch: Branch, name: str, *, axes: Axes | None = None, colour: str = INK, values: bool = True
) -> Axes:
    """A state or observable along a branch: stable parts full, unstable ones dashed, folds as circles
    (with their `values`)."""
    axes = _axes(axes)
    x, y, stable = branch.values, branch[name], branch.is_stable
    edge = np.flatnonzero(np.diff(stable.astype(int)))
    meeting = np.zeros_like(stable)
    meeting[edge] = meeting[edge + 1] = True
    axes.plot(x, np.where(stable, y, np.nan), color=colour, linewidth=2.2)
    axes.plot(x, np.where(~stable | meeting, y, np.nan), color=colour, linewidth=1.2, linestyle=(0, (4, 2)))
    for fold in branch.of_kind("fold"):
        height = float(branch.problem.observe(name, fold.x, fold.q))
        axes.plot(fold.value, height, "o", color=colour, markerfacecolor="white", markersize=6, zorder=5)
        if values:
            at = (fold.value, height)
            axes.annotate(f"{fold.value:.4g}", at, xytext=(7, 3), textcoords="offset points", fontsize=8)
    axes.set_xlabel(branch.parameters[0])
    axes.set_ylabel(name)
    return axes


@styled
def plot_raster(
    times: np.ndarray, senders: np.ndarray, *, axes: Axes | None = None, colour: str = INK, unit: str = "s"
) -> Axes:
    """One dot per spike; drawn as an image inside vector figures, for there are many."""
    axes = _axes(axes)
    axes.plot(times, senders, ".", color=colour, markersize=1.2, rasterized=True, alpha=0.7)
    axes.set_xlabel(f"time [{unit}]")
    axes.set_ylabel("neuron")
    return axes


@styled
def plot_reactions(
    reactions: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str]]], *, axes: Axes | None = None
) -> Axes:
    """The reaction graph: species as names, reactions as dots between them.

    reactions : id -> (reactants, products, modifiers); modifiers are joined by dashed lines.
    """
    axes = _axes(axes)
    species = sorted({name for sides in reactions.values() for side in sides for name in side})
    nodes = [*species, *(f"reaction {id_}" for id_ in reactions)]
    place = {name: i for i, name in enumerate(nodes)}
    arrows = []  # (from, to, is a modifier)
    for id_, (reactants, products, modifiers) in reactions.items():
        centre = place[f"reaction {id_}"]
        arrows += [(place[s], centre, False) for s in reactants]
        arrows += [(centre, place[s], False) for s in products]
        arrows += [(place[s], centre, True) for s in modifiers if s not in reactants]
    xy = _spread(len(nodes), [(a, b) for a, b, _ in arrows])
    for a, b, is_modifier in arrows:
        style = {"color": LIGHT if is_modifier else GREY, "linestyle": ":" if is_modifier else "-"}
        arrow = "-" if is_modifier or b >= len(species) else "-|>"
        axes.annotate(
            "",
            xy=xy[b],
            xytext=xy[a],
            arrowprops={
                "arrowstyle": arrow,
                "shrinkA": 2,
                "shrinkB": 9 if b < len(species) else 0,
                "linewidth": 0.8,
                **style,
            },
        )
    axes.plot(*xy[len(species) :].T, "s", color=GREY, markersize=3)
    for name, (x, y) in zip(species, xy, strict=False):
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": DOWN, "linewidth": 0.9}
        axes.text(x, y, name, ha="center", va="center", fontsize=7, bbox=box, zorder=4)
    axes.set_axis_off()
    axes.margins(0.1)
    return axes


def set_title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9.5, fontweight="bold", color=INK)


def set_decades(axes: Axes) -> None:
    """A logarithmic horizontal axis with plain numbers at 1, 2 and 5."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def with_unit(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit and unit != "dimensionless" else name


def _axes(axes: Axes | None) -> Axes:
    if axes is not None:
        return axes
    import matplotlib.pyplot

    return matplotlib.pyplot.subplots(layout="constrained")[1]


def _spread(n: int, links: Sequence[tuple[int, int]], sweeps: int = 300) -> np.ndarray:
    """Places for a graph, shape (n, 2): all repel each other, links attract.

    Fruchterman & Reingold (1991) Softw. Pract. Exp. 21:1129-1164.
    """
    angle = 2.0 * np.pi * np.arange(n) * 0.6180339887498949  # the golden section spreads the start
    xy = np.column_stack([np.cos(angle), np.sin(angle)]) * np.sqrt(np.arange(1, n + 1) / n)[:, None]
    distance = np.sqrt(1.0 / max(n, 1))
    a, b = np.array(links, dtype=int).reshape(-1, 2).T
    for sweep in range(sweeps):
        gap = xy[:, None, :] - xy[None, :, :]
        length = np.maximum(np.linalg.norm(gap, axis=2), 1e-3)
        force = (gap * (distance**2 / length**2)[:, :, None]).sum(axis=1)
        pull = (xy[a] - xy[b]) * (np.linalg.norm(xy[a] - xy[b], axis=1) / distance)[:, None]
        np.add.at(force, a, -pull)
        np.add.at(force, b, pull)
        force -= 0.3 * xy * distance  # keeps separate parts together
        size = np.maximum(np.linalg.norm(force, axis=1), 1e-12)
        largest = 0.2 * (1.0 - sweep / sweeps) + 1e-3
        xy = xy + force / size[:, None] * np.minimum(size, largest)[:, None]
    return xy
