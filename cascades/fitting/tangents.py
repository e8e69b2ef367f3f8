"""Points with derivatives: a state and parameters, and how both move along the fitted directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.sensitivity import steady_slopes
from cascades.solvers import REASONS, Integration, solver_named
from cascades.solvers.tangents import integrate_tangents
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import resolve

SOLVER = "rodas5p"
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
    def has_directions(self) -> bool:
        return self.y_slopes.shape[1] > 0


@dataclass(frozen=True)
class Failure(Exception):
    """An integration that did not reach the end."""

    time: float
    reason: str


Course = tuple[np.ndarray, np.ndarray]  # states, shape (times, n); slopes, shape (times, n, d)


def integrate(
    compiled: CompiledModel, starts: Sequence[Point], times: np.ndarray, rtol: float
) -> list[Course | Failure]:
    """The courses from several points at `times` (from 0), as one batch where no derivatives are
    wanted."""
    if any(start.has_directions for start in starts):
        return [_with_slopes(compiled, start, times, rtol) for start in starts]
    problem = Integration(
        compiled,
        times,
        np.array([start.y for start in starts]),
        np.array([start.p for start in starts]),
        [resolve(None, compiled.equations)],
        rtol,
        absolute_tolerance(compiled, rtol),
    )
    solution = solver_named(SOLVER).integrate(problem)
    nothing = np.empty((times.size, problem.initial.shape[1], 0))
    return [
        Failure(float(solution.reached[i]), REASONS[status]) if status else (solution.values[i], nothing)
        for i, status in enumerate(solution.status)
    ]


def _with_slopes(compiled: CompiledModel, start: Point, times: np.ndarray, rtol: float) -> Course | Failure:
    """Only along directions that move the model: noise and scales do not."""
    moving = np.flatnonzero(start.y_slopes.any(axis=0) | start.p_slopes.any(axis=0))
    found = integrate_tangents(
        compiled, times, start.y, start.p, start.y_slopes[:, moving], start.p_slopes[:, moving], rtol=rtol
    )
    if found.status:
        return Failure(found.reached, REASONS[found.status])
    slopes = np.zeros((*found.values.shape, start.y_slopes.shape[1]))
    slopes[:, :, moving] = found.slopes
    return found.values, slopes


def settle(compiled: CompiledModel, start: Point, rtol: float) -> Point | Failure:
    """The steady state that is reached from `start`, with its derivatives by the implicit function
    theorem; where steady states form a continuum, by following the way there."""
    still = replace(start, y_slopes=start.y_slopes[:, :0], p_slopes=start.p_slopes[:, :0])
    y, end = start.y, 1.0
    while not _is_steady(compiled, y, start.p):
        if end > LONGEST:
            return Failure(end, "no steady state is reached")
        (course,) = integrate(compiled, [replace(still, y=y)], np.array([end]), rtol)
        if isinstance(course, Failure):
            return course
        y, end = course[0][-1], 10.0 * end
    if not start.has_directions:
        return replace(start, y=y)
    try:
        slopes = steady_slopes(compiled, y, start.p, start.y_slopes, start.p_slopes)
    except np.linalg.LinAlgError:
        (course,) = integrate(compiled, [start], np.array([max(end, 1.0)]), rtol)
        if isinstance(course, Failure):
            return course
        slopes = course[1][-1]
    return replace(start, y=y, y_slopes=slopes)


def _is_steady(compiled: CompiledModel, y: np.ndarray, p: np.ndarray) -> bool:
    rates = compiled.rates(y, p)
    return bool(np.all(np.abs(rates) <= SETTLED * (np.abs(y) + 1e-6 * np.abs(y).max() + 1e-12)))
