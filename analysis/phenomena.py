"""What the composed spine shows of what textbooks say synapses do, misses included.

Claim: one set of constants, five of whose consequences were used to set ten of them, gives early and
late LTP, LTD, the frequency response, spike timing, the effects of drugs, and a threshold that slides
with PP1, PKA tone and the microRNA on CaMKII.  Targets, values and verdicts are printed; a miss stays
a miss.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cascades import compile_model, load_model
from cascades.card import model_card
from cascades.claims import check_claim
from cascades.claims.check import subject_of
from cascades.plot import COLOURS, GREY, INK, new_figure, styled
from cascades.protocols import Protocol, hfs, lfs, pairing, setting
from cascades.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cascades.compiler.compiled import CompiledModel

MODEL = "spine_cascades"
HOUR = 3600.0
SETTLE = 6e5  # rest [s] after which proteins have turned over with other constants
RATES = (1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 15.0, 20.0, 30.0, 50.0, 100.0)
DELAYS = np.array([-80, -60, -40, -30, -20, -15, -10, -5, 0, 5, 10, 15, 20, 30, 40, 60, 80]) * 1e-3
WINDOW = 0.06  # of the exponential fits [s]
SLIDERS: dict[str, dict[str, float]] = {
    "control": {},
    "microRNA on CaMKII halved": {"miRNA_expression": 0.5},
    "microRNA on CaMKII doubled": {"miRNA_expression": 2.0},
    "more PP1": {"PP1_all": 0.25},
    "PKA tone": {"PKA_tone": 1.3},
}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    held, declared = print_verdicts(options.only)
    print(f"\n{held} of {declared} hold")
    if not options.only:
        print_timing_window(DELAYS[::2] if options.quick else DELAYS)
    if not options.no_figure:
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / "phenomena.png"
        draw(path, quick=options.quick)
        print(f"figure: {path}")
    return 0


def print_verdicts(only: str = "") -> tuple[int, int]:
    """Every claim of the spine as a row; how many hold, and of how many."""
    from rich.console import Console
    from rich.table import Table

    table = Table("phenomenon", "target", "value", "verdict", "why or where from", title=MODEL)
    subject = subject_of(MODEL)
    results = [check_claim(subject, c) for c in model_card(MODEL).claims if only.lower() in c.name.lower()]
    for one in results:
        target = ", ".join(_range(e, t) for e, t in zip(one.expected, one.tolerance, strict=True))
        value = ", ".join(f"{v:.4g}" for v in one.value) or "-"
        verdict = "[green]holds[/]" if one.holds else "[red]miss[/]"
        table.add_row(one.name, target, value, verdict, one.source if one.holds else one.reason)
    Console(width=170).print(table)
    return sum(one.holds for one in results), len(results)


def print_timing_window(delays: np.ndarray) -> None:
    """Amplitude and time constant of an exponential through each side of the spike-timing window."""
    compiled = compile_model(load_model(MODEL))
    near = np.abs(delays) <= WINDOW
    for rate in (1.0, 5.0):
        change = _timing_changes(compiled, delays, rate) - 1.0
        for side, chosen in (
            ("pre before post", near & (delays > 0.0)),
            ("post before pre", near & (delays < 0.0)),
        ):
            amplitude, tau = _exponential(np.abs(delays[chosen]), change[chosen])
            says = (
                f"amplitude {100.0 * amplitude:+.1f} %, time constant {1e3 * tau:.0f} ms"
                if tau
                else "changes sign"
            )
            print(f"60 pairs at {rate:g} Hz, {side}: {says}")


def _exponential(lag: np.ndarray, change: np.ndarray) -> tuple[float, float]:
    """Amplitude and time constant [s] of A exp(-lag / tau), least squares in the logarithm; zeros where
    the change has both signs or does not fall with the lag."""
    if np.ptp(np.sign(change)) > 0.0:
        return 0.0, 0.0
    slope, start = np.polyfit(lag, np.log(np.abs(change)), 1)
    return float(np.sign(change[0]) * np.exp(start)), float(-1.0 / slope) if slope < 0.0 else 0.0


def _range(expected: float, tolerance: float) -> str:
    return (
        f"{expected:.4g}" if tolerance == 0.0 else f"{expected - tolerance:.4g} .. {expected + tolerance:.4g}"
    )


@styled
def draw(path: Path, *, quick: bool = False) -> None:
    """The figure: time courses, frequency response, spike timing, sliding threshold, size."""
    compiled = compile_model(load_model(MODEL))
    figure, axes = new_figure(2, 3, width=12.0, height=6.4)
    _potentiation(compiled, axes[0, 0])
    _depression(compiled, axes[0, 1])
    _size(compiled, axes[0, 2])
    rates = RATES[::3] if quick else RATES
    _timing(compiled, axes[1, 0], DELAYS[::2] if quick else DELAYS)
    _frequency(compiled, axes[1, 1], rates)
    _sliding(compiled, axes[1, 2], [r for r in rates if r <= 20.0])
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
    blocked = setting("protein_synthesis", 0.0, stop=HOUR)
    late = setting("protein_synthesis", 0.0, start=3 * HOUR, stop=4 * HOUR)
    runs = {
        "1 x 100 Hz": hfs(trains=1),
        "4 x 100 Hz": hfs(),
        "4 x 100 Hz, anisomycin 0-1 h": hfs() + blocked,
        "4 x 100 Hz, anisomycin 3-4 h": hfs() + late,
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


def _timing(compiled: CompiledModel, axis: Axes, delays: Sequence[float] | np.ndarray) -> None:
    for rate, colour in ((1.0, INK), (5.0, COLOURS[1])):
        change = _timing_changes(compiled, delays, rate)
        axis.plot(
            np.asarray(delays) * 1e3, change, "o-", markersize=3, color=colour, label=f"60 pairs, {rate:g} Hz"
        )
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("post - pre (ms)")
    axis.set_ylabel("efficacy / baseline, 1 h")
    axis.legend(fontsize=7)
    axis.set_title("spike timing", fontsize=9)


def _timing_changes(compiled: CompiledModel, delays: Sequence[float] | np.ndarray, rate: float) -> np.ndarray:
    protocols = [pairing(delay=float(d), rate=rate, count=60) for d in delays]
    return _changes(compiled, protocols, 60.0 / rate + HOUR)


def _frequency(compiled: CompiledModel, axis: Axes, rates: Sequence[float]) -> None:
    change = [_changes(compiled, [lfs(rate=r)], 900.0 / r + HOUR)[0] for r in rates]
    axis.semilogx(rates, change, "o-", markersize=3, color=INK)
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("900 pulses at (Hz)")
    axis.set_title("frequency response", fontsize=9)


def _sliding(compiled: CompiledModel, axis: Axes, rates: Sequence[float]) -> None:
    for (name, values), colour in zip(SLIDERS.items(), COLOURS, strict=False):
        rest = simulate(compiled, [0.0, SETTLE], values=values).final()
        change = [_changes(compiled, [lfs(rate=r)], 900.0 / r + HOUR, values, rest)[0] for r in rates]
        axis.semilogx(rates, change, "o-", markersize=3, color=colour, label=name)
    axis.axhline(1.0, color=GREY, linewidth=0.6)
    axis.set_xlabel("900 pulses at (Hz)")
    axis.legend(fontsize=7)
    axis.set_title("the threshold slides", fontsize=9)


def _changes(
    compiled: CompiledModel,
    protocols: Sequence[Protocol],
    until: float,
    values: Mapping[str, float] | None = None,
    initial: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Efficacy at `until` [s] over that at the start, one per protocol."""
    run = simulate(compiled, [0.0, until], protocol=list(protocols), values=values, initial=initial)
    return np.asarray(run["efficacy"][:, 1] / run["efficacy"][:, 0])


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis phenomena", description=__doc__)
    parser.add_argument("--only", default="", help="only phenomena whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer points in the figure")
    parser.add_argument("--no-figure", action="store_true", help="print the table only")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
