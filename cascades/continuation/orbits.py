"""Branches of periodic orbits in one parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.arclength import CurvePoint, correct, point_at
from cascades.continuation.branch import SpecialPoint
from cascades.continuation.collocation import DEGREE, FreeCycle, OrbitCurve, adapted, even_mesh, moved
from cascades.continuation.compiled import as_problem
from cascades.continuation.hopf import critical_pair
from cascades.continuation.one_parameter import state_and_values
from cascades.continuation.orbit_branch import Orbit, OrbitBranch
from cascades.continuation.orbit_trace import trace_orbits
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, make_axis
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import ContinuationError, NoEquilibrium

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

AMPLITUDE = 0.02  # of the first orbit at a Hopf point, in sizes
SETTINGS = ContinuationSettings(largest_step=0.2, most_points=400, tolerance=1e-9)


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
    UnknownName, ContinuationError
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
        raise ContinuationError(f"orbits start at a Hopf point or an orbit, not at a {hopf.kind}")
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
        raise ContinuationError("no small orbit was found next to the Hopf point")
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
        onto = adapted(mesh, nodes, size)
        mesh, nodes = onto, moved(mesh, onto, nodes)
    curve = OrbitCurve(problem, FreeCycle(problem, q, axis), mesh, size, nodes)
    found = correct(curve, curve.pack(nodes, w), row, 1e-9)
    if found is None:
        raise ContinuationError(
            "Newton did not converge from the given orbit; use more intervals or a longer settling time"
        )
    return curve, point_at(curve, found[0], row)
