"""States and their derivatives along given directions of initial state and parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.expression import evaluate
from cascades.solvers import DEFAULT, REASONS, Integration, solver_named
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import resolve

STEP = 1e-4  # of the central difference, relative to the size of what is moved
SETTLED = 1e-9  # scaled rate of change below which a state is steady
LONGEST = 1e9  # model time after which no steady state is waited for


@dataclass(frozen=True, eq=False)
class Point:
    """A state and its derivatives along d directions.

    y : float, shape (n,);  y_slopes : shape (n, d);  p : shape (m,);  p_slopes : shape (m, d)
    """

    y: np.ndarray
    y_slopes: np.ndarray
    p: np.ndarray
    p_slopes: np.ndarray

    @property
    def n_directions(self) -> int:
        return self.y_slopes.shape[1]


@dataclass(frozen=True)
class Failure(Exception):
    """An integration that did not reach the end."""

    time: float
    reason: str


def integrate(
    compiled: CompiledModel, start: Point, times: np.ndarray, rtol: float
) -> tuple[np.ndarray, np.ndarray]:
    """States at `times` (from 0), shape (times, n), and slopes, shape (times, n, d).

    Raises Failure.
    """
    steps = [STEP * _size(start, k) for k in range(start.n_directions)]
    y0, p = [start.y], [start.p]
    for k, h in enumerate(steps):
        for sign in (1.0, -1.0):
            y0.append(start.y + sign * h * start.y_slopes[:, k])
            p.append(start.p + sign * h * start.p_slopes[:, k])
    y0_array, p_array = np.array(y0), np.array(p)
    atol = absolute_tolerance(compiled, rtol)
    stops = [resolve(None, compiled.equations)]
    problem = Integration(compiled, times, y0_array, p_array, stops, rtol, atol)
    solution = solver_named(DEFAULT).integrate(problem)
    failed = np.flatnonzero(solution.status)
    if failed.size:
        raise Failure(float(solution.reached[failed[0]]), REASONS[solution.status[failed[0]]])
    values = solution.values
    slopes = np.empty((times.size, start.y.size, start.n_directions))
    for k, h in enumerate(steps):
        slopes[:, :, k] = (values[1 + 2 * k] - values[2 + 2 * k]) / (2.0 * h)
    return values[0], slopes


def _size(start: Point, k: int) -> float:
    """A step along direction k that moves nothing by more than its own size."""
    moved = np.concatenate([start.y_slopes[:, k], start.p_slopes[:, k]])
    size = np.concatenate([start.y, start.p])
    active = (moved != 0.0) & (size != 0.0)
    return float(np.min(np.abs(size[active] / moved[active]))) if active.any() else 1.0


def settle(compiled: CompiledModel, start: Point, rtol: float) -> Point:
    """The steady state that is reached from `start`, with its derivatives by the implicit function
    theorem: J dy = -f_p dp on the states, W dy = dT on the conserved totals.

    Raises Failure if no steady state is reached.
    """
    y, end = start.y, 1.0
    while not _is_steady(compiled, y, start.p):
        if end > LONGEST:
            raise Failure(end, "no steady state is reached")
        still = Point(y, np.empty((y.size, 0)), start.p, np.empty((start.p.size, 0)))
        y = integrate(compiled, still, np.array([end]), rtol)[0][-1]
        end *= 10.0
    y = _polish(compiled, y, start)
    jacobian, weights = compiled.jacobian(y, start.p), _weights(compiled, start.p)
    if start.n_directions == 0:
        return Point(y, start.y_slopes, start.p, start.p_slopes)
    push = -compiled.parameter_jacobian(y, start.p) @ start.p_slopes
    totals = weights @ start.y_slopes
    scale = np.abs(jacobian).max(axis=1, initial=0.0, keepdims=True) + 1e-300
    left = np.vstack([jacobian / scale, weights])
    right = np.vstack([push / scale, totals])
    slopes, _, rank, _ = np.linalg.lstsq(left, right, rcond=1e-13)
    if rank < y.size:  # the steady state is one of a continuum: follow the way there instead
        slopes = integrate(compiled, start, np.array([max(end, 1.0)]), rtol)[1][-1]
    return Point(y, slopes, start.p, start.p_slopes)


def _is_steady(compiled: CompiledModel, y: np.ndarray, p: np.ndarray) -> bool:
    rates = compiled.rates(y, p)
    return bool(np.all(np.abs(rates) <= SETTLED * (np.abs(y) + 1e-6 * np.abs(y).max() + 1e-12)))


def _polish(compiled: CompiledModel, y: np.ndarray, start: Point) -> np.ndarray:
    """Two Newton steps that keep the conserved totals."""
    weights = _weights(compiled, start.p)
    for _ in range(2):
        jacobian = compiled.jacobian(y, start.p)
        scale = np.abs(jacobian).max(axis=1, initial=0.0, keepdims=True) + 1e-300
        left = np.vstack([jacobian / scale, weights])
        right = np.concatenate([-compiled.rates(y, start.p) / scale[:, 0], np.zeros(len(weights))])
        step = np.linalg.lstsq(left, right, rcond=1e-13)[0]
        if not np.isfinite(step).all() or np.abs(step).max() > 1e-3 * (np.abs(y).max() + 1e-12):
            return y
        y = y + step
    return y


def _weights(compiled: CompiledModel, p: np.ndarray) -> np.ndarray:
    """The conserved totals as rows over the states."""
    values = dict(zip(compiled.parameter_names, p, strict=True))
    conserved = compiled.equations.conserved
    rows = np.zeros((len(conserved), len(compiled.state_names)))
    for row, total in zip(rows, conserved, strict=True):
        for name, weight in zip(total.weights, evaluate(total.weights.values(), values), strict=True):
            row[compiled.state_index[name]] = weight
    return rows
