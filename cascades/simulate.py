"""Where a compiled model, a protocol and a solver meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import SolverFailure
from cascades.protocols import Protocol
from cascades.solvers import DEFAULT, REASONS, Integration, Solver, solver_named
from cascades.stops import RESTORE_PARAMETER, SET_PARAMETER, Stops, resolve
from cascades.trajectory import Trajectory

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

Values = Mapping[str, float | np.ndarray | Sequence[float]]

# The absolute tolerance of a state is rtol * ATOL_SCALE times the state's own scale.
ATOL_SCALE = 1e-3


def simulate(
    compiled: CompiledModel,
    times: np.ndarray | Sequence[float],
    *,
    protocol: Protocol | Sequence[Protocol] | None = None,
    values: Values | None = None,
    initial: Values | None = None,
    solver: str | Solver = DEFAULT,
    rtol: float = 1e-6,
    throw: bool = True,
) -> Trajectory:
    """The trajectories of one member or of a batch, from time 0.

    Parameters
    ----------
    times : array, shape (times,)
        When the states are reported [the model's time unit, s for shipped models].
    protocol : Protocol, or one per member
        Spikes are exact stops at which states jump; nothing is missed, whatever `times` are.
    values, initial : mapping of a name to a number or an array of shape (members,)
        Parameter values and initial states that differ from the model's own.
    solver : an entry of `cascades.solvers.METHODS`, or a Solver
    rtol : relative tolerance
    throw : whether a failed member raises; otherwise `status` says why and NaN fills the rest

    Raises
    ------
    UnknownName
        A value, initial state, stimulus target or solver that does not exist.
    SolverFailure
        Some member failed; the error carries the trajectory so far.
    """
    times = checked_times(times)
    p, y0 = batch(compiled, values, initial, protocol)
    protocols: Sequence[Protocol | None]
    protocols = [protocol] if protocol is None or isinstance(protocol, Protocol) else list(protocol)
    stops = [resolve(one, compiled.equations) for one in protocols]
    method = solver_named(solver)
    problem = Integration(compiled, times, y0, p, stops, rtol, absolute_tolerance(compiled, y0, rtol))
    solution = method.integrate(problem)
    equations = compiled.equations
    trajectory = Trajectory(
        times=times,
        values=solution.values,
        names=equations.state_names,
        units=equations.units,
        status=solution.status,
        reached=solution.reached,
        time_unit=equations.time_unit,
        provenance=_provenance(compiled, protocols, method, rtol),
        observable_names=tuple(equations.observables),
        _observe=lambda name: _observe(problem, solution.values, name),
    )
    failed = np.flatnonzero(solution.status)
    if throw and failed.size:
        reasons = {int(m): (float(solution.reached[m]), REASONS[solution.status[m]]) for m in failed}
        raise SolverFailure(trajectory, reasons)
    return trajectory


def batch(
    compiled: CompiledModel,
    values: Values | None,
    initial: Values | None,
    protocol: Protocol | Sequence[Protocol] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and initial states of all members, shapes (members, m) and (members, n).

    Raises ValueError if values, initial states and protocols differ in the number of members.
    """
    p = compiled.parameter_array(values)
    y0 = compiled.initial_array(p, initial)
    counts = {len(p), len(y0)}
    if protocol is not None and not isinstance(protocol, Protocol):
        counts.add(len(protocol))
    members = max(counts)
    if counts - {1, members}:
        sizes = ", ".join(str(n) for n in sorted(counts))
        raise ValueError(f"values, initial states and protocols have different numbers of members: {sizes}")
    shape_p, shape_y = (members, p.shape[1]), (members, y0.shape[1])
    return np.broadcast_to(p, shape_p).copy(), np.broadcast_to(y0, shape_y).copy()


def checked_times(times: np.ndarray | Sequence[float]) -> np.ndarray:
    """The output times as an array.  Raises ValueError if they are not finite, sorted and >= 0."""
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.size == 0 or not np.isfinite(array).all() or array[0] < 0.0 or (np.diff(array) < 0.0).any():
        raise ValueError("times must be finite, sorted and not negative; the run starts at 0")
    return array


def absolute_tolerance(compiled: CompiledModel, initial: np.ndarray, rtol: float) -> np.ndarray:
    """Per state, from the state's scale: its largest initial value or the conserved total it is part
    of; the median of the others' scales where it starts at zero and no total holds it."""
    scale = np.abs(initial).max(axis=0)
    index = {name: i for i, name in enumerate(compiled.state_names)}
    for total in compiled.equations.conserved:
        rows = [index[name] for name in total.weights]
        scale[rows] = np.maximum(scale[rows], scale[rows].max())
    known = scale[scale > 0.0]
    scale[scale == 0.0] = np.median(known) if known.size else 1.0
    return rtol * ATOL_SCALE * scale


def _observe(problem: Integration, values: np.ndarray, name: str) -> np.ndarray:
    """An observable along the trajectories, with the parameters that the protocol had set."""
    out = np.empty(values.shape[:2])
    for member in range(len(values)):
        p = _parameters_over_time(problem, member)
        out[member] = problem.compiled.observable(name, values[member], p, problem.times)
    return out


def _parameters_over_time(problem: Integration, member: int) -> np.ndarray:
    """Shape (times, parameters), or (1, parameters) if no stimulus sets one."""
    stops: Stops = problem.stops_of(member)
    start = problem.parameters[member]
    rows = np.flatnonzero((stops.action == SET_PARAMETER) | (stops.action == RESTORE_PARAMETER))
    if rows.size == 0:
        return start[None, :]
    p = np.repeat(start[None, :], problem.times.size, axis=0)
    for row in rows:
        i = stops.index[row]
        value = stops.value[row] if stops.action[row] == SET_PARAMETER else start[i]
        p[problem.times >= stops.time[row], i] = value
    return p


def _provenance(
    compiled: Any, protocols: list[Protocol | None], method: Solver, rtol: float
) -> dict[str, Any]:
    names = [protocol.name if protocol else "none" for protocol in protocols]
    return {
        "model": compiled.equations.name,
        "equations": compiled.equations.content_hash,
        "protocol": names[0] if len(names) == 1 else names,
        "solver": method.name,
        "rtol": rtol,
    }
