"""Where the CaMKII switch remembers: resting calcium against the amount of PP1.

Claim: bistability fills one region of the plane, bounded by fold curves that are followed through it;
the isola of the UP state is born and merges with the main branch at extrema of these curves, which
are refined, and there is no cusp in this plane.  In the plane of calcium and KM there are cusps, one of
them known from an independent program.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cascades
from cascades.continuation import Branch, branches, fold_curves, region_map
from cascades.plot import COLOURS, new_figure

CALCIUM = (0.02, 2.0)  # uM
PP1 = (0.05, 0.6)  # uM
KM = (0.1, 10.0)  # uM
CUSP = (0.3565113257, 3.447053789)  # Ca and KM [uM], refined by Newton in an independent program


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    switch = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    found = branches(switch, "Ca", CALCIUM)
    folds = [point for branch in found for point in branch.of_kind("fold")]
    in_pp1 = fold_curves(switch, folds, ("Ca", "PP10"), (CALCIUM, PP1))
    in_km = fold_curves(switch, folds, ("Ca", "KM"), (CALCIUM, KM))
    print(f"{'plane':<12}{'point':<18}{'Ca [uM]':>16}{'second [uM]':>16}")
    cusps = []
    for name, curves in (("Ca, PP10", in_pp1), ("Ca, KM", in_km)):
        for curve in curves:
            for point in curve.special_points:
                calcium, second = point.values.values()
                print(f"{name:<12}{point.kind:<18}{calcium:>16.10f}{second:>16.10f}")
                if point.kind == "cusp":
                    cusps.append((name, calcium, second))
    right = [
        c for c in cusps if c[0] == "Ca, KM" and abs(c[1] / CUSP[0] - 1) + abs(c[2] / CUSP[1] - 1) < 1e-7
    ]
    agree = len(right) == 1 and not any(plane == "Ca, PP10" for plane, _, _ in cusps)
    shape = (40, 16) if options.quick else (120, 60)
    regions = region_map(switch, ("Ca", "PP10"), (CALCIUM, PP1), shape=shape)
    share = float((regions.n_stable > 1).mean())
    print(f"\nbistable on {share:.1%} of the (logarithmic) plane of Ca and PP10")
    verdict = "is" if agree else "IS NOT"
    print(f"the reference cusp in Ca and KM {verdict} found; the plane of PP1 has none")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bistability_map.png"
    _figure(regions, in_pp1, in_km).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if agree else 1


def _figure(regions: Any, in_pp1: list[Branch], in_km: list[Branch]) -> Any:
    figure, (left, right) = new_figure(1, 2, width=10.0, height=4.0)
    regions.plot(left)
    for axes, curves in ((left, in_pp1), (right, in_km)):
        for curve, colour in zip(curves, COLOURS, strict=False):
            curve.plot(axes, color=colour)
        axes.set(xscale="log", yscale="log")
    left.set(xlabel="Ca [uM]", ylabel="PP1 in all [uM]", title="stable states of the CaMKII switch")
    right.set(xlabel="Ca [uM]", ylabel="KM of dephosphorylation [uM]", title="fold curves and a cusp")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis bistability_map", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a coarser map")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
