"""Folds and separatrices of the equilibria in an experiment's last period, with exact derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.linalg

from cascades.compiler.compiled import CompiledModel
from cascades.continuation import Branch, SpecialPoint, as_problem, continuation
from cascades.continuation.compiled import ModelProblem
from cascades.continuation.equilibria import all_roots
from cascades.errors import CascadesError
from cascades.expression import evaluate
from cascades.fitting.features import FoldPosition, Margin
from cascades.fitting.statements import Scalar
from cascades.fitting.tangents import Failure, Point

AGREES = 1e-6  # of a conserved total, relative


@dataclass(frozen=True, eq=False)
class Still:
    """A problem of equilibria at one point of a fit.

    x : independent states, shape (n,);  q : parameters and conserved totals, shape (m,); slopes of both
    along the fitted directions, shapes (n, d) and (m, d)
    """

    problem: ModelProblem
    x: np.ndarray
    x_slopes: np.ndarray
    q: np.ndarray
    q_slopes: np.ndarray


def still(compiled: CompiledModel, point: Point) -> Still | Failure:
    """The equilibrium problem at the parameters and conserved totals of `point`."""
    totals = compiled.equations.conserved
    problem = as_problem(compiled, [total.name for total in totals])
    if not isinstance(problem, ModelProblem):
        raise TypeError("a compiled model is needed")
    y = dict(zip(compiled.state_names, zip(point.y, point.y_slopes, strict=True), strict=True))
    p = dict(zip(compiled.parameter_names, zip(point.p, point.p_slopes, strict=True), strict=True))
    known: dict[str, tuple[float, np.ndarray]] = dict(p)
    numbers = {name: value for name, (value, _) in p.items()}
    for total in totals:
        weights = evaluate(total.weights.values(), numbers)
        parts = [(w, *y[name]) for w, name in zip(weights, total.weights, strict=True)]
        known[total.name] = (sum(w * v for w, v, _ in parts), sum(w * s for w, _, s in parts))
    q = np.array([known[name][0] for name in problem.parameter_names], float)
    q_slopes = np.array([known[name][1] for name in problem.parameter_names], float)
    if not _totals_agree(problem, q, np.array([y[name][0] for name in problem.full_names])):
        return Failure(0.0, "the experiment changes a conserved total that is not a parameter")
    x = np.array([y[name][0] for name in problem.state_names])
    x_slopes = np.array([y[name][1] for name in problem.state_names])
    return Still(problem, x, x_slopes, q, q_slopes)


def _totals_agree(problem: ModelProblem, q: np.ndarray, full: np.ndarray) -> bool:
    weights, totals = problem.total_weights(q)
    return bool(np.allclose(weights @ full, totals, rtol=AGREES, atol=AGREES * float(problem.scale.max())))


def fold_value(place: Still, quantity: FoldPosition) -> Scalar | Failure:
    """With w the left null vector of the Jacobian at the fold, w.f = 0 gives the derivative
    dtheta = -(w.f_q dq) / (w.f_theta): the state's own motion drops out."""
    problem = place.problem
    at = tuple(place.x.tolist()), tuple(place.q.tolist())
    try:
        branch = _branch(problem, quantity.parameter, quantity.low, quantity.high, *at)
    except CascadesError as error:
        return Failure(0.0, str(error))
    fold = _chosen(branch, quantity.ends)
    if fold is None and quantity.or_end and branch.of_kind("fold"):
        end = quantity.low if quantity.ends == "upper" else quantity.high
        return Scalar(end, np.zeros(place.q_slopes.shape[1]))
    if fold is None:
        return Failure(0.0, f"no fold of {quantity.parameter} in its range ends the {quantity.ends} state")
    w = _left_null(problem.jacobian(fold.x, fold.q), problem.scale)
    k = problem.index(quantity.parameter)
    push = _push(place, fold.x, fold.q, w, skip=k)
    return Scalar(fold.value, -push / float(w @ problem.parameter_derivative(fold.x, fold.q, k)))


@lru_cache(maxsize=64)  # several features may ask for the same branch
def _branch(
    problem: ModelProblem, parameter: str, low: float, high: float, x: tuple[float, ...], q: tuple[float, ...]
) -> Branch:
    values = dict(zip(problem.parameter_names, q, strict=True)) | {parameter: low}
    start = dict(zip(problem.state_names, x, strict=True))
    return continuation(problem, parameter, (low, high), start=start, values=values)


def _chosen(branch: Branch, ends: str) -> SpecialPoint | None:
    """The outermost fold that is a maximum (ends the lower state) or a minimum of the parameter."""
    sign = 1.0 if ends == "lower" else -1.0
    found = [
        point
        for point, after in zip(branch.special_points, branch.special_after, strict=True)
        if point.kind == "fold" and sign * (point.value - branch.values[after]) > 0.0
    ]
    return max(found, key=lambda point: sign * point.value, default=None)


def _left_null(jacobian: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """In natural units, from the singular vector of the scaled matrix."""
    left = np.linalg.svd(jacobian * (scale[None, :] / scale[:, None]))[0]
    return left[:, -1] / scale


def _push(place: Still, x: np.ndarray, q: np.ndarray, w: np.ndarray, skip: int = -1) -> np.ndarray:
    """w.f_q dq along the fitted directions, shape (d,)."""
    total = np.zeros(place.q_slopes.shape[1])
    for k in _moving(place, skip):
        total += float(w @ place.problem.parameter_derivative(x, q, k)) * place.q_slopes[k]
    return total


def _moving(place: Still, skip: int = -1) -> list[int]:
    return [int(k) for k in np.flatnonzero(place.q_slopes.any(axis=1)) if k != skip]


def margin(place: Still, quantity: Margin) -> Scalar | Failure:
    """w.(y - saddle) with w the left vector of the growing direction in scaled states, w.w = 1."""
    problem, q, scale = place.problem, place.q, place.problem.scale
    saddles = _saddles(problem, q)
    if not saddles:
        return Failure(0.0, "there is no saddle: the model is not bistable here")
    saddle = min(saddles, key=lambda x: float(np.linalg.norm((place.x - x) / scale)))
    growth, w, v = _growing(problem, saddle, q)
    reference = problem.state_names.index(quantity.towards) if quantity.towards in problem.state_names else -1
    grows = v[reference] if reference >= 0 else _observed_slope(problem, quantity.towards, saddle, q, v)
    sign = 1.0 if grows * float(w @ v) >= 0.0 else -1.0
    away = (place.x - saddle) / scale
    value = sign * float(w @ away)
    if not place.q_slopes.shape[1]:
        return Scalar(value, np.zeros(0))
    moved = _saddle_slopes(place, saddle)
    turned = _normal_slopes(place, saddle, growth, w, v, moved)
    slopes = w @ ((place.x_slopes - moved) / scale[:, None]) + away @ turned
    return Scalar(value, sign * slopes)


def _saddles(problem: ModelProblem, q: np.ndarray) -> list[np.ndarray]:
    """Equilibria with one growing direction; branches are followed only if none is found without."""
    for follow_branches in (False, True):
        try:
            roots = all_roots(problem, q, follow_branches=follow_branches)
        except CascadesError:
            continue
        found = [x for x in roots if _n_growing(problem, x, q) == 1]
        if found:
            return found
    return []


def _n_growing(problem: ModelProblem, x: np.ndarray, q: np.ndarray) -> int:
    return int(np.count_nonzero(np.linalg.eigvals(problem.jacobian(x, q)).real > 0.0))


def _growing(problem: ModelProblem, x: np.ndarray, q: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The positive eigenvalue with its left and right vectors of length 1, in scaled states."""
    scale = problem.scale
    scaled = problem.jacobian(x, q) * (scale[None, :] / scale[:, None])
    values, left, right = scipy.linalg.eig(scaled, left=True, right=True)
    k = int(np.argmax(values.real))
    w, v = left[:, k].real, right[:, k].real
    return float(values[k].real), w / np.linalg.norm(w), v / np.linalg.norm(v)


def _observed_slope(problem: ModelProblem, name: str, x: np.ndarray, q: np.ndarray, v: np.ndarray) -> float:
    step = 1e-6 * v * problem.scale
    return float(problem.observe(name, x + step, q) - problem.observe(name, x - step, q))


def _saddle_slopes(place: Still, x: np.ndarray) -> np.ndarray:
    """Implicit function theorem, shape (n, d)."""
    problem, q = place.problem, place.q
    pushed = np.zeros(place.x_slopes.shape)
    for k in _moving(place):
        pushed += np.outer(problem.parameter_derivative(x, q, k), place.q_slopes[k])
    solved: np.ndarray = np.linalg.solve(problem.jacobian(x, q), -pushed)
    return solved


def _normal_slopes(
    place: Still, x: np.ndarray, growth: float, w: np.ndarray, v: np.ndarray, moved: np.ndarray
) -> np.ndarray:
    """Derivative of the unit left eigenvector w: (J' - growth) dw = dgrowth w - dJ' w, w.dw = 0, with
    dgrowth = (w.dJ v) / (w.v), shape (n, d)."""
    problem, q, scale = place.problem, place.q, place.problem.scale
    n, ks = x.size, tuple(_moving(place))
    change = np.zeros((n, moved.shape[1]))  # dJ' w
    for j in range(n):
        unit = np.zeros(n)
        unit[j] = scale[j]
        by_x, by_q = problem.contraction(x, q, w / scale, unit, ks)
        change[j] = by_x @ moved + by_q @ place.q_slopes[list(ks)]
    shift = (v @ change) / float(w @ v)
    scaled = problem.jacobian(x, q) * (scale[None, :] / scale[:, None])
    bordered = np.zeros((n + 1, n + 1))
    bordered[:n, :n] = scaled.T - growth * np.eye(n)
    bordered[:n, n] = v
    bordered[n, :n] = w
    right = np.vstack([np.outer(w, shift) - change, np.zeros((1, moved.shape[1]))])
    solved: np.ndarray = np.linalg.solve(bordered, right)[:n]
    return solved
