"""The figure: time courses, frequency response, spike timing, sliding threshold, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis._phenomena.rows import changes
from cascades.plot import COLOURS, GREY, INK, new_figure, styled
from cascades.protocols import HOUR, Protocol, frequency_response, hfs, lfs, setting, stdp
from cascades.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascades.compiler.compiled import CompiledModel

SETTLE = 1e6  # rest [s] after which proteins have turned over
RATES = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 15.0, 20.0, 30.0, 50.0, 100.0)
SLIDERS: dict[str, dict[str, float]] = {
    "ordinary": {},
    "silenced": {"background": 0.3},
    "raised activity": {"background": 3.0},
    "microRNA on CaMKII halved": {"miRNA_expression": 0.5},
    "noradrenaline": {"PKA_tone": 1.3, "ERK_tone": 0.05},
}


@styled
def draw(compiled: CompiledModel, path: Path, delays: np.ndarray, *, quick: bool = False) -> None:
    """Six panels, written to `path`."""
    figure, axes = new_figure(2, 3, width=12.0, height=6.6)
    rates = RATES[::3] if quick else RATES
    _potentiation(compiled, axes[0, 0])
    _depression(compiled, axes[0, 1])
    _size(compiled, axes[0, 2])
    _timing(compiled, axes[1, 0], delays)
    _frequency(compiled, axes[1, 1], rates)
    _sliding(compiled, axes[1, 2], [r for r in rates if 1.0 <= r <= 20.0])
    figure.savefig(path, dpi=150)


def _courses(
    compiled: CompiledModel, axis: Axes, runs: Mapping[str, Protocol], hours: float, of: str = "efficacy"
) -> None:
    times = np.linspace(0.0, hours * HOUR, 241)
    trajectory = simulate(compiled, times, protocol=list(runs.values()))
    for name, y, colour in zip(runs, trajectory[of], COLOURS, strict=False):
        axis.plot(times / HOUR, y / y[0], label=name, color=colour)
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("time (h)")
    axis.legend(fontsize=7)


def _potentiation(compiled: CompiledModel, axis: Axes) -> None:
    runs = {
        "1 x 100 Hz": hfs(trains=1),
        "4 x 100 Hz": hfs(),
        "4 x, anisomycin 0-1 h": hfs() + setting("protein_synthesis", 0.0, stop=HOUR),
        "4 x, anisomycin 3-4 h": hfs() + setting("protein_synthesis", 0.0, start=3 * HOUR, stop=4 * HOUR),
        "4 x, then 900 at 1 Hz": hfs() + lfs().shift(5 * HOUR),
    }
    _courses(compiled, axis, runs, 8.0)
    axis.set_ylabel("efficacy / baseline")
    axis.set_title("early and late LTP", fontsize=9)


def _depression(compiled: CompiledModel, axis: Axes) -> None:
    runs = {
        "900 at 1 Hz": lfs(),
        "+ FK506": lfs() + setting("calcineurin_activity", 0.05, stop=900.0),
        "+ okadaic acid": lfs() + setting("PP1_activity", 0.05, stop=900.0),
        "+ AP5": lfs() + setting("NMDA_receptors", 0.0, stop=900.0),
    }
    _courses(compiled, axis, runs, 2.0)
    axis.set_title("LTD and its drugs", fontsize=9)


def _size(compiled: CompiledModel, axis: Axes) -> None:
    runs = {"4 x 100 Hz": hfs(), "900 at 1 Hz": lfs(), "BDNF": setting("BDNF", 1.0)}
    _courses(compiled, axis, runs, 8.0, of="head_volume")
    axis.set_ylabel("head volume / baseline")
    axis.set_title("size", fontsize=9)


def _timing(compiled: CompiledModel, axis: Axes, delays: np.ndarray) -> None:
    for rate, colour in ((1.0, INK), (5.0, COLOURS[1])):
        change = changes(compiled, [stdp(delay=float(d), rate=rate) for d in delays])
        axis.plot(delays * 1e3, change, "o-", markersize=3, color=colour, label=f"60 pairs, {rate:g} Hz")
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("post - pre (ms)")
    axis.set_ylabel("efficacy / baseline, 25 min")
    axis.legend(fontsize=7)
    axis.set_title("spike timing", fontsize=9)


def _frequency(compiled: CompiledModel, axis: Axes, rates: Sequence[float]) -> None:
    change = changes(compiled, [frequency_response(rate=r) for r in rates])
    axis.semilogx(rates, change, "o-", markersize=3, color=INK)
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("900 pulses at (Hz)")
    axis.set_ylabel("efficacy / baseline, 1 h")
    axis.set_title("frequency response", fontsize=9)


def _sliding(compiled: CompiledModel, axis: Axes, rates: Sequence[float]) -> None:
    for (name, values), colour in zip(SLIDERS.items(), COLOURS, strict=False):
        rest = simulate(compiled, [0.0, SETTLE], values=values).final()
        change = changes(compiled, [frequency_response(rate=r) for r in rates], values, rest)
        axis.semilogx(rates, change, "o-", markersize=3, color=colour, label=name)
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("900 pulses at (Hz)")
    axis.legend(fontsize=7)
    axis.set_title("the threshold slides", fontsize=9)
