"""How long a synapse remembers grows exponentially with its number of kinase molecules.

Claim: the mean time that the kinase switch of Pi & Lisman (2008) stays potentiated, from exact random
paths of the same model in molecules, grows by a constant factor per molecule, as it does in the
holoenzyme models of Miller et al. (2005) PLoS Biol 3:e107 and Singh & Bhalla (2018) eLife 7:e41412.
Only that it is exponential is claimed, not the single times.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from cascades.continuation import as_problem
from cascades.noise import JumpProcess, jump_process, random_paths
from cascades.plot import UP, new_figure
from cascades.units import MOLECULES_PER_ZMOL

MOLECULES = (10, 14, 18, 22, 26, 30)
LINEAR = 0.98  # R2 of the logarithm of the time against the number of molecules
POINTS = 4001


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    compiled = cascades.compile_model(cascades.load_model("switch_pi_2008"))
    *_, saddle, potentiated = cascades.equilibria(compiled)
    problem = as_problem(compiled)
    total = float(problem.values()[problem.index("Kt")])
    process = jump_process(compiled)
    rows = []
    print(f"{'molecules':>10}{'volume [fL]':>14}{'time potentiated [s]':>22}{'+-':>10}")
    for count in MOLECULES[: 4 if options.quick else None]:
        volume = count / (total * MOLECULES_PER_ZMOL)
        time, error = residence(process, potentiated, saddle["K"] / total * count, volume, options)
        rows.append((count, time, error))
        print(f"{count:>10}{volume:>14.3e}{time:>22.4g}{error:>10.2g}")
    counts, times, errors = map(np.array, zip(*rows, strict=True))
    slope, intercept = np.polyfit(counts, np.log(times), 1)
    r2 = float(np.corrcoef(counts, np.log(times))[0, 1] ** 2)
    print(f"\nthe time grows by a factor of {np.exp(slope):.3f} per molecule; R2 of its logarithm {r2:.4f}")
    print(f"growth {'is' if r2 >= LINEAR else 'IS NOT'} exponential")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "memory_lifetime.png"
    _figure(counts, times, errors, slope, intercept).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if r2 >= LINEAR else 1


def residence(
    process: JumpProcess, state: Any, barrier: float, volume: float, options: argparse.Namespace
) -> tuple[float, float]:
    """The mean time before active kinase falls below half of the saddle's number, and its standard
    error [s]: exponential times, cut off at a horizon."""
    counts = {}
    for active, idle in (("K", "K_inactive"), ("P", "P_inactive"), ("A", "A_internal")):
        whole = round((state[active] + state[idle]) * volume * MOLECULES_PER_ZMOL)
        counts[active] = float(round(state[active] * volume * MOLECULES_PER_ZMOL))
        counts[idle] = max(whole - counts[active], 0.0)
    place = process.species.index("K")
    horizon = 20.0
    while True:
        grid = np.linspace(0.0, horizon, POINTS)
        paths = random_paths(
            process,
            grid,
            values={"spine": volume},
            initial=counts,
            members=options.members,
            seed=options.seed,
        )
        below = paths.values[:, :, place] < 0.5 * barrier
        fell = below.any(axis=1)
        if fell.mean() > 0.8:
            at_risk = np.where(fell, grid[np.argmax(below, axis=1)], horizon)
            mean = float(at_risk.sum() / fell.sum())
            return mean, mean / float(np.sqrt(fell.sum()))
        horizon *= 4.0


def _figure(counts: np.ndarray, times: np.ndarray, errors: np.ndarray, slope: float, intercept: float) -> Any:
    figure, axes = new_figure(width=5.0, height=3.6)
    axes.errorbar(counts, times, errors, fmt="o", color=UP)
    axes.plot(counts, np.exp(intercept + slope * counts), color=UP, lw=1)
    axes.set(yscale="log", xlabel="kinase molecules", ylabel="mean time potentiated [s]")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis memory_lifetime", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes")
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
