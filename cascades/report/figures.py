"""The figures of a report, one function each."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from cascades.plot import (
    COLOURS,
    DOWN,
    GREY,
    INK,
    LIGHT,
    UP,
    new_figure,
    plot_branch,
    plot_raster,
    set_decades,
    set_title,
    styled,
    with_unit,
)
from cascades.report.bistability import Diagram
from cascades.report.curves import Curve
from cascades.report.experiments import Experiment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cascades.network import Recording
    from cascades.reduction import RuleLadder
    from cascades.report.chain import Chain

WINDOWS = {"LTP": 1.3, "LTD": 3.0}  # [s] of calcium shown
OVERVIEW = 120.0  # [s] of both experiments
RASTER = 180  # neurons shown
LAST = 2000.0  # [ms] of spikes shown


@styled
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


@styled
def bifurcation(diagram: Diagram, unit: str = "uM") -> Figure:
    """Every branch over held calcium; the equilibria at rest on a line of their own."""
    figure, axes = new_figure(width=7.2, height=4.0)
    for branch, colour in zip(diagram.branches, (DOWN, UP, *COLOURS[2:]), strict=False):
        plot_branch(branch, diagram.weight, axes=axes, colour=colour)
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
    set_title(axes, "Equilibria against calcium")
    return figure


@styled
def network(recording: Recording) -> Figure:
    """Spikes, rates, and the plastic synapses before and after."""
    figure, axes = new_figure(2, 2, width=8.6, height=5.2, width_ratios=(1.7, 1.0))
    raster, rates, weights, course = axes[0, 0], axes[1, 0], axes[0, 1], axes[1, 1]
    end = recording.start + recording.duration
    offset = 0
    names = recording.population_names
    for name, colour in zip(names, (UP, INK, DOWN, *COLOURS[2:]), strict=False):
        times, indices = recording.spikes(name)
        rows = min(recording.network.population(name).size, RASTER // len(names))
        shown = (indices < rows) & (times > end - LAST)
        plot_raster(times[shown] / 1e3, indices[shown] + offset, axes=raster, colour=colour)
        raster.annotate(
            name, (1.01, offset + rows / 2), xycoords=("axes fraction", "data"), color=colour, fontsize=8
        )
        centres, rate = recording.rate_in_time(name, 50.0)
        rates.plot(centres / 1e3, rate, color=colour, linewidth=0.8, label=name)
        offset += rows
    set_title(raster, f"Spikes of {offset} neurons in the last {LAST / 1e3:g} s")
    set_title(rates, "Rate of each population")
    rates.set(xlabel="time [s]", ylabel="rate [Hz]")
    rates.legend(ncols=3)
    edges = np.linspace(0.0, 1.0, 41)
    first = np.concatenate([sample[0] for sample in recording.sampled_efficacies.values()])
    last = np.concatenate(list(recording.final_efficacies.values()))
    weights.hist(last, edges, weights=np.full(last.size, 1.0 / last.size), color=UP, alpha=0.75, label="end")
    weights.hist(
        first,
        edges[::2],
        weights=np.full(first.size, 1.0 / first.size),
        histtype="step",
        color=INK,
        label="start",
    )
    for (name, mean), colour in zip(recording.mean_efficacy.items(), COLOURS, strict=False):
        course.plot(recording.times / 1e3, mean, color=colour, label=name)
    set_title(weights, "Efficacies of plastic synapses")
    weights.set(xlabel="efficacy", ylabel="fraction")
    weights.legend()
    set_title(course, "Their mean, by group")
    course.set(xlabel="time [s]", ylabel="efficacy", ylim=(0.0, 1.0))
    course.legend()
    return figure


@styled
def curves(both: Sequence[Curve]) -> Figure:
    """Efficacy after each protocol: points of the full model, lines of the rule, from DOWN and from UP."""
    figure, axes = new_figure(1, len(both), width=8.6, height=3.5, sharey=True)
    for ax, curve in zip(axes, both, strict=True):
        for k, (start, colour) in enumerate((("DOWN", DOWN), ("UP", UP))):
            ax.plot(curve.x, curve.rule[k], color=colour, linewidth=1.4, label=f"rule, from {start}")
            face, size = (colour, 3.5) if start == "DOWN" else ("none", 7.5)
            mark = {"markerfacecolor": face, "markersize": size, "zorder": 5}
            ax.plot(curve.x, curve.full[k], "o", color=colour, label=f"full model, from {start}", **mark)
        set_title(ax, curve.title)
        ax.set_xlabel(curve.label)
        if curve.x.min() > 0.0:
            set_decades(ax)
    axes[0].set_ylabel("efficacy afterwards (0 DOWN, 1 UP)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@styled
def rule(ladder: RuleLadder) -> Figure:
    """The rates and the well of the chosen rule."""
    from cascades.reduction import figures as panels

    figure, (left, right) = new_figure(1, 2, width=8.6, height=3.3, width_ratios=(1.4, 1.0))
    panels.rates_over_calcium(ladder, left)
    panels.well(ladder, right)
    for ax, title in ((left, "Rates over calcium"), (right, "The drift at rest")):
        ax.set_title("")
        set_title(ax, title)
    set_decades(left)
    left.set_ylim(bottom=-0.002)
    left.legend(loc="upper left", fontsize=7)
    return figure


@styled
def errors(ladder: RuleLadder) -> Figure:
    """Root-mean-square error of every level in every held-out family."""
    families = list(ladder[0].certificate.families)
    grid = np.array([[level.certificate.families[name].rmse for level in ladder] for name in families])
    figure, axes = new_figure(width=8.6, height=0.6 + 0.36 * len(families) + 0.5)
    axes.imshow(grid, cmap="YlOrBr", vmin=0.0, vmax=0.6, aspect="auto")
    axes.set_yticks(range(len(families)), families)
    names = [fill(level.name + (" (chosen)" if level is ladder.chosen else ""), 16) for level in ladder]
    axes.set_xticks(range(len(ladder)), names, fontsize=7)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (i, j), value in np.ndenumerate(grid):
        axes.text(
            j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color="white" if value > 0.4 else INK
        )
    return figure


@styled
def protocol_map(ladder: RuleLadder) -> Figure:
    """Full model, rule and error over rates, numbers and intervals of pairs."""
    from cascades.reduction.figures import protocol_map_figure
    from cascades.reduction.protocol_map import protocol_maps

    return protocol_map_figure(protocol_maps(ladder.details["derivation"], ladder.rule))


@styled
def overview(chain: Chain) -> Figure:
    """The whole chain in one row: experiments, branches, rule, network."""
    figure, axes = new_figure(1, 4, width=13.0, height=3.0)
    for experiment, colour in ((chain.ltp, UP), (chain.ltd, DOWN)):
        trajectory = experiment.trajectory
        shown = trajectory.times <= OVERVIEW
        label = f"{experiment.title}, {experiment.protocol.name}"
        axes[0].plot(
            trajectory.times[shown], trajectory[experiment.weight][0, shown], color=colour, label=label
        )
    axes[0].set(xlabel="time [s]", ylabel=chain.spine.weight)
    axes[0].legend()
    for branch, colour in zip(chain.diagram.branches, (DOWN, UP, *COLOURS[2:]), strict=False):
        plot_branch(branch, chain.diagram.weight, axes=axes[1], colour=colour, values=False)
    set_decades(axes[1])
    axes[1].set(xlabel=f"{chain.diagram.parameter} [uM]", ylabel=chain.diagram.weight)
    timing = chain.curves[-1]
    axes[2].plot(timing.x, timing.full[0], "o", color=INK, markersize=4, label="full model")
    axes[2].plot(timing.x, timing.rule[0], color=UP, label="derived rule")
    axes[2].set(xlabel=timing.label, ylabel="efficacy afterwards")
    set_decades(axes[2])
    axes[2].legend()
    for (name, mean), colour in zip(chain.recording.mean_efficacy.items(), COLOURS, strict=False):
        axes[3].plot(chain.recording.times / 1e3, mean, color=colour, label=name)
    axes[3].set(xlabel="time [s]", ylabel="mean efficacy", ylim=(0.0, 1.0))
    axes[3].legend()
    titles = (
        "Spikes flip the switch",
        "It remembers: two states at rest",
        "A rule is derived",
        "A network learns",
    )
    for ax, title in zip(axes, titles, strict=True):
        set_title(ax, title)
    return figure
