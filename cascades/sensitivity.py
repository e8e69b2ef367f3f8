"""Forward sensitivities: how states and observables move with parameters and initial states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cascades.compiler.derivatives import dependencies, gradients
from cascades.compiler.functions import scalar_functions
from cascades.ensemble import Values, observe
from cascades.errors import SolverFailure, UnknownName
from cascades.expression import ZERO, Expr, evaluate
from cascades.protocols import Protocol
from cascades.simulate import make_batch
from cascades.solvers import REASONS, solver_named
from cascades.solvers.tangents import integrate_tangents
from cascades.steady import steady_state
from cascades.trajectory import Trajectory

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives of a trajectory.

    trajectory : of the one member
    directions : what the derivatives are with respect to: parameters, and states (their initial values)
    slopes : derivatives of the states, shape (times, states, directions)
    """

    trajectory: Trajectory
    directions: tuple[str, ...]
    slopes: np.ndarray
    _compiled: CompiledModel
    _p: np.ndarray
    _p_slopes: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        """The derivatives of a state or observable, shape (times, directions).

        With a protocol that sets parameters, the derivative of an observable is that at the model's
        own parameter values.
        """
        names = self.trajectory.names
        if name in names:
            return self.slopes[:, names.index(name)]
        compiled = self._compiled
        slopes = gradients([compiled.formula(name)], (*names, *compiled.parameter_names))[0]
        values: dict[str, object] = {s: self.trajectory.values[0, :, i] for i, s in enumerate(names)}
        values |= dict(zip(compiled.parameter_names, self._p, strict=True)) | {"time": self.trajectory.times}
        total = np.zeros((self.trajectory.times.size, len(self.directions)))
        for symbol, slope in zip(slopes, evaluate(slopes.values(), values), strict=True):
            if symbol in compiled.state_index:
                total += np.reshape(slope, (-1, 1)) * self.slopes[:, compiled.state_index[symbol]]
            else:
                total += np.reshape(slope, (-1, 1)) * self._p_slopes[compiled.parameter_index[symbol]]
        return total


def sensitivities(
    compiled: CompiledModel,
    times: np.ndarray | Sequence[float],
    with_respect_to: Sequence[str],
    *,
    protocol: Protocol | None = None,
    values: Values | None = None,
    initial: Values | None = None,
    from_steady_state: bool = False,
    rtol: float = 1e-6,
) -> Sensitivities:
    """The trajectory of one member and its derivatives, through spikes, discontinuities and events.

    Parameters
    ----------
    with_respect_to : names of parameters, and of states for their initial values
        A parameter also acts through the initial values that are formulas of it.
    from_steady_state : begin in the steady state that belongs to the parameter values, and let its
        derivatives be those of the implicit function theorem
    others : as for `simulate`

    Raises
    ------
    UnknownName
    NoEquilibrium
    SolverFailure
        The member failed; the error carries the trajectory so far.
    """
    solver = solver_named("rodas5p")
    batch = make_batch(compiled, times, protocol, values, initial, solver, rtol)
    if batch.n_members != 1:
        raise ValueError(f"sensitivities are those of one member ({batch.n_members} given)")
    problem = batch.problem()
    y, p = problem.initial[0].copy(), problem.parameters[0].copy()
    y_slopes, p_slopes = start_slopes(compiled, p, with_respect_to, batch.initial)
    if from_steady_state:
        numbers = dict(zip(compiled.parameter_names, p.tolist(), strict=True))
        found = steady_state(compiled, values=numbers, guess=None)
        y = np.array([found.state[name] for name in compiled.state_names])
        y_slopes = steady_slopes(compiled, y, p, y_slopes, p_slopes)
    result = integrate_tangents(
        compiled, problem.times, y, p, y_slopes, p_slopes, stops=problem.stops[0], rtol=rtol
    )
    states = result.values[None]
    equations = compiled.equations
    trajectory = Trajectory(
        times=problem.times,
        values=states,
        names=compiled.state_names,
        units=equations.units,
        status=np.array([result.status]),
        reached=np.array([result.reached]),
        time_unit=equations.time_unit,
        provenance={
            "model": compiled.name,
            "equations": equations.content_hash,
            "solver": "rodas5p",
            "rtol": rtol,
        },
        observable_names=tuple(equations.observables),
        _observe=lambda name: observe(problem, states, name),
    )
    if result.status:
        raise SolverFailure(trajectory, {0: (result.reached, REASONS[result.status])})
    return Sensitivities(trajectory, tuple(with_respect_to), result.slopes, compiled, p, p_slopes)


def start_slopes(
    compiled: CompiledModel, p: np.ndarray, names: Sequence[str], overridden: Mapping[str, object]
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of initial states, shape (n, d), and of parameters, shape (m, d), along `names`."""
    n, m = len(compiled.state_names), len(compiled.parameter_names)
    y_slopes, p_slopes = np.zeros((n, len(names))), np.zeros((m, len(names)))
    for d, name in enumerate(names):
        if name in compiled.parameter_index:
            p_slopes[compiled.parameter_index[name], d] = 1.0
        elif name in compiled.state_index:
            y_slopes[compiled.state_index[name], d] = 1.0
        else:
            raise UnknownName("parameter or state", name, (*compiled.parameter_names, *compiled.state_names))
    rows, columns, function = _initial_slopes(compiled)
    if rows:
        numbers = function(np.zeros(n), np.ascontiguousarray(p, dtype=float), np.zeros(1))
        by_parameter = np.zeros((n, m))
        by_parameter[rows, columns] = numbers
        by_parameter[[compiled.state_index[name] for name in overridden]] = 0.0
        y_slopes += by_parameter @ p_slopes
    return y_slopes, p_slopes


@lru_cache(maxsize=32)
def _initial_slopes(compiled: CompiledModel) -> tuple[list[int], list[int], Callable[..., np.ndarray]]:
    """The derivatives of initial values by parameters: states, parameters, and a function of (y, p, time)
    for the numbers."""
    initial, names = compiled.equations.initial, compiled.parameter_names
    entries = [(i, j) for i, found in enumerate(dependencies(initial, names)) for j in found]

    def write() -> list[Expr]:
        slopes = gradients(initial, names)
        return [slopes[i].get(names[j], ZERO) for i, j in entries]

    sizes = len(compiled.state_names), len(names), 1
    outputs = {"initial_slopes": (len(entries), write)}
    function = scalar_functions(compiled.equations.content_hash, sizes, compiled.rows, outputs)
    return [i for i, _ in entries], [j for _, j in entries], function["initial_slopes"]


def steady_slopes(
    compiled: CompiledModel, y: np.ndarray, p: np.ndarray, y_slopes: np.ndarray, p_slopes: np.ndarray
) -> np.ndarray:
    """Derivatives of a steady state by the implicit function theorem, shape (n, d).

    Conserved totals move as those of the initial state, whose derivatives are `y_slopes`; states that
    nothing moves (rate zero) keep theirs.
    """
    totals = compiled.equations.conserved
    weights = np.zeros((len(totals), y.size))
    values = dict(zip(compiled.parameter_names, p, strict=True))
    for k, total in enumerate(totals):
        for name, weight in zip(total.weights, evaluate(total.weights.values(), values), strict=True):
            weights[k, compiled.state_index[name]] = weight
    still = np.array([rate is ZERO for rate in compiled.equations.rates])
    dependent = [compiled.state_index[total.dependent] for total in totals]
    rows = [i for i in range(y.size) if i not in dependent]
    jacobian = compiled.jacobian(y, p)
    jacobian[still, still] = 1.0
    push = -compiled.parameter_jacobian(y, p) @ p_slopes
    push[still] = y_slopes[still]
    left = np.vstack([jacobian[rows], weights])
    right = np.vstack([push[rows], weights @ y_slopes])
    return np.linalg.solve(left, right)
