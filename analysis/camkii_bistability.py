"""The CaMKII switch is bistable at resting calcium, and its UP state lives on an isola.

Claim: the four folds agree with the branches that Graupner & Brunel (2007) deposited (ModelDB 114452,
AUTO, six printed digits), and the branch of the UP state closes on itself: no other program says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from cascades.continuation import Branch, ContinuationSettings, branches
from cascades.plot import COLOURS, new_figure

PUBLISHED = {"main branch": [0.36313, 0.373918], "isola": [0.0923521, 0.219568]}  # Ca [uM]
PRINTED_DIGITS = 1e-6
RESTING = 0.1  # uM


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    switch = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    found = branches(switch, "Ca", (0.02, 2.0), settings=ContinuationSettings(largest_step=0.05))
    agree = True
    print(f"{'branch':<14}{'fold at Ca [uM]':>18}{'published':>14}{'difference':>14}")
    for branch in found:
        name = "isola" if branch.closed else "main branch"
        folds = sorted(point.value for point in branch.of_kind("fold"))
        for fold, published in zip(folds, PUBLISHED[name], strict=True):
            agree &= abs(fold - published) <= PRINTED_DIGITS
            print(f"{name:<14}{fold:>18.12f}{published:>14g}{fold - published:>14.1e}")
    print(f"\nequilibria at Ca = {RESTING} uM")
    for state in cascades.equilibria(switch, values={"Ca": RESTING}):
        kind = "stable" if state.is_stable else "saddle"
        print(f"  S = {state['S']:<12.6g} uM  {kind:<7} slowest time {state.slowest_time:.3g} s")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "camkii_bistability.png"
    _figure(found).savefig(path, dpi=150)
    print(f"\nthe folds {'agree' if agree else 'DO NOT agree'} with the published digits\nfigure: {path}")
    return 0 if agree else 1


def _figure(found: list[Branch]) -> Any:
    figure, axes = new_figure(width=6.5, height=4.2)
    for branch, colour in zip(found, COLOURS, strict=False):
        name = "isola of the UP state" if branch.closed else "main branch, DOWN at rest"
        branch.plot(axes, "S", color=colour, label=name)
    axes.axvline(RESTING, color="#d9dee3", lw=6, zorder=0)
    axes.set(xscale="log", xlabel="Ca [uM]", ylabel="phosphorylated subunits [uM]")
    axes.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0], ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"])
    axes.set_ylim(-5.0, 1.3 * max(float(np.max(branch["S"])) for branch in found))
    axes.legend(loc="upper left")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis camkii_bistability", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it is quick")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
