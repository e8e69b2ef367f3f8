"""Constant calcium: the graded rule of Shouval, and the drift at rest.

At each level of calcium the efficacy moves as rho' = a_p (1 - rho) - a_d rho + well(rho).  With
eta = a_p + a_d and Omega = a_p / eta this is the rule of Shouval, Bear & Cooper (2002) PNAS 99:10831;
both curves follow from runs at constant calcium, without a fit to any protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.reduction.rule import RateTable, WellTable
from cascades.reduction.states import RestingStates
from cascades.simulate import simulate
from cascades.solvers import Solver

LEVELS = 40
READINGS = np.geomspace(0.05, 60.0, 22)  # [s]
SHARPNESS = 40.0  # rows of the well per unit of rho
WELL_TOP = 1.3


@dataclass(frozen=True, eq=False)
class ConstantRuns:
    """Efficacies at `READINGS`, shape (levels, 2, readings), from DOWN and UP at each calcium level,
    and the rates that they show [1/s], with the rms error of rho at each level."""

    calcium: np.ndarray
    rho: np.ndarray
    potentiation: np.ndarray
    depression: np.ndarray
    rmse: np.ndarray

    @property
    def omega(self) -> np.ndarray:
        total = self.potentiation + self.depression
        return np.where(total > 0.0, self.potentiation / np.where(total > 0.0, total, 1.0), 0.0)

    @property
    def eta(self) -> np.ndarray:
        return self.potentiation + self.depression

    def table(self) -> RateTable:
        columns = (self.calcium, self.potentiation, self.depression)
        return RateTable(*(tuple(map(float, column)) for column in columns))


def constant_runs(
    clamped: CompiledModel,
    calcium: str,
    weight: str,
    states: RestingStates,
    well: WellTable,
    highest: float,
    *,
    solver: str | Solver,
    rtol: float,
) -> ConstantRuns:
    """Run from rest to `highest` calcium and read the rates of potentiation and depression."""
    top = highest - states.rest
    levels = states.rest + np.append(0.0, np.geomspace(0.01 * top, top, LEVELS - 1))
    y = np.repeat(np.array([states.down, states.up]), LEVELS, axis=0)
    times = np.concatenate([[0.0], READINGS])
    runs = simulate(
        clamped, times, values={calcium: np.tile(levels, 2)}, solver=solver, rtol=rtol,
        initial={name: y[:, i] for i, name in enumerate(clamped.state_names)},
    )  # fmt: skip
    rho = states.efficacy(np.asarray(runs[weight])[:, 1:]).reshape(2, LEVELS, -1).transpose(1, 0, 2)
    seen = np.clip(rho if states.is_bistable else rho[:, :1], 0.0, 1.0)
    up, down, rmse = np.zeros(LEVELS), np.zeros(LEVELS), np.zeros(LEVELS)
    guess = np.array([-3.0, -3.0])
    for i in range(1, LEVELS):
        guess, rmse[i] = _rates_from(seen[i], well, guess)
        up[i], down[i] = 10.0**guess
    return ConstantRuns(levels, rho, up, down, rmse)


def _rates_from(rho: np.ndarray, well: WellTable, guess: np.ndarray) -> tuple[np.ndarray, float]:
    """The decimal logarithms of the rates [1/s] that fit the runs from 0 (and 1) best; the rms error."""
    from scipy.optimize import least_squares

    from cascades.reduction.batch import WELL_RANGE, WELL_ROWS, flat

    grid = np.linspace(*WELL_RANGE, WELL_ROWS)
    drifts = np.interp(grid, well.rho, well.drift)
    steps = np.diff(READINGS, prepend=0.0)

    def misfit(log_rates: np.ndarray) -> np.ndarray:
        up, down = 10.0**log_rates
        out = np.empty((len(rho), steps.size))
        for start in range(len(rho)):
            now = float(start)
            for k, h in enumerate(steps):
                now = flat(now, up, down, h, 2, drifts)
                out[start, k] = now
        return np.asarray((np.clip(out, 0.0, 1.0) - rho).ravel())

    starts = [guess, np.array([-1.0, -4.0]), np.array([-4.0, -1.0]), np.array([0.5, -3.0])]
    best = min(starts, key=lambda x: float(np.sum(misfit(x) ** 2)))
    found = least_squares(misfit, best, bounds=([-6.0, -6.0], [3.0, 3.0]), diff_step=1e-3, max_nfev=40)
    return found.x, float(np.sqrt(np.mean(found.fun**2)))


def resting_well(states: RestingStates) -> WellTable:
    """The drift at rest as a table: least squares with hat functions, a little smoothed, and zero in
    the resting states and on the separatrix."""
    top = WELL_TOP if states.is_bistable else 1.0
    fixed = np.array([0.0, states.rho_star, 1.0] if states.is_bistable else [0.0])
    grid = np.linspace(0.0, top, round(SHARPNESS * top) + 1)
    grid = grid[np.abs(grid[:, None] - fixed).min(axis=1) > 0.3 / SHARPNESS]
    rho = np.sort(np.concatenate([grid, fixed]))
    inside = (states.rho >= 0.0) & (states.rho <= rho[-1])
    x, y = states.rho[inside], states.drift[inside]
    scale = max(float(np.abs(y).max(initial=0.0)), 1e-30)
    hats = np.array([np.interp(x, rho, row) for row in np.eye(rho.size)]).T
    counts = np.maximum(hats.sum(axis=0), 1.0)
    weight = 1.0 / np.sqrt(hats @ counts)
    bend = np.diff(np.eye(rho.size), n=2, axis=0) * 0.05
    pinned = np.eye(rho.size)[np.isin(rho, fixed)] * 1e3
    left = np.concatenate([hats * weight[:, None], bend, pinned])
    right = np.concatenate([y / scale * weight, np.zeros(len(bend) + len(pinned))])
    drift = np.linalg.lstsq(left, right, rcond=None)[0] * scale
    drift[np.isin(rho, fixed)] = 0.0
    return WellTable(tuple(map(float, rho)), tuple(map(float, drift)))


def cubic_well(well: WellTable) -> tuple[float, float, float]:
    """(tau [s], rho_star, R2) of the cubic that fits the table best between 0 and 1."""
    rho, drift = np.array(well.rho), np.array(well.drift)
    inside = (rho >= 0.0) & (rho <= 1.0)
    x, y = rho[inside], drift[inside]
    # y = -x (1 - x)(rho_star - x) / tau is linear in rho_star / tau and 1 / tau
    columns = np.stack([-x * (1.0 - x), x * x * (1.0 - x)], axis=1)
    (a, b), *_ = np.linalg.lstsq(columns, y, rcond=None)
    if b <= 0.0:
        return 1e9, 0.5, 0.0
    spread = float(np.sum((y - y.mean()) ** 2))
    r2 = 1.0 - float(np.sum((columns @ np.array([a, b]) - y) ** 2)) / spread if spread > 0.0 else 0.0
    return float(1.0 / b), float(np.clip(a / b, 1e-3, 1.0 - 1e-3)), r2
