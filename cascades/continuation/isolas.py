"""Branches too short to be met at a cut, found through the folds of their neighbours.

An isola is born and merges with another branch where a curve of folds in a second parameter turns
back.  Followed through that turn, the curve comes back to the second parameter's own value at a fold
of the isola, however narrow the isola is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cascades.continuation.arclength import correct, first_tangent
from cascades.continuation.branch import Branch, SpecialPoint, positivity
from cascades.continuation.events import EquilibriumCurve
from cascades.continuation.fold import fold_system
from cascades.continuation.newton import newton
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, scaled
from cascades.continuation.search import sizes
from cascades.continuation.settings import ContinuationSettings
from cascades.continuation.two_parameter import fold_curves

SECOND_PARAMETERS = 2
REACH = 30.0  # by this factor, both ways, is the second parameter followed
SAME = 1e-6  # relative distance below which two folds are one
ASIDE = (1e-2, 1e-3, 1e-4)  # arclengths by which a fold is left, the longest that works is taken
SETTINGS = ContinuationSettings(most_points=400)


def folds_elsewhere(
    problem: Problem, parameter: str, axis: Axis, found: Sequence[Branch]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Equilibria x and their parameters q next to folds that lie on none of the branches but on fold
    curves through the folds of these."""
    known = [fold for branch in found for fold in branch.of_kind("fold")]
    for second in _leading(problem, axis, known):
        own = known[0].q[problem.index(second)]
        bounds = ((axis.low, axis.high), (own / REACH, own * REACH))
        for curve in fold_curves(problem, known, (parameter, second), bounds, settings=SETTINGS):
            for x, q in _returns(curve, axis, second, own):
                if any(_is_same(problem, fold, x, q, axis) for fold in known):
                    continue
                start = _beside(problem, axis, x, q)
                if start is not None:
                    yield start


def _leading(problem: Problem, axis: Axis, folds: Sequence[SpecialPoint]) -> list[str]:
    """The parameters that move folds most, relative to their values."""
    leverage = np.zeros(len(problem.parameter_names))
    for fold in folds:
        size = sizes(problem, fold.x)
        jacobian = problem.jacobian(fold.x, fold.q) * (size[None, :] / size[:, None])
        w = np.linalg.svd(jacobian)[0][:, -1]
        for k, value in enumerate(fold.q):
            if k != axis.k and value > 0.0:
                slope = w @ (problem.parameter_derivative(fold.x, fold.q, k) / size)
                leverage[k] += abs(float(slope)) * value
    ranked = [int(k) for k in np.argsort(-leverage, kind="stable") if leverage[k] > 0.0]
    return [problem.parameter_names[k] for k in ranked[:SECOND_PARAMETERS]]


def _returns(curve: Branch, axis: Axis, second: str, own: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The folds on a curve at the second parameter's own value, refined."""
    problem = curve.problem
    gap = np.log(curve[second] / own)
    for i in np.flatnonzero(gap[:-1] * gap[1:] < 0.0):
        weight = gap[i] / (gap[i] - gap[i + 1])
        x = curve.states[i] + weight * (curve.states[i + 1] - curve.states[i])
        q = curve.parameter_values[i] + weight * (curve.parameter_values[i + 1] - curve.parameter_values[i])
        q[problem.index(second)] = own
        coordinates = scaled(problem, q, [axis], x)
        guess = coordinates.pack(x, q)
        root = newton(fold_system(coordinates, guess).residual_and_jacobian, guess, longest=0.5)
        if root.converged:
            x, q = coordinates.unpack(root.u)
            if axis.low <= q[axis.k] <= axis.high and positivity(problem, x, q):
                yield x, q


def _is_same(problem: Problem, fold: SpecialPoint, x: np.ndarray, q: np.ndarray, axis: Axis) -> bool:
    apart = np.max(np.abs(fold.x - x) / np.maximum(sizes(problem, x), np.abs(fold.x)))
    return bool(apart < SAME and abs(fold.value - q[axis.k]) < SAME * abs(fold.value))


def _beside(
    problem: Problem, axis: Axis, x: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """A point of the branch near a fold, so that following it meets the fold."""
    curve = EquilibriumCurve(scaled(problem, q, [axis], x))
    u = curve.scaled.pack(x, q)
    tangent = first_tangent(curve.linearise(u), u.size)
    for length in ASIDE:
        found = correct(curve, u + length * tangent, tangent, 1e-10)
        if found is not None and np.linalg.norm(found[0] - u - length * tangent) < length:
            return curve.scaled.unpack(found[0])
    return None
