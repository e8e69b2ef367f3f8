"""Ongoing activity erases memories: how long they last under the rule, and what makes them last longer.

A random pattern of efficacies is stored in a balanced network, and its correlation with the transmitted
efficacies is followed while the network is active.  Claims: the threshold rule forgets exponentially; a
cascade of states keeps a memory when a synapse with the same two strengths and no cascade has lost it; a
threshold that slides with the activity makes memories last longer; a memory that was consolidated in silent
hours (tag and capture, published times) survives activity that erases it otherwise.  The lifetime under a
rule derived from the CaMKII switch of Graupner & Brunel (2007) is measured beside them.

The first claim misses its target: activity falls from 4 to 1.5 Hz with the efficacies, forgetting slows
down with it, and the logarithm of the correlation bends.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from cascades.network import balanced_network
from cascades.network.plasticity import CascadeSynapse, SlidingThreshold, TagAndCapture
from cascades.network.session import Session
from cascades.plot import COLOURS, LIGHT, new_figure
from cascades.reduction import CalciumRule, published_rule

PLAIN = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")
LADDER = Path(__file__).parent.parent / "docs" / "rules" / "ladder_camkii_graupner_2007.json"
SILENT_HOURS = 4.0
LATE = TagAndCapture(interval=6_000.0)
GONE = 0.1  # a correlation below this is a memory lost
# Targets
EXPONENTIAL = 0.98  # R2 of the logarithm of the correlation against time
CASCADE_KEEPS = 2.0 * GONE  # when the synapse without a cascade is at GONE
SLIDING_GAIN = 1.5  # in lifetime
CONSOLIDATED = 0.5  # correlation left at the end
Curve = tuple[np.ndarray, np.ndarray]


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    duration = 20.0 if options.quick else 600.0
    curves = {}
    print(f"{'':<36}{'lifetime [s]':>14}{'correlation at the end':>26}")
    for name, case in cases(options.rule).items():
        curves[name] = times, kept = memory(*case, duration, options.seed)
        life = lifetime(times, kept)
        shown = f"{life:.1f}" if np.isfinite(life) else f"> {duration:g}"
        print(f"{name:<36}{shown:>14}{kept[-1]:>26.3f}", flush=True)
    print(f"\n{'':<8}{'target':>8}{'value':>9}")
    found = claims(curves)
    for claim, target, value in found:
        print(f"{'holds' if value >= target else 'MISSED':<8}{target:>8g}{value:>9.3g}  {claim}")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "network_memory.png"
    _figure(curves).savefig(path, dpi=150)
    print(f"\nfigure: {path}")
    return 0 if all(value >= target for _, target, value in found) else 1


def cases(rule_file: Path | None) -> dict[str, tuple[CalciumRule, tuple[Any, ...], float]]:
    """(rule, mechanisms, silent hours before) of each curve."""
    slides = SlidingThreshold(interval=500.0, target=2.0, tau_rate=2000.0)
    found: dict[str, tuple[CalciumRule, tuple[Any, ...], float]] = {
        "threshold rule": (PLAIN, (), 0.0),
        "with its double well": (dataclasses.replace(PLAIN, well="cubic"), (), 0.0),
        "two strengths, no cascade": (PLAIN, (CascadeSynapse(interval=500.0, depth=1),), 0.0),
        "cascade synapse": (PLAIN, (CascadeSynapse(interval=500.0, depth=6),), 0.0),
        "sliding threshold": (PLAIN, (slides,), 0.0),
        "tag and capture, at once": (PLAIN, (LATE,), 0.0),
        f"tag and capture, {SILENT_HOURS:g} silent hours": (PLAIN, (LATE,), SILENT_HOURS),
    }
    rule = derived_rule() if rule_file is None else CalciumRule.from_json(rule_file.read_text())
    found["derived rule"] = (rule, (), 0.0)
    return found


def derived_rule() -> CalciumRule:
    """The most general rule with one variable per synapse that `rule_from_cascade` found for the switch."""
    levels = json.loads(LADDER.read_text(encoding="utf-8"))["levels"]
    rules = (CalciumRule.from_json(json.dumps(level["rule"])) for level in levels if level["rule"])
    return next(rule for rule in rules if rule.filter is None)


def memory(
    rule: CalciumRule, mechanisms: tuple[Any, ...], silent: float, duration: float, seed: int
) -> Curve:
    """(times [s], correlation of the transmitted efficacies with the stored pattern)."""
    network = balanced_network(rule, neurons=1000, inputs=100, mechanisms=mechanisms)
    session = Session.new(network, seed, 1)
    for mechanism, remembered in zip(mechanisms, session.memories):
        for _ in range(round(silent * 3_600_000.0 / mechanism.interval)):
            mechanism.apply(session.view(), remembered)  # no spikes: nothing else happens
    stored = _transmitted(session)
    stored -= stored.mean()
    times = np.concatenate([[0.0], np.geomspace(0.2, duration, 50)])
    kept = []
    for time in times:
        session.advance(round(time * 1e4) + 1)
        now = _transmitted(session)
        spread = now.std() * stored.std()
        kept.append(float(((now - now.mean()) * stored).mean() / spread) if spread > 0.0 else 0.0)
    return times, np.array(kept)


def _transmitted(session: Session) -> np.ndarray:
    session.read()
    efficacies: np.ndarray = session.readings[-1]["E -> E"][3]
    return efficacies.astype(float)


def lifetime(times: np.ndarray, kept: np.ndarray, level: float = 1.0 / np.e) -> float:
    """When the correlation falls below `level` of its first value [s]; infinite if it does not."""
    below = np.flatnonzero(kept < kept[0] * level)
    if not below.size:
        return np.inf
    k = int(below[0])
    return float(np.interp(kept[0] * level, [kept[k], kept[k - 1]], [times[k], times[k - 1]]))


def claims(curves: dict[str, Curve]) -> list[tuple[str, float, float]]:
    """(claim, target, value); a claim holds if the value reaches the target."""
    times, kept = curves["threshold rule"]
    is_there = kept > GONE
    slope = np.polyfit(times[is_there], np.log(kept[is_there]), 1)
    left = np.log(kept[is_there]) - np.polyval(slope, times[is_there])
    r2 = 1.0 - left.var() / np.log(kept[is_there]).var()
    plain = curves["two strengths, no cascade"]
    lost = lifetime(*plain, level=GONE)
    cascade = float(np.interp(lost, *curves["cascade synapse"])) if np.isfinite(lost) else np.nan
    gain = lifetime(*curves["sliding threshold"]) / lifetime(times, kept)
    late = curves[f"tag and capture, {SILENT_HOURS:g} silent hours"][1][-1]
    return [
        ("the threshold rule forgets exponentially: R2 of the logarithm", EXPONENTIAL, float(r2)),
        ("correlation that a cascade keeps where two strengths alone are at 0.1", CASCADE_KEEPS, cascade),
        ("lifetime with a sliding threshold, over that without", SLIDING_GAIN, float(gain)),
        ("correlation at the end after silent hours of consolidation", CONSOLIDATED, float(late)),
    ]


def _figure(curves: dict[str, Curve]) -> Any:
    figure, axes = new_figure(width=7.0, height=4.2)
    axes.axhline(1.0 / np.e, color=LIGHT, lw=1)
    for k, (name, (times, kept)) in enumerate(curves.items()):
        style = "-" if k < len(COLOURS) else "--"
        axes.plot(times[1:], kept[1:], style, color=COLOURS[k % len(COLOURS)], label=name)
    axes.set(
        xlabel="time of ongoing activity [s]", ylabel="correlation with the stored pattern", xscale="log"
    )
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.03)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis network_memory", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 s of biological time instead of 600")
    parser.add_argument("--rule", type=Path, help="a derived rule (rule.json) instead of that of the docs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
