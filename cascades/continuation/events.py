"""Special points between two consecutive points of a branch of equilibria.

A sign tells that there is one; Newton on the system that defines its kind finds it; a point that
Newton does not confirm on this piece of the branch is dropped and reported, never printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cascades.continuation.arclength import Curve, CurvePoint, Dense, Linear, correct, point_at
from cascades.continuation.branch import SpecialPoint
from cascades.continuation.branch_point import crossing_tangents, refine_branch_point
from cascades.continuation.fold import fold_coefficient, fold_system
from cascades.continuation.hopf import hopf_system, lyapunov_coefficient
from cascades.continuation.newton import newton
from cascades.continuation.scaled import Scaled, outside
from cascades.continuation.sparse import Sparse, is_large, linearise, nearest_eigenvalues, sparse_jacobian

CLOSE = 1.0  # a refined point lies within this many chord lengths of the piece's middle
BISECTIONS = 60
TIGHT = 1e-7
VERTICAL = 1e-7


@dataclass(frozen=True)
class EquilibriumCurve(Curve):
    """f(z, theta) = 0."""

    scaled: Scaled

    def linearise(self, u: np.ndarray) -> Linear:
        if is_large(self.scaled.problem):
            return linearise(self.scaled, u)
        return Dense(self.scaled.rates(u), self.scaled.jacobian(u))

    def in_range(self, u: np.ndarray) -> str:
        return outside(self.scaled, u)


@dataclass(frozen=True)
class Marked:
    """A point of the curve with its eigenvalues."""

    point: CurvePoint
    eigenvalues: np.ndarray

    @property
    def n_unstable(self) -> int:
        return int(np.count_nonzero(self.eigenvalues.real > 0.0))


def eigenvalues(scaled: Scaled, linear: Linear) -> np.ndarray:
    """Of the states' part of a Jacobian; of a sparse one, those nearest to zero."""
    if isinstance(linear, Sparse):
        return nearest_eigenvalues(linear.states)
    if not isinstance(linear, Dense):
        return np.full(scaled.n, np.nan + 0j)
    return np.linalg.eigvals(linear.jacobian[:, : scaled.n])


def find_events(
    curve: EquilibriumCurve, before: Marked, after: Marked
) -> tuple[list[SpecialPoint], list[str]]:
    """Refined special points between two points, in order, and sentences about dropped ones.

    Folds and branch points change the sign of a determinant.  They cut the piece into parts on which
    the number of unstable eigenvalues can only change by pairs: by Hopf points.
    """
    scaled, n = curve.scaled, curve.scaled.n
    a, b = before.point, after.point
    found: list[tuple[float, SpecialPoint]] = []
    dropped: list[str] = []
    cuts: list[CurvePoint] = []
    if a.orientation * b.orientation < 0.0:
        _keep(found, dropped, cuts, _branch_point(curve, a, b), "branch point", scaled, a, b)
    if a.tangent[n] * b.tangent[n] < 0.0:
        _keep(found, dropped, cuts, _fold(curve, a, b), "fold", scaled, a, b)
    cuts.sort(key=lambda cut: float((b.u - a.u) @ (cut.u - a.u)))
    ends = [a, *cuts, b]
    counts = [before.n_unstable, *(_other_unstable(scaled, cut) for cut in cuts), after.n_unstable]
    for k in range(len(ends) - 1):
        left, right = counts[k], counts[k + 1]
        if k > 0 and (left + right) % 2 and k + 1 == len(ends) - 1:
            left += 1
        if k + 1 < len(ends) - 1 and (left + right) % 2:
            right += 1
        seen = not is_large(scaled.problem) or _has_pair(before, after)
        if abs(left - right) >= 2 and seen:
            _keep(found, dropped, [], _hopf(curve, ends[k], ends[k + 1], left, right), "hopf", scaled, a, b)
    found.sort(key=lambda item: item[0])
    return [point for _, point in found], dropped


def _has_pair(before: Marked, after: Marked) -> bool:
    """Whether any known eigenvalue is complex: of a large model only those nearest to zero are known,
    and real ones that enter or leave this window are no Hopf point."""
    return bool((before.eigenvalues.imag != 0.0).any() or (after.eigenvalues.imag != 0.0).any())


def _other_unstable(scaled: Scaled, cut: CurvePoint) -> int:
    """Unstable eigenvalues at a fold or branch point, the vanishing one left out."""
    values = eigenvalues(scaled, cut.linear)
    return int(np.count_nonzero(np.delete(values, np.argmin(np.abs(values))).real > 0.0))


def _keep(
    found: list[tuple[float, SpecialPoint]],
    dropped: list[str],
    cuts: list[CurvePoint],
    refined: tuple[np.ndarray, SpecialPoint] | None,
    kind: str,
    scaled: Scaled,
    a: CurvePoint,
    b: CurvePoint,
) -> None:
    if refined is None:
        value = scaled.unpack(b.u)[1][scaled.axes[0].k]
        name = scaled.problem.parameter_names[scaled.axes[0].k]
        dropped.append(f"a {kind} near {name} = {value:.6g} could not be refined")
        return
    u, point = refined
    cuts.append(CurvePoint(u, a.tangent, EquilibriumCurve(scaled).linearise(u), a.orientation))
    found.append((float((b.u - a.u) @ (u - a.u)), point))


def special_point(
    scaled: Scaled,
    kind: str,
    u: np.ndarray,
    coefficients: dict[str, float],
    tangents: tuple[np.ndarray, ...] = (),
) -> SpecialPoint:
    """The record of a point at u = (z, thetas)."""
    problem = scaled.problem
    x, q = scaled.unpack(u)
    full = problem.expand(x, q)
    free = {problem.parameter_names[axis.k]: float(q[axis.k]) for axis in scaled.axes}
    if is_large(problem):
        values = nearest_eigenvalues(sparse_jacobian(problem, x, q))
    else:
        values = np.linalg.eigvals(scaled.state_jacobian(u))
    return SpecialPoint(
        kind=kind,
        value=next(iter(free.values())),
        values=free,
        state=dict(zip(problem.full_names, full.tolist(), strict=True)),
        eigenvalues=values[np.argsort(-values.real, kind="stable")],
        coefficients=coefficients,
        problem=problem,
        x=x,
        q=q,
        tangents=tangents,
    )


def is_between(u: np.ndarray, a: CurvePoint, b: CurvePoint) -> bool:
    """Whether u lies on the piece of curve between a and b rather than somewhere else."""
    chord = b.u - a.u
    length = np.linalg.norm(chord)
    along = chord @ (u - a.u) / length**2
    far = np.linalg.norm(u - 0.5 * (a.u + b.u))
    return bool(-TIGHT <= along <= 1.0 + TIGHT and far <= CLOSE * length) or bool(
        min(np.linalg.norm(u - a.u), np.linalg.norm(u - b.u)) < TIGHT
    )


def _fold(curve: EquilibriumCurve, a: CurvePoint, b: CurvePoint) -> tuple[np.ndarray, SpecialPoint] | None:
    scaled, n = curve.scaled, curve.scaled.n

    if is_large(scaled.problem):
        return _large_fold(curve, a, b)

    def attempt(guess: CurvePoint) -> tuple[np.ndarray, SpecialPoint] | None:
        system = fold_system(scaled, guess.u)
        root = newton(system.residual_and_jacobian, guess.u, longest=0.5)
        if not root.converged or not is_between(root.u, a, b):
            return None
        return root.u, special_point(scaled, "fold", root.u, {"a": fold_coefficient(scaled, root.u)})

    return _refine(curve, a, b, lambda point: float(point.tangent[n]), attempt)


def _large_fold(
    curve: EquilibriumCurve, a: CurvePoint, b: CurvePoint
) -> tuple[np.ndarray, SpecialPoint] | None:
    """The point with a vertical tangent by the secant method: its parameter is then exact to the
    square of what is left of the tangent."""
    n = curve.scaled.n
    low, high, f_low, f_high = a, b, float(a.tangent[n]), float(b.tangent[n])
    for k in range(BISECTIONS):
        weight = 0.5 if k % 4 == 3 else f_low / (f_low - f_high)
        corrected = correct(curve, low.u + weight * (high.u - low.u), a.tangent, 1e-12)
        if corrected is None:
            return None
        middle = point_at(curve, corrected[0], a.tangent)
        f = float(middle.tangent[n])
        if abs(f) < VERTICAL:
            return middle.u, special_point(curve.scaled, "fold", middle.u, {})
        if f * f_low > 0.0:
            low, f_low = middle, f
        else:
            high, f_high = middle, f
    return None


def _branch_point(
    curve: EquilibriumCurve, a: CurvePoint, b: CurvePoint
) -> tuple[np.ndarray, SpecialPoint] | None:
    def attempt(guess: CurvePoint) -> tuple[np.ndarray, SpecialPoint] | None:
        root = refine_branch_point(curve.scaled, guess.u)
        if not root.converged or not is_between(root.u, a, b):
            return None
        tangents = crossing_tangents(curve.scaled, root.u)
        return root.u, special_point(curve.scaled, "branch point", root.u, {}, tangents)

    return _refine(curve, a, b, lambda point: point.orientation, attempt)


def _hopf(
    curve: EquilibriumCurve, a: CurvePoint, b: CurvePoint, left: int, right: int
) -> tuple[np.ndarray, SpecialPoint] | None:
    scaled = curve.scaled
    halfway = 0.5 * (left + right)

    def count(point: CurvePoint) -> float:
        return float(np.count_nonzero(eigenvalues(scaled, point.linear).real > 0.0)) - halfway

    def attempt(guess: CurvePoint) -> tuple[np.ndarray, SpecialPoint] | None:
        values = eigenvalues(scaled, guess.linear)
        pairs = values[values.imag > 0.0]
        if pairs.size == 0:
            return None
        omega = pairs[np.argmin(np.abs(pairs.real))].imag
        system, start = hopf_system(scaled, guess.u, omega**2)
        root = newton(system.residual_and_jacobian, start, longest=0.5)
        if not root.converged or root.u[-1] <= 0.0 or not is_between(root.u[:-1], a, b):
            return None
        u, omega = root.u[:-1], float(np.sqrt(system.kappa(root.u)))
        l1 = lyapunov_coefficient(*scaled.natural(u), omega)
        return u, special_point(scaled, "hopf", u, {"omega": omega, "period": 2.0 * np.pi / omega, "l1": l1})

    return _refine(curve, a, b, count, attempt)


def _refine(
    curve: Curve,
    a: CurvePoint,
    b: CurvePoint,
    test: Callable[[CurvePoint], float],
    attempt: Callable[[CurvePoint], tuple[np.ndarray, SpecialPoint] | None],
) -> tuple[np.ndarray, SpecialPoint] | None:
    """Newton from the interpolated zero of `test`; if that fails, from points ever nearer to it."""
    low, high = a, b
    f_low, f_high = test(a), test(b)
    if f_low * f_high >= 0.0:
        f_low, f_high = -1.0, 1.0
    for k in range(BISECTIONS):
        weight = f_low / (f_low - f_high) if k % 2 == 0 else 0.5
        guess = low.u + min(max(weight, 0.02), 0.98) * (high.u - low.u)
        chord = b.u - a.u
        corrected = correct(curve, guess, chord / np.linalg.norm(chord), 1e-10)
        if corrected is None:
            return None
        middle = point_at(curve, corrected[0], a.tangent)
        if k in (0, 1, 4, 12, 30, BISECTIONS - 1):
            result = attempt(middle)
            if result is not None:
                return result
        f_middle = test(middle)
        if f_middle * f_low > 0.0:
            low, f_low = middle, f_middle
        else:
            high, f_high = middle, f_middle
        if np.linalg.norm(high.u - low.u) < 1e-12:
            break
    return attempt(low)
