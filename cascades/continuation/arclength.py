"""Pseudo-arclength: follow a curve F(u) = 0 with one unknown more than equations.

Keller (1977) Applications of Bifurcation Theory, 359-384; step control and the Moore-Penrose
corrector after Dhooge, Govaerts & Kuznetsov (2003) ACM TOMS 29:141-164.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs

from cascades.continuation.settings import ContinuationSettings

OUT_OF_POINTS = "points were computed"
MOST_ITERATIONS = 8
EASY, HARD = 3, 5  # Newton iterations up to which the step grows, and from which it shrinks
GROW, SHRINK = 1.5, 0.6
TRUE_CROSSING = 1e-2  # of the first step: a determinant that turns over so short a step has done so
ASIDE = 0.35  # of a step, the most between prediction and correction


class Linear(abc.ABC):
    """The equations of a curve linearised at a point."""

    @abc.abstractmethod
    def newton(self, row: np.ndarray, gap: float) -> tuple[np.ndarray, float]:
        """The step d with dF d = F and row . d = gap, and the sign of the bordered determinant (0 if
        the matrix is singular)."""

    @abc.abstractmethod
    def tangent(self, guide: np.ndarray) -> tuple[np.ndarray, float]:
        """t with dF t = 0 and guide . t = 1, and the sign of the bordered determinant."""


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """F, shape (N,), and dF/du, shape (N, N + 1)."""

    residual: np.ndarray
    jacobian: np.ndarray

    def newton(self, row: np.ndarray, gap: float) -> tuple[np.ndarray, float]:
        return _bordered_solve(self.jacobian, row, np.append(self.residual, gap))

    def tangent(self, guide: np.ndarray) -> tuple[np.ndarray, float]:
        right = np.zeros(guide.size)
        right[-1] = 1.0
        return _bordered_solve(self.jacobian, guide, right)


class Curve(abc.ABC):
    """F(u) = 0 with u of size N + 1 in scaled units, so that the plain norm makes sense."""

    is_oriented = True
    """Whether the sign of the determinant means the same at all points: not if equations are renewed."""

    @abc.abstractmethod
    def linearise(self, u: np.ndarray) -> Linear:
        """F and its derivative at u."""

    @abc.abstractmethod
    def in_range(self, u: np.ndarray) -> str:
        """Empty, or why the curve ends here."""


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """A point of a curve, its unit tangent, the equations linearised there, and the sign of the
    determinant bordered by the tangent, which changes where two branches cross."""

    u: np.ndarray
    tangent: np.ndarray
    linear: Linear
    orientation: float


def _bordered_solve(jacobian: np.ndarray, row: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
    """The solution d of [jacobian; row] d = right, and the sign of that matrix' determinant."""
    size = row.size
    matrix = np.empty((size, size), order="F")
    matrix[:-1] = jacobian
    matrix[-1] = row
    lu, pivots, info = dgetrf(matrix, overwrite_a=1)
    if info != 0:
        return np.full(size, np.nan), 0.0
    odd = np.count_nonzero(pivots != np.arange(size)) + np.count_nonzero(lu.diagonal() < 0.0)
    return dgetrs(lu, pivots, right)[0], -1.0 if odd % 2 else 1.0


def first_tangent(linear: Linear, size: int) -> np.ndarray:
    """A unit tangent of either sign, found without a guide if the Jacobian is dense, else along the
    last unknown."""
    if isinstance(linear, Dense):
        return any_tangent(linear.jacobian)
    guide = np.zeros(size)
    guide[-1] = 1.0
    tangent, _ = linear.tangent(guide)
    return tangent / np.linalg.norm(tangent)


def any_tangent(jacobian: np.ndarray) -> np.ndarray:
    """A unit vector of the null space, of either sign, found without a guide."""
    return np.linalg.svd(jacobian)[2][-1]


def correct(
    curve: Curve, guess: np.ndarray, row: np.ndarray, tolerance: float, level: float | None = None
) -> tuple[np.ndarray, int] | None:
    """Newton for F(u) = 0 within the hyperplane through `guess` (or at row . u = level).

    Returns
    -------
    u, iterations
        or None if Newton does not converge.
    """
    u = guess.copy()
    level = float(row @ guess) if level is None else level
    previous = np.inf
    for iteration in range(1, MOST_ITERATIONS + 1):
        step, sign = curve.linearise(u).newton(row, float(row @ u) - level)
        length = float(np.linalg.norm(step))
        if sign == 0.0 or not np.isfinite(length) or (iteration > 2 and length > 2.0 * previous):
            return None
        u = u - step
        # Convergence is quadratic: a step below the root of the tolerance leaves an error below it.
        if length < tolerance or (length < 1e-2 * np.sqrt(tolerance) and length < 0.1 * previous):
            return u, iteration
        previous = length
    return None


def point_at(curve: Curve, u: np.ndarray, guide: np.ndarray) -> CurvePoint:
    """A converged `u` with the unit tangent that points along `guide`."""
    linear = curve.linearise(u)
    tangent, sign = linear.tangent(guide)
    length = float(np.linalg.norm(tangent))
    return CurvePoint(u, tangent / length if length > 0.0 else tangent, linear, sign)


@dataclass(frozen=True, eq=False)
class Step:
    """Two consecutive points; `reason` is set when the curve ends at the second."""

    before: CurvePoint
    after: CurvePoint
    reason: str = ""
    closed: bool = False


def follow(curve: Curve, start: CurvePoint, settings: ContinuationSettings) -> Iterator[Step]:
    """Step along the curve in the direction of the start's tangent until it ends or closes.

    The last step carries the reason.  A curve that closes ends at the point before the start.
    """
    here = start
    h = settings.first_step
    travelled = 0.0
    for _ in range(settings.most_points):
        found = _advance(curve, here, h, settings)
        if found is None:
            if here is start and h <= settings.smallest_step * 2.0:
                return
            yield Step(here, here, f"Newton fails even at a step of {settings.smallest_step:g}")
            return
        there, h_used, h = found
        travelled += float(np.linalg.norm(there.u - here.u))
        if _closes(start, here, there, travelled, h_used):
            yield Step(here, there, "the branch is closed", closed=True)
            return
        reason = curve.in_range(there.u)
        yield Step(here, there, reason)
        if reason:
            return
        here = there
    yield Step(here, here, f"{settings.most_points} {OUT_OF_POINTS}")


def _advance(
    curve: Curve, here: CurvePoint, h: float, settings: ContinuationSettings
) -> tuple[CurvePoint, float, float] | None:
    """The next point, the step it took and the step to try next."""
    while h >= settings.smallest_step:
        with np.errstate(all="ignore"):
            found = correct(curve, here.u + h * here.tangent, here.tangent, settings.tolerance)
        if found is not None:
            u, iterations = found
            there = point_at(curve, u, here.tangent)
            turn = float(there.tangent @ here.tangent)
            aside = float(np.linalg.norm(u - here.u - h * here.tangent))
            # a sign that turns tells of a branch point, or of a jump onto a neighbouring branch
            same = there.orientation == here.orientation or h < TRUE_CROSSING * settings.first_step
            same = same or not curve.is_oriented
            fits = np.isfinite(turn) and turn > settings.sharpest_turn and aside < ASIDE * h
            if fits and same and there.orientation != 0.0:
                used = h
                if iterations <= EASY and turn > 1.0 - 0.5 * (1.0 - settings.sharpest_turn):
                    h = min(h * GROW, settings.largest_step)
                elif iterations >= HARD:
                    h *= SHRINK
                return there, used, h
        h *= 0.5
    return None


def _closes(start: CurvePoint, here: CurvePoint, there: CurvePoint, travelled: float, h: float) -> bool:
    """Whether the curve crossed the hyperplane of its start, near it and in the same direction."""
    if travelled < 4.0 * h:
        return False
    crossed = start.tangent @ (here.u - start.u) < 0.0 <= start.tangent @ (there.u - start.u)
    if not crossed:
        return False
    along = start.tangent @ (there.u - here.u)
    where = here.u + (there.u - here.u) * (start.tangent @ (start.u - here.u)) / along
    near = np.linalg.norm(where - start.u) < 0.5 * h + 1e-6
    return bool(near and there.tangent @ start.tangent > 0.5)
