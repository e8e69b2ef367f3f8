"""Curves of folds and Hopf points in two parameters, and the codimension-two points on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.arclength import (
    Curve,
    CurvePoint,
    Dense,
    any_tangent,
    correct,
    follow,
    point_at,
)
from cascades.continuation.branch import Branch, SpecialPoint
from cascades.continuation.branch_point import crossing_tangents, refine_extremum
from cascades.continuation.compiled import as_problem
from cascades.continuation.events import is_between, special_point
from cascades.continuation.fold import FoldSystem, fold_system
from cascades.continuation.hopf import HopfSystem, hopf_system, lyapunov_coefficient
from cascades.continuation.newton import newton
from cascades.continuation.normal_forms import (
    bogdanov_takens_coefficients,
    cusp_coefficient,
    second_lyapunov_coefficient,
    zero_hopf_coefficients,
)
from cascades.continuation.one_parameter import INTERRUPTED, reversed_point, state_and_values
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Scaled, make_axis, scaled
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import ContinuationError

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

DIFFERENCE = 1e-6  # for the gradient of a test function: Newton's rate, not its result, depends on it
NEARBY = 0.02  # relative distance at which a curve is taken to pass a fold

Test = Callable[[np.ndarray], float]
Bounds = Sequence[Sequence[float]]


def fold_curve(
    compiled: CompiledModel | Problem,
    fold: SpecialPoint,
    parameters: Sequence[str],
    bounds: Bounds,
    *,
    settings: ContinuationSettings | None = None,
) -> Branch:
    """The curve of folds through `fold` in the plane of two parameters.

    Its special points are cusps, Bogdanov-Takens points and zero-Hopf points, each refined, with the
    coefficients of its normal form; and, where the curve turns back in the second parameter, the isola
    centres and branch points of the branches in the first one: there an isola is born, or merges.

    Parameters
    ----------
    fold : a special point of a branch
    parameters : two parameters or conserved totals
    bounds : ((low, high), (low, high))

    Raises
    ------
    UnknownName, ContinuationError
    """
    settings = settings or ContinuationSettings()
    coordinates, u = _coordinates(compiled, fold, parameters, bounds, settings)
    system = fold_system(coordinates, u)
    return _two_ways(_FoldTests(system), u, parameters, settings)


def fold_curves(
    compiled: CompiledModel | Problem,
    folds: Iterable[SpecialPoint],
    parameters: Sequence[str],
    bounds: Bounds,
    *,
    settings: ContinuationSettings | None = None,
) -> list[Branch]:
    """The curves through several folds, each once: a fold on a curve that is there starts none."""
    return _each_once(fold_curve, compiled, folds, parameters, bounds, settings)


def hopf_curves(
    compiled: CompiledModel | Problem,
    points: Iterable[SpecialPoint],
    parameters: Sequence[str],
    bounds: Bounds,
    *,
    settings: ContinuationSettings | None = None,
) -> list[Branch]:
    """The curves through several Hopf points, each once."""
    return _each_once(hopf_curve, compiled, points, parameters, bounds, settings)


def _each_once(
    follow_one: Callable[..., Branch],
    compiled: CompiledModel | Problem,
    points: Iterable[SpecialPoint],
    parameters: Sequence[str],
    bounds: Bounds,
    settings: ContinuationSettings | None,
) -> list[Branch]:
    curves: list[Branch] = []
    for point in points:
        if not any(_is_on(curve, point) for curve in curves):
            curves.append(follow_one(compiled, point, parameters, bounds, settings=settings))
    return curves


def _is_on(curve: Branch, point: SpecialPoint) -> bool:
    """Whether a curve comes by a point where it passes the point's value of the second parameter."""
    first, second = curve.parameters
    _, q = state_and_values(curve.problem, point)
    own = q[curve.problem.index(second)]
    x, y = curve[first], curve[second]
    for i in range(len(curve) - 1):
        if (y[i] - own) * (y[i + 1] - own) <= 0.0 and y[i] != y[i + 1]:
            at = x[i] + (own - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i])
            if abs(at - point.value) < NEARBY * abs(point.value):
                return True
    return False


def hopf_curve(
    compiled: CompiledModel | Problem,
    hopf: SpecialPoint,
    parameters: Sequence[str],
    bounds: Bounds,
    *,
    settings: ContinuationSettings | None = None,
) -> Branch:
    """The curve of Hopf points through `hopf` in the plane of two parameters.

    Its special points are Bogdanov-Takens, generalised Hopf (Bautin), zero-Hopf and Hopf-Hopf points.
    The curve ends at a Bogdanov-Takens point; what would follow are neutral saddles.

    Raises
    ------
    UnknownName, ContinuationError
    """
    settings = settings or ContinuationSettings()
    coordinates, u = _coordinates(compiled, hopf, parameters, bounds, settings)
    values = np.linalg.eigvals(coordinates.state_jacobian(u))
    pairs = values[values.imag > 0.0]
    omega = hopf.coefficients.get("omega", 0.0)
    if omega <= 0.0 and pairs.size:
        omega = float(pairs[np.argmin(np.abs(pairs.real))].imag)
    if omega <= 0.0:
        raise ContinuationError(
            "the start of a Hopf curve must be a Hopf point: no eigenvalue is complex there"
        )
    system, start = hopf_system(coordinates, u, omega**2)
    return _two_ways(_HopfTests(system), start, parameters, settings)


def _coordinates(
    compiled: CompiledModel | Problem,
    point: SpecialPoint,
    parameters: Sequence[str],
    bounds: Bounds,
    settings: ContinuationSettings,
) -> tuple[Scaled, np.ndarray]:
    if len(parameters) != 2 or len(bounds) != 2 or parameters[0] == parameters[1]:
        raise ContinuationError(
            f"two different parameters and two ranges are needed (got {list(parameters)}, {list(bounds)})"
        )
    problem = as_problem(compiled, parameters)
    x, q = state_and_values(problem, point)
    axes = [
        make_axis(problem, name, span, settings.parameter_scale)
        for name, span in zip(parameters, bounds, strict=True)
    ]
    for name, axis in zip(parameters, axes, strict=True):
        if not axis.low <= q[axis.k] <= axis.high:
            raise ContinuationError(
                f"{name} = {q[axis.k]:.6g} at the start lies outside of its range {axis.low:g}, {axis.high:g}"
            )
        if not np.any(problem.parameter_derivative(x * 1.01 + 1e-3 * problem.scale, q, axis.k)):
            raise ContinuationError(f"no rate depends on {name}: there is nothing to follow")
    coordinates = scaled(problem, q, axes, x)
    return coordinates, coordinates.pack(x, q)


# --- what is looked for on the curves -----------------------------------------------------------


@dataclass(frozen=True)
class _FoldTests:
    """Test functions along a fold curve whose borders fit the place."""

    system: FoldSystem

    @property
    def scaled(self) -> Scaled:
        return self.system.scaled

    def refreshed(self, u: np.ndarray) -> _FoldTests:
        return _FoldTests(self.system.refreshed(u))

    def tests(self) -> dict[str, Test]:
        def quadratic(u: np.ndarray) -> float:
            v, w, _ = self.system.vectors(u)
            v, w = v / np.linalg.norm(v), w / np.linalg.norm(w)
            return float(w @ self.scaled.second(u, v, v))

        def alignment(u: np.ndarray) -> float:
            v, w, _ = self.system.vectors(u)
            return float(v @ w / (np.linalg.norm(v) * np.linalg.norm(w)))

        def pair(u: np.ndarray) -> float:
            return _smallest_real_part(np.linalg.eigvals(self.scaled.state_jacobian(u)))

        return {"cusp": quadratic, "bogdanov-takens": alignment, "zero-hopf": pair}

    def equilibrium(self, u: np.ndarray) -> np.ndarray:
        return u

    def record(self, kind: str, u: np.ndarray) -> SpecialPoint | None:
        scaled = self.scaled
        values = np.linalg.eigvals(scaled.state_jacobian(u))
        coefficients: dict[str, float] = {}
        if kind == "cusp":
            coefficients = {"c": cusp_coefficient(*scaled.natural(u))}
        elif kind == "bogdanov-takens":
            coefficients = bogdanov_takens_coefficients(*scaled.natural(u))
        elif kind == "zero-hopf":
            pairs = values[values.imag > 0.0]
            if pairs.size == 0:
                return None
            omega = float(pairs[np.argmin(np.abs(pairs.real))].imag)
            coefficients = zero_hopf_coefficients(*scaled.natural(u), omega)
        return special_point(scaled, kind, u, coefficients)


@dataclass(frozen=True)
class _HopfTests:
    """Test functions along a Hopf curve; u = (z, thetas, kappa)."""

    system: HopfSystem

    @property
    def scaled(self) -> Scaled:
        return self.system.scaled

    def refreshed(self, u: np.ndarray) -> _HopfTests:
        return _HopfTests(self.system.refreshed(u))

    def omega(self, u: np.ndarray) -> float:
        return float(np.sqrt(max(self.system.kappa(u), 0.0)))

    def tests(self) -> dict[str, Test]:
        def lyapunov(u: np.ndarray) -> float:
            omega = self.omega(u)
            return lyapunov_coefficient(self.scaled, u[:-1], omega) if u[-1] > 1e-6 else np.nan

        def determinant(u: np.ndarray) -> float:
            values = np.linalg.eigvals(self.scaled.state_jacobian(u[:-1]))
            others = _without_pair(values, self.omega(u))
            real = others[others.imag == 0.0].real
            return float(real[np.argmin(np.abs(real))]) if real.size else np.nan

        def other_pair(u: np.ndarray) -> float:
            values = np.linalg.eigvals(self.scaled.state_jacobian(u[:-1]))
            return _smallest_real_part(_without_pair(values, self.omega(u)))

        return {
            "bogdanov-takens": lambda u: float(u[-1]),
            "generalised hopf": lyapunov,
            "zero-hopf": determinant,
            "hopf-hopf": other_pair,
        }

    def equilibrium(self, u: np.ndarray) -> np.ndarray:
        return u[:-1]

    def record(self, kind: str, u: np.ndarray) -> SpecialPoint | None:
        scaled, at, omega = self.scaled, u[:-1], self.omega(u)
        coefficients: dict[str, float] = {}
        if kind == "bogdanov-takens":
            coefficients = bogdanov_takens_coefficients(*scaled.natural(at))
        elif kind == "generalised hopf":
            coefficients = {"l2": second_lyapunov_coefficient(*scaled.natural(at), omega), "omega": omega}
        elif kind == "zero-hopf":
            coefficients = zero_hopf_coefficients(*scaled.natural(at), omega)
        elif kind == "hopf-hopf":
            coefficients = {"omega": omega}
        return special_point(scaled, kind, at, coefficients)


def _smallest_real_part(values: np.ndarray) -> float:
    pairs = values[values.imag > 1e-12 * np.abs(values)]
    return float(pairs[np.argmin(np.abs(pairs.real))].real) if pairs.size else np.nan


def _without_pair(values: np.ndarray, omega: float) -> np.ndarray:
    first = int(np.argmin(np.abs(values - 1j * omega)))
    rest = np.delete(values, first)
    second = int(np.argmin(np.abs(rest + 1j * omega)))
    return np.delete(rest, second)


# --- following ----------------------------------------------------------------------------------


class _Renewed(Curve):
    """The curve with borders that follow the point: they are renewed after every accepted step."""

    is_oriented = False

    def __init__(self, tests: _FoldTests | _HopfTests):
        self.tests = tests

    def linearise(self, u: np.ndarray) -> Dense:
        return self.tests.system.linearise(u)

    def in_range(self, u: np.ndarray) -> str:
        return self.tests.system.in_range(u)


@dataclass
class _Half:
    points: list[np.ndarray]
    special: list[SpecialPoint]
    dropped: list[str]
    closed: bool = False
    reason: str = ""


def _two_ways(
    tests: _FoldTests | _HopfTests,
    start: np.ndarray,
    parameters: Sequence[str],
    settings: ContinuationSettings,
) -> Branch:
    root = _onto_curve(tests, start)
    tests = tests.refreshed(root)
    curve = _Renewed(tests)
    first = point_at(curve, root, any_tangent(curve.linearise(root).jacobian))
    forward = _half(tests, first, settings)
    backward = _Half([root], [], [])
    if not forward.closed and forward.reason != INTERRUPTED:
        backward = _half(tests, reversed_point(first), settings)
    points = backward.points[:0:-1] + forward.points
    scaled = tests.scaled
    states, q = zip(*(scaled.unpack(tests.equilibrium(u)) for u in points), strict=True)
    values = np.array([np.linalg.eigvals(scaled.state_jacobian(tests.equilibrium(u))) for u in points])
    return Branch(
        problem=scaled.problem,
        parameters=tuple(parameters),
        states=np.array(states),
        parameter_values=np.array(q),
        eigenvalues=values,
        special_points=tuple(backward.special[::-1] + forward.special),
        closed=forward.closed,
        stopped_because="; ".join(dict.fromkeys(h.reason for h in (backward, forward) if h.reason)),
        dropped=tuple(backward.dropped + forward.dropped),
    )


def _onto_curve(tests: _FoldTests | _HopfTests, start: np.ndarray) -> np.ndarray:
    """The start brought onto the curve by least-norm Newton steps."""
    u = start.copy()
    for _ in range(20):
        residual, jacobian = tests.system.residual_and_jacobian(u)
        step = np.linalg.lstsq(jacobian, residual, rcond=None)[0]
        u = u - step
        if np.linalg.norm(step) < 1e-12 * (1.0 + np.linalg.norm(u)):
            break
    return u


def _half(tests: _FoldTests | _HopfTests, start: CurvePoint, settings: ContinuationSettings) -> _Half:
    half = _Half([start.u], [], [])
    curve = _Renewed(tests)
    before = {kind: test(start.u) for kind, test in tests.tests().items()}
    n = tests.scaled.n
    try:
        for step in follow(curve, start, settings):
            half.closed, half.reason = step.closed, step.reason
            if step.closed:
                half.points.append(start.u)
                break
            if step.after is step.before:
                break
            here, there = step.before, step.after
            # in the borders of `here`, so that the signs of the vectors agree
            after = {kind: test(there.u) for kind, test in curve.tests.tests().items()}
            refined: dict[str, np.ndarray | None] = {}
            for kind in after:
                if before[kind] * after[kind] < 0.0:
                    refined[kind] = _look(half, curve.tests, kind, here, there)
            if here.tangent[n + 1] * there.tangent[n + 1] < 0.0 and refined.get("cusp") is None:
                _extremum(half, curve.tests, here, there)
            if isinstance(tests, _HopfTests) and there.u[-1] <= 0.0:
                last = refined.get("bogdanov-takens")
                half.points.append(here.u if last is None else last)
                half.reason = "a Bogdanov-Takens point: neutral saddles follow"
                break
            half.points.append(_onto_range(curve, here, there) if step.reason else there.u)
            curve.tests = curve.tests.refreshed(there.u)
            before = after
    except KeyboardInterrupt:
        half.reason = INTERRUPTED
    return half


def _onto_range(curve: _Renewed, inside: CurvePoint, outside: CurvePoint) -> np.ndarray:
    """The point between two where the first parameter to leave its range does so."""
    scaled = curve.tests.scaled
    for j, axis in enumerate(scaled.axes):
        k = scaled.n + j
        a, b = inside.u[k], outside.u[k]
        level = float(np.clip(b, axis.to_theta(axis.low), axis.to_theta(axis.high)))
        if level != b:
            row = np.zeros(outside.u.size)
            row[k] = 1.0
            guess = inside.u + (outside.u - inside.u) * (level - a) / (b - a)
            found = correct(curve, guess, row, 1e-11, level=level)
            return outside.u if found is None else found[0]
    return outside.u


def _look(
    half: _Half, tests: _FoldTests | _HopfTests, kind: str, a: CurvePoint, b: CurvePoint
) -> np.ndarray | None:
    """Refine the point that a sign change tells of; what is found or dropped goes to `half`."""
    test = tests.tests()[kind]
    f_a, f_b = test(a.u), test(b.u)
    guess = a.u + (b.u - a.u) * (f_a / (f_a - f_b))
    u = _refined(tests, test, guess)
    if u is not None and is_between(u, a, b):
        record = tests.record(kind, u)
        if record is not None:
            half.special.append(record)
            return u
    if kind in ("cusp", "bogdanov-takens"):
        place = _place(tests.scaled, tests.equilibrium(guess))
        half.dropped.append(f"a {kind} point near {place} could not be refined")
    return None


def _place(scaled: Scaled, u: np.ndarray) -> str:
    _, q = scaled.unpack(u)
    return ", ".join(f"{scaled.problem.parameter_names[x.k]} = {q[x.k]:.6g}" for x in scaled.axes)


def _refined(tests: _FoldTests | _HopfTests, test: Test, guess: np.ndarray) -> np.ndarray | None:
    """Newton for the curve's equations and test = 0."""

    def system(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope = np.empty(u.size)
        for j in range(u.size):
            h = DIFFERENCE * max(1.0, abs(u[j]))
            up, down = u.copy(), u.copy()
            up[j] += h
            down[j] -= h
            slope[j] = (test(up) - test(down)) / (2.0 * h)
        residual, jacobian = tests.system.residual_and_jacobian(u)
        return np.append(residual, test(u)), np.vstack([jacobian, slope])

    root = newton(system, guess, longest=0.3, tolerance=1e-8)
    return root.u if root.converged else None


def _extremum(half: _Half, tests: _FoldTests | _HopfTests, a: CurvePoint, b: CurvePoint) -> None:
    """Where the second parameter turns back along a curve of folds: branches in the first parameter
    cross there, or an isola shrinks to a point."""
    if not isinstance(tests, _FoldTests):
        return
    scaled, n = tests.scaled, tests.scaled.n
    guess = a.u + (b.u - a.u) * (a.tangent[n + 1] / (a.tangent[n + 1] - b.tangent[n + 1]))
    root = refine_extremum(scaled, guess)
    if not root.converged or not is_between(root.u, a, b):
        place = _place(scaled, guess)
        half.dropped.append(f"a branch point or isola centre near {place} could not be refined")
        return
    x, q = scaled.unpack(root.u)
    branch = scaled.at(q).with_axes(scaled.axes[0])
    tangents = crossing_tangents(branch, branch.pack(x, q))
    kind = "branch point" if tangents else "isola centre"
    half.special.append(special_point(scaled, kind, root.u, {}, tangents))
