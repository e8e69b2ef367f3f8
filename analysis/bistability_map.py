"""Where the CaMKII switch remembers: resting calcium against the amount of PP1.

Claim: bistability fills one region of the plane, bounded by fold curves that are followed through it;
the isola of the UP state is born and merges with the main branch at points of these curves that are
refined by a system of their own, and there is no cusp in this plane.  In the planes of calcium with KM
and with the number of rings there are cusps, one of them known from an independent program; birth and
merger in the plane of k12 agree with the equations reduced to one by hand and solved with 40 digits.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cascades
from cascades.continuation import Branch, branches, fold_curves, region_map
from cascades.plot import COLOURS, new_figure

CALCIUM = (0.02, 2.0)  # uM
PLANES = {  # the second parameter of each, and its range
    "PP10": (0.05, 0.6),  # uM
    "k12": (500.0, 5e4),  # 1/s
    "KM": (0.1, 50.0),  # uM
    "b0i": (3.0, 300.0),  # uM
}
# refined by Newton in an independent program; the other two: see the docstring
REFERENCES = (
    ("KM", "cusp", 0.3565113257, 3.447053789),
    ("k12", "isola centre", 0.1397623556051416, 10094.54157293753),
    ("k12", "branch point", 0.2945755685326551, 4298.503911040565),
)
AGREES = 1e-7


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    switch = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    found = branches(switch, "Ca", CALCIUM)
    folds = [point for branch in found for point in branch.of_kind("fold")]
    curves = {
        second: fold_curves(switch, folds, ("Ca", second), (CALCIUM, bounds))
        for second, bounds in PLANES.items()
    }
    print(f"{'plane':<12}{'point':<16}{'Ca [uM]':>16}{'second':>18}   normal form")
    points = [
        (second, point.kind, *point.values.values(), dict(point.coefficients))
        for second, lines in curves.items()
        for line in lines
        for point in line.special_points
    ]
    for second, kind, calcium, value, coefficients in points:
        form = ", ".join(f"{name} = {number:.4g}" for name, number in coefficients.items())
        print(f"{'Ca, ' + second:<12}{kind:<16}{calcium:>16.10f}{value:>18.10f}   {form}")
    dropped = [sentence for lines in curves.values() for line in lines for sentence in line.dropped]
    print("\n".join(dropped))
    agree = not dropped and not any(p[:2] == ("PP10", "cusp") for p in points)
    for second, kind, *place in REFERENCES:
        near = [p for p in points if p[:2] == (second, kind)]
        apart = min(
            (max(abs(p[2] / place[0] - 1.0), abs(p[3] / place[1] - 1.0)) for p in near), default=float("inf")
        )
        agree &= apart < AGREES
        print(f"{kind} in Ca and {second}: {apart:.1e} from the reference")
    shape = (40, 16) if options.quick else (120, 60)
    regions = region_map(switch, ("Ca", "PP10"), (CALCIUM, PLANES["PP10"]), shape=shape)
    share = float((regions.n_stable > 1).mean())
    print(f"\nbistable on {share:.1%} of the (logarithmic) plane of Ca and PP10, which has no cusp")
    print(f"the reference points {'are' if agree else 'ARE NOT'} found")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "bistability_map.png"
    _figure(regions, curves["PP10"], curves["KM"]).savefig(path, dpi=150)
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
    right.set(xlabel="Ca [uM]", ylabel="KM of dephosphorylation [uM]", title="fold curves and cusps")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis bistability_map", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a coarser map")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
