"""Branches of periodic orbits in one parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.continuation.arclength import CurvePoint, correct, follow, point_at
from cascades.continuation.branch import SpecialPoint
from cascades.continuation.collocation import (
    DEGREE,
    Condensed,
    Cycle,
    FreeCycle,
    OrbitCurve,
    adapted,
    even_mesh,
    multipliers,
)
from cascades.continuation.compiled import as_problem
from cascades.continuation.hopf import critical_pair
from cascades.continuation.one_parameter import INTERRUPTED, state_and_values
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, make_axis
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import NoEquilibrium

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

ADAPT_EVERY = 3
AMPLITUDE = 0.02  # of the first orbit at a Hopf point, in sizes
LONGEST = 1e4  # times the first period: an orbit this long is next to a homoclinic one
REFINED = 1e-9
SETTINGS = ContinuationSettings(largest_step=0.2, most_points=400, tolerance=1e-9)


@dataclass(frozen=True, eq=False)
class Orbit:
    """One periodic orbit.

    times : shape (points,) [time], from 0 to the period
    states : independent states, shape (points, n)
    multipliers : Floquet multipliers, largest first; for a free phase one of them is 1
    """

    problem: Problem = field(repr=False)
    q: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    multipliers: np.ndarray = field(repr=False)

    @property
    def period(self) -> float:
        return float(self.times[-1])

    def __getitem__(self, name: str) -> np.ndarray:
        """A state or observable over the orbit, shape (points,)."""
        return self.problem.observe(name, self.states, self.q)


@dataclass(frozen=True, eq=False)
class OrbitBranch:
    """Periodic orbits along a curve in one parameter.

    values, periods : shape (points,)
    n_unstable : multipliers outside the unit circle, the trivial one left out, shape (points,)
    special_points : "fold of cycles", "period doubling", "neimark-sacker"; `coefficients` holds the period
    """

    parameter: str
    values: np.ndarray = field(repr=False)
    periods: np.ndarray = field(repr=False)
    n_unstable: np.ndarray = field(repr=False)
    orbits: tuple[Orbit, ...] = field(repr=False)
    special_points: tuple[SpecialPoint, ...] = ()
    stopped_because: str = ""

    def __len__(self) -> int:
        return self.values.size

    @property
    def is_stable(self) -> np.ndarray:
        return self.n_unstable == 0

    def of_kind(self, kind: str) -> list[SpecialPoint]:
        return [point for point in self.special_points if point.kind == kind]

    def extent(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and largest value of a state or observable on each orbit."""
        curves = [orbit[name] for orbit in self.orbits]
        return np.array([c.min() for c in curves]), np.array([c.max() for c in curves])

    def plot(self, ax: Any = None, name: str | None = None, **style: Any) -> Any:
        """Smallest and largest value of a quantity over each orbit: full where stable."""
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        name = self.orbits[0].problem.state_names[0] if name is None else name
        color = style.pop("color", "tab:blue")
        for y in self.extent(name):
            ax.plot(self.values, np.where(self.is_stable, y, np.nan), "-", color=color, **style)
            ax.plot(self.values, np.where(self.is_stable, np.nan, y), ":", color=color, **style)
        ax.set(xlabel=self.parameter, ylabel=name)
        return ax


def periodic_orbits(
    compiled: CompiledModel | Problem,
    start: SpecialPoint | Orbit,
    parameter: str,
    bounds: Sequence[float],
    *,
    intervals: int = 40,
    settings: ContinuationSettings = SETTINGS,
) -> OrbitBranch:
    """The branch of periodic orbits that is born at a Hopf point, or that goes through an orbit.

    Parameters
    ----------
    start : a "hopf" point of a branch, or an orbit (see `orbit_from_simulation`); an orbit is followed
        towards larger values of the parameter
    intervals : mesh intervals, each with a polynomial of degree 4

    Raises
    ------
    UnknownName, ValueError
    """
    problem = as_problem(compiled, [parameter])
    axis = make_axis(problem, parameter, bounds, settings.parameter_scale)
    if isinstance(start, Orbit):
        curve, first = _from_orbit(problem, start, axis, intervals)
    else:
        curve, first = _from_hopf(problem, start, axis, intervals)
    return trace_orbits(curve, first, parameter, settings)


def orbit_from_simulation(
    compiled: CompiledModel | Problem,
    *,
    values: Mapping[str, float] | None = None,
    start: Mapping[str, float] | np.ndarray | None = None,
    settle: float,
) -> Orbit:
    """The orbit that the equations settle on, as a start for `periodic_orbits`.

    Parameters
    ----------
    settle : time after which the motion is taken to be periodic

    Raises
    ------
    NoEquilibrium
        No return to the same state was seen: there is no stable orbit, or `settle` is too short.
    """
    from scipy.integrate import solve_ivp

    problem = as_problem(compiled, values or ())
    q = problem.values(values)
    x = problem.default_state if start is None else start
    if isinstance(x, Mapping):
        x = np.array([x[name] for name in problem.state_names])

    def rates(t: float, x: np.ndarray) -> np.ndarray:
        return problem.rates(x, q)

    settled = solve_ivp(rates, (0.0, settle), np.asarray(x, float), method="LSODA", rtol=1e-8, atol=1e-10)
    run = solve_ivp(
        rates, (0.0, settle), settled.y[:, -1], method="LSODA", rtol=1e-9, atol=1e-11, dense_output=True
    )
    grid = np.linspace(0.0, run.t[-1], 20001)
    curve = run.sol(grid)
    leading = int(np.argmax(np.ptp(curve, axis=1) / problem.scale))
    level = 0.5 * (curve[leading].min() + curve[leading].max())
    above = curve[leading] > level
    rises = np.flatnonzero(~above[:-1] & above[1:])
    if rises.size < 3 or np.ptp(curve[leading]) < 1e-6 * problem.scale[leading]:
        state = dict(zip(problem.state_names, curve[:, -1].tolist(), strict=True))
        raise NoEquilibrium(
            "the simulation does not come back to where it was: no stable orbit", state, np.nan
        )
    t0, t1 = grid[rises[-2]], grid[rises[-1]]
    times = np.linspace(0.0, t1 - t0, 401)
    return Orbit(problem, q, times, run.sol(t0 + times).T, np.empty(0, complex))


# --- starts -------------------------------------------------------------------------------------


def _from_hopf(
    problem: Problem, hopf: SpecialPoint, axis: Axis, intervals: int
) -> tuple[OrbitCurve, CurvePoint]:
    x, q = state_and_values(problem, hopf)
    omega = hopf.coefficients.get("omega", 0.0)
    if omega <= 0.0:
        raise ValueError(f"orbits start at a Hopf point or an orbit, not at a {hopf.kind}")
    size = np.maximum(problem.scale, np.abs(x))
    mode, _ = critical_pair(problem.jacobian(x, q) * (size[None, :] / size[:, None]), omega)
    mesh = even_mesh([intervals])
    phase = (mesh.start[:, None] + mesh.fraction[:, None] * np.linspace(0.0, 1.0, DEGREE + 1)) * 2.0 * np.pi
    wave = np.real(np.exp(1j * phase)[..., None] * mode) * size
    cycle = FreeCycle(problem, q, axis)
    curve = OrbitCurve(problem, cycle, mesh, size, x + AMPLITUDE * wave)
    w = np.array([np.log(2.0 * np.pi / omega), axis.to_theta(q[axis.k])])
    rest = curve.pack(np.broadcast_to(x, wave.shape), w)
    direction = curve.pack(x + wave, w) - rest
    direction /= np.linalg.norm(direction)
    found = correct(curve, rest + AMPLITUDE * direction, direction, 1e-9)
    if found is None:
        raise ValueError("no small orbit was found next to the Hopf point")
    return curve, point_at(curve, found[0], direction)


def _from_orbit(problem: Problem, orbit: Orbit, axis: Axis, intervals: int) -> tuple[OrbitCurve, CurvePoint]:
    mesh = even_mesh([intervals])
    where = mesh.start[:, None] + mesh.fraction[:, None] * np.linspace(0.0, 1.0, DEGREE + 1)
    nodes = np.stack(
        [
            np.interp(where * orbit.period, orbit.times, orbit.states[:, j])
            for j in range(orbit.states.shape[1])
        ],
        axis=-1,
    )
    size = np.maximum(problem.scale, np.abs(nodes).max(axis=(0, 1)))
    q = orbit.q.copy()
    w = np.array([np.log(orbit.period), axis.to_theta(q[axis.k])])
    row = np.zeros(mesh.n_intervals * DEGREE * size.size + 2)
    row[-1] = 1.0
    for _ in range(4):
        curve = OrbitCurve(problem, FreeCycle(problem, q, axis), mesh, size, nodes)
        found = correct(curve, curve.pack(nodes, w), row, 1e-9)
        if found is None:
            break
        nodes, w = curve.unpack(found[0])
        mesh, nodes = adapted(mesh, nodes, size)
    curve = OrbitCurve(problem, FreeCycle(problem, q, axis), mesh, size, nodes)
    found = correct(curve, curve.pack(nodes, w), row, 1e-9)
    if found is None:
        raise ValueError(
            "Newton did not converge from the given orbit; use more intervals or a longer settling time"
        )
    return curve, point_at(curve, found[0], row)


# --- following ----------------------------------------------------------------------------------


def trace_orbits(
    curve: OrbitCurve, first: CurvePoint, parameter: str, settings: ContinuationSettings
) -> OrbitBranch:
    gathered = [(curve, first)]
    special: list[SpecialPoint] = []
    reason = f"{settings.most_points} points were computed"
    longest = LONGEST * _period(curve, first) if curve.cycle.has_phase else np.inf
    here, values = first, _multipliers(curve, first)
    table = [values]
    h = settings.first_step
    try:
        while len(gathered) < settings.most_points:
            curve, here = remeshed(curve, here)
            last = here
            for count, step in enumerate(follow(curve, here, replace(settings, first_step=h))):
                last = step.after
                if step.after is step.before:
                    reason = step.reason
                    break
                reason = step.reason
                if _shrinks(curve, step.before, step.after):
                    reason = "the orbit shrinks to a Hopf point"
                    break
                values = _multipliers(curve, step.after)
                special += _events(curve, step.before, step.after, table[-1], values)
                gathered.append((curve, step.after))
                table.append(values)
                if _period(curve, step.after) > longest:
                    reason = "the period grows without bound: a homoclinic orbit is near"
                h = float(np.linalg.norm(step.after.u - step.before.u)) * 1.3
                if reason or count + 1 >= ADAPT_EVERY:
                    break
            if reason or last is here:
                break
            here = last
    except KeyboardInterrupt:
        reason = INTERRUPTED
    orbits = tuple(_orbit(c, point, values) for (c, point), values in zip(gathered, table, strict=True))
    return OrbitBranch(
        parameter=parameter,
        values=np.array([_value(c, point) for c, point in gathered]),
        periods=np.array([orbit.period for orbit in orbits]),
        n_unstable=np.array([_outside(values, curve.cycle) for values in table]),
        orbits=orbits,
        special_points=tuple(special),
        stopped_because=reason,
    )


def remeshed(curve: OrbitCurve, point: CurvePoint) -> tuple[OrbitCurve, CurvePoint]:
    """The same orbit on an adapted mesh, as its own reference for the phase."""
    nodes, w = curve.unpack(point.u)
    ahead, w_ahead = curve.unpack(point.u + point.tangent)
    mesh, both = adapted(
        curve.mesh, np.concatenate([nodes, ahead - nodes], axis=2), np.concatenate([curve.size] * 2)
    )
    n = curve.n
    size = np.maximum(curve.problem.scale, np.abs(nodes).max(axis=(0, 1)))
    renewed = replace(curve, mesh=mesh, reference=both[..., :n], size=size)
    tangent = renewed.pack(both[..., n:], w_ahead - w)
    tangent /= np.linalg.norm(tangent)
    found = correct(renewed, renewed.pack(both[..., :n], w), tangent, 1e-9)
    if found is None:
        return curve, point
    return renewed, point_at(renewed, found[0], tangent)


def _shrinks(curve: OrbitCurve, a: CurvePoint, b: CurvePoint) -> bool:
    """Whether the orbit vanishes between two points: beyond it comes back turned by half a period."""
    if not curve.cycle.has_phase:
        return False
    first, second = (curve.unpack(point.u)[0] / curve.size for point in (a, b))
    first, second = first - first.mean(axis=(0, 1)), second - second.mean(axis=(0, 1))
    return bool(np.sum(first * second) < 0.0)


def _period(curve: OrbitCurve, point: CurvePoint) -> float:
    w = point.u[-curve.cycle.n_free :]
    return float(curve.cycle.durations(w)[0].sum())


def _value(curve: OrbitCurve, point: CurvePoint) -> float:
    return curve.cycle.value(point.u[-curve.cycle.n_free :])


def _multipliers(curve: OrbitCurve, point: CurvePoint) -> np.ndarray:
    return multipliers(point.linear.growth) if isinstance(point.linear, Condensed) else np.empty(0)


def _without_trivial(values: np.ndarray, cycle: Cycle) -> np.ndarray:
    return np.delete(values, np.argmin(np.abs(values - 1.0))) if cycle.has_phase else values


def _outside(values: np.ndarray, cycle: Cycle) -> int:
    return int(np.count_nonzero(np.abs(_without_trivial(values, cycle)) > 1.0))


def _orbit(curve: OrbitCurve, point: CurvePoint, values: np.ndarray) -> Orbit:
    nodes, w = curve.unpack(point.u)
    q, _ = curve.cycle.parameters(w)
    lengths, _ = curve.cycle.durations(w)
    begin = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])[curve.mesh.segment]
    length = lengths[curve.mesh.segment]
    inside = curve.mesh.start[:, None] + curve.mesh.fraction[:, None] * np.linspace(0.0, 1.0, DEGREE + 1)
    times = begin[:, None] + length[:, None] * inside
    return Orbit(curve.problem, q, times.ravel(), nodes.reshape(-1, curve.n), values)


def _events(
    curve: OrbitCurve, a: CurvePoint, b: CurvePoint, before: np.ndarray, after: np.ndarray
) -> list[SpecialPoint]:
    cycle = curve.cycle
    found = []
    if a.tangent[-1] * b.tangent[-1] < 0.0:
        found.append(_refined(curve, a, b, "fold of cycles", lambda p: float(p.tangent[-1])))
    if _doubling(before, cycle) * _doubling(after, cycle) < 0.0:
        found.append(
            _refined(curve, a, b, "period doubling", lambda p: _doubling(_multipliers(curve, p), cycle))
        )
    pairs = [np.count_nonzero((np.abs(v) > 1.0) & (np.abs(v.imag) > 1e-9)) for v in (before, after)]
    if abs(pairs[0] - pairs[1]) == 2 and abs(_outside(before, cycle) - _outside(after, cycle)) == 2:
        found.append(_refined(curve, a, b, "neimark-sacker", lambda p: _torus(_multipliers(curve, p))))
    return [point for point in found if point is not None]


def _doubling(values: np.ndarray, cycle: Cycle) -> float:
    others = _without_trivial(values, cycle)
    return float(np.prod(np.sign((others + 1.0).real)) * np.abs(others + 1.0).min()) if others.size else 1.0


def _torus(values: np.ndarray) -> float:
    pairs = values[values.imag > 1e-9]
    return float(np.abs(pairs[np.argmin(np.abs(np.abs(pairs) - 1.0))]) - 1.0) if pairs.size else np.nan


def _refined(
    curve: OrbitCurve, a: CurvePoint, b: CurvePoint, kind: str, test: Callable[[CurvePoint], float]
) -> SpecialPoint | None:
    """The zero of a test function between two orbits, by the secant method with bisection."""
    low, high, f_low, f_high = a, b, test(a), test(b)
    if not np.isfinite(f_low + f_high) or f_low * f_high > 0.0:
        return None
    middle = low
    for k in range(60):
        weight = f_low / (f_low - f_high) if k % 3 != 2 else 0.5
        guess = low.u + weight * (high.u - low.u)
        found = correct(curve, guess, a.tangent, 1e-9)
        if found is None:
            return None
        middle = point_at(curve, found[0], a.tangent)
        f = test(middle)
        if not np.isfinite(f):
            return None
        if f * f_low > 0.0:
            low, f_low = middle, f
        else:
            high, f_high = middle, f
        if abs(f) < REFINED or np.linalg.norm(high.u - low.u) < REFINED:
            break
    return _special(curve, middle, kind)


def _special(curve: OrbitCurve, point: CurvePoint, kind: str) -> SpecialPoint:
    values = _multipliers(curve, point)
    orbit = _orbit(curve, point, values)
    problem, x = orbit.problem, orbit.states[0]
    full = problem.expand(x, orbit.q)
    value = _value(curve, point)
    return SpecialPoint(
        kind=kind,
        value=value,
        values={curve.cycle.name: value},
        state=dict(zip(problem.full_names, full.tolist(), strict=True)),
        eigenvalues=values,
        coefficients={"period": orbit.period},
        problem=problem,
        x=x,
        q=orbit.q,
    )
