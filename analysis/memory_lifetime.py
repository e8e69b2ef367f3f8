"""How long a synapse remembers grows exponentially with its number of kinase molecules.

Claim: the mean time that the kinase switch of Pi & Lisman (2008) stays potentiated, from random paths of
the same model in molecules, waited for or by forward flux, grows by a constant factor per molecule, as in the
holoenzyme models of Miller et al. (2005) PLoS Biol 3:e107 and Singh & Bhalla (2018) eLife 7:e41412.

The residence times that Singh & Bhalla report for 5 to 40 holoenzymes are put beside the exact times of
their scheme in the limit in which subunits are exchanged so fast that all holoenzymes of the density
mix: the number of phosphorylated subunits is then a one-step process.  PP1 is not fitted: it is set so
that both states live equally long.  Growth is exponential there too, but steeper than reported.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

import cascades
from cascades.continuation import as_problem
from cascades.noise import (
    JumpProcess,
    jump_process,
    mean_first_passage_time,
    random_paths,
    switching_rate,
)
from cascades.plot import UP, new_figure
from cascades.units import MOLECULES_PER_ZMOL

MOLECULES = (10, 14, 18, 22, 26, 30, 40, 60, 80)
WAITED = 26  # molecules up to which the switch is also waited for
SIGMAS = 4.0  # within which both methods agree
# Singh & Bhalla (2018): holoenzymes, molecules of PP1, mean residence time [days]
REPORTED = (
    (5, 80, 0.4545), (10, 180, 1.429), (10, 180, 1.449), (15, 260, 4.545), (15, 260, 3.774), (20, 350, 12.5),
    (25, 440, 50.0), (28, 490, 142.9), (30, 530, 200.0), (35, 610, 730.0), (40, 700, 1825.0),
)  # fmt: skip
# Their rates at 100 nM calcium: a subunit by itself and one whose neighbour is phosphorylated [1/s], PP1
# [1/s, uM], replacement of a holoenzyme [1/s]
V1, V2, K2, KM, TURNOVER = 1.27e-5, 4.36e-3, 10.0, 10.0, 1.0 / (30.0 * 3600.0)
SUBUNITS = 6
DENSITY_VOLUME = 1e-3  # fL: the lower end of the range they give
DAY = 86400.0  # s
WITHIN = 2.0  # factor within which a reported time counts as reproduced
LINEAR = 0.98  # R2 of the logarithm of the time against the number of molecules
POINTS = 4001


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    counts, staged, errors, agree = tristable_switch(options)
    slope, intercept = np.polyfit(counts, np.log(staged), 1)
    r2 = float(np.corrcoef(counts, np.log(staged))[0, 1] ** 2)
    print(f"\nthe time grows by a factor of {np.exp(slope):.3f} per molecule; R2 of its logarithm {r2:.4f}")
    print(
        f"growth {'is' if r2 >= LINEAR else 'IS NOT'} exponential; both methods {'' if agree else 'DIS'}AGREE"
    )
    holoenzymes, mixed, reported, r2_mixed = reported_switch()
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "memory_lifetime.png"
    _figure(counts, staged, errors, slope, intercept, holoenzymes, mixed, reported).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if agree and min(r2, r2_mixed) >= LINEAR else 1


def tristable_switch(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Molecules, the mean time potentiated and its error by forward flux, and whether waiting agrees."""
    compiled = cascades.compile_model(cascades.load_model("switch_pi_2008"))
    *_, saddle, potentiated = cascades.equilibria(compiled)
    problem = as_problem(compiled)
    total = float(problem.values()[problem.index("Kt")])
    process = jump_process(compiled)
    rows, apart = [], []
    print(f"{'molecules':>10}{'waited for [s]':>16}{'+-':>9}{'forward flux [s]':>18}{'+-':>9}")
    for count in MOLECULES:
        volume = count / (total * MOLECULES_PER_ZMOL)
        start = whole_counts(potentiated, volume)
        barrier = saddle["K"] / total * count
        found = switching_rate(
            process, {"K": -1.0}, (-0.8 * start["K"], -0.5 * barrier), values={"spine": volume},
            initial=start, repetitions=16, seed=options.seed,
        )  # fmt: skip
        time, error = found.residence_time, found.residence_time * found.standard_error / found.rate
        rows.append((count, time, error))
        waited = ""
        if count <= (WAITED if not options.quick else WAITED // 2):
            mean, spread = residence(process, start, 0.5 * barrier, volume, options)
            apart.append(abs(mean - time) / np.hypot(spread, error))
            waited = f"{mean:>16.4g}{spread:>9.2g}"
        print(f"{count:>10}{waited:>25}{time:>18.4g}{error:>9.2g}")
    counts, times, errors = map(np.array, zip(*rows, strict=True))
    return counts, times, errors, max(apart) < SIGMAS


def reported_switch() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Holoenzymes, exact times well mixed and reported times [days], and R2 of an exponential."""
    print(f"\n{'holoenzymes':>12}{'exact, mixed [days]':>21}{'reported [days]':>17}{'ratio':>10}")
    mixed = np.array([holoenzyme_days(n) for n, _, _ in REPORTED])
    for (n, _, reported), days in zip(REPORTED, mixed, strict=True):
        print(f"{n:>12}{days:>21.4g}{reported:>17.4g}{days / reported:>10.3g}")
    holoenzymes = np.array([n for n, _, _ in REPORTED])
    reported_days = np.array([days for _, _, days in REPORTED])
    steep, gentle = (np.polyfit(holoenzymes, np.log(days), 1)[0] for days in (mixed, reported_days))
    r2 = float(np.corrcoef(holoenzymes, np.log(mixed))[0, 1] ** 2)
    reproduced = int(np.sum(np.abs(np.log(mixed / reported_days)) < np.log(WITHIN)))
    print(f"\nfactor per holoenzyme {np.exp(steep):.3f} (R2 {r2:.4f}), reported {np.exp(gentle):.3f}")
    print(f"growth {'is' if r2 >= LINEAR else 'IS NOT'} exponential there too")
    verdict = "reproduced" if reproduced == len(REPORTED) else "a miss"
    print(f"{reproduced} of {len(REPORTED)} reported times within a factor of {WITHIN:g}: {verdict}")
    print("left out here: rings that exchange one subunit at a time, pulses of calcium, PP1 as molecules")
    return holoenzymes, mixed, reported_days, r2


def holoenzyme_days(holoenzymes: int) -> float:
    """The mean residence time of well-mixed holoenzymes at the PP1 at which UP and DOWN last alike."""
    sites = SUBUNITS * holoenzymes
    half = KM * DENSITY_VOLUME * MOLECULES_PER_ZMOL  # molecules at which PP1 is half saturated

    def birth(s: np.ndarray) -> np.ndarray:
        return (sites - s) * (V1 + V2 * s / (sites - 1.0))

    def active_pp1(s: np.ndarray) -> np.ndarray:
        """The PP1 that balances phosphorylation at s; between its extrema there are two stable states."""
        return (birth(s) / s - TURNOVER) * (half + s) / K2

    grid = np.linspace(0.02, sites - 1e-6, 20001)
    rises = np.diff(active_pp1(grid)) > 0.0
    low = int(np.argmax(rises))  # PP1 falls with s up to here: the DOWN states
    high = low + int(np.argmin(rises[low:]))  # and rises up to here: the barrier
    ends = active_pp1(grid[[low, high]])

    def residence_times(pp1: float) -> tuple[float, float]:
        gap = np.flatnonzero(np.diff(active_pp1(grid) > pp1))
        down, up = int(grid[gap[0]]), int(grid[gap[-1]])

        def death(s: np.ndarray) -> np.ndarray:
            return K2 * pp1 * s / (half + s) + TURNOVER * s

        return (
            mean_first_passage_time(birth, death, down, up),
            mean_first_passage_time(birth, death, up, down, largest=sites),
        )

    def imbalance(log_pp1: float) -> float:
        from_down, from_up = residence_times(float(np.exp(log_pp1)))
        return float(np.log(from_down / from_up))

    margin = 1e-3 * np.log(ends[1] / ends[0])
    even = brentq(imbalance, np.log(ends[0]) + margin, np.log(ends[1]) - margin, xtol=1e-10)
    return float(np.mean(residence_times(float(np.exp(even))))) / DAY


def whole_counts(state: Any, volume: float) -> dict[str, float]:
    """Molecules of a state in a volume [fL]."""
    counts = {}
    for active, idle in (("K", "K_inactive"), ("P", "P_inactive"), ("A", "A_internal")):
        whole = round((state[active] + state[idle]) * volume * MOLECULES_PER_ZMOL)
        counts[active] = float(round(state[active] * volume * MOLECULES_PER_ZMOL))
        counts[idle] = max(whole - counts[active], 0.0)
    return counts


def residence(
    process: JumpProcess, start: dict[str, float], level: float, volume: float, options: argparse.Namespace
) -> tuple[float, float]:
    """The mean time before active kinase falls below a level, and its standard error [s], by waiting:
    exponential times, cut off at a horizon."""
    place = process.species.index("K")
    horizon = 20.0
    while True:
        grid = np.linspace(0.0, horizon, POINTS)
        paths = random_paths(
            process,
            grid,
            values={"spine": volume},
            initial=start,
            members=options.members,
            seed=options.seed,
        )
        below = paths.values[:, :, place] < level
        fell = below.any(axis=1)
        if fell.mean() > 0.8:
            at_risk = np.where(fell, grid[np.argmax(below, axis=1)], horizon)
            mean = float(at_risk.sum() / fell.sum())
            return mean, mean / float(np.sqrt(fell.sum()))
        horizon *= 4.0


def _figure(
    counts: np.ndarray,
    times: np.ndarray,
    errors: np.ndarray,
    slope: float,
    intercept: float,
    holoenzymes: np.ndarray,
    mixed: np.ndarray,
    reported: np.ndarray,
) -> Any:
    figure, (left, right) = new_figure(1, 2, width=9.0, height=3.6)
    left.errorbar(counts, times, errors, fmt="o", color=UP)
    left.plot(counts, np.exp(intercept + slope * counts), color=UP, lw=1)
    left.set(yscale="log", xlabel="kinase molecules", ylabel="mean time potentiated [s]")
    right.plot(holoenzymes, mixed, "o-", color=UP, lw=1, label="exact, subunits well mixed")
    right.plot(holoenzymes, reported, "s", color="k", mfc="w", label="Singh & Bhalla (2018)")
    right.set(yscale="log", xlabel="holoenzymes", ylabel="mean residence time [days]")
    right.legend(loc="upper left", fontsize=8)
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis memory_lifetime", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="wait for fewer sizes")
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
