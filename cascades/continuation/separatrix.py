"""Which stimulus flips a switch: basins, thresholds of a dose, and the plane that separates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from cascades.continuation.compiled import as_problem
from cascades.continuation.equilibria import all_roots, steady_state_at
from cascades.continuation.problem import Problem
from cascades.continuation.search import flow, sizes, solve
from cascades.errors import ContinuationError, NoEquilibrium
from cascades.protocols import Protocol
from cascades.steady import SteadyState

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

PER_ROUND = 9  # doses simulated at once: the interval shrinks by a factor of ten
SAME = 1e-3
PUSH = 1e-3  # off a saddle, in sizes


@dataclass(frozen=True, eq=False)
class Threshold:
    """Between `low` and `high` the outcome changes from one equilibrium to another.

    before, after : indices into `equilibria`
    """

    low: float
    high: float
    before: int
    after: int
    equilibria: tuple[SteadyState, ...] = field(repr=False)

    @property
    def value(self) -> float:
        """The middle of the interval."""
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True, eq=False)
class Separatrix:
    """The stable manifold of a saddle near it: the plane through `saddle` with this `normal`.

    The sign of the normal is that of its largest weighted entry.
    """

    saddle: SteadyState
    names: tuple[str, ...]
    normal: np.ndarray
    growth_rate: float

    def side(self, state: Mapping[str, float]) -> float:
        """Signed distance from the plane in units of the states' sizes; it grows like
        exp(growth_rate t) near the saddle."""
        return float(
            sum(w * (state[s] - self.saddle.state[s]) for w, s in zip(self.normal, self.names, strict=True))
        )


def outcomes(
    compiled: CompiledModel,
    protocols: Sequence[Protocol],
    *,
    initial: Mapping[str, float] | SteadyState | None = None,
    values: Mapping[str, float] | None = None,
    equilibria: Sequence[SteadyState] | None = None,
) -> np.ndarray:
    """The equilibrium that each protocol ends in, as an index, shape (protocols,); -1 for none.

    After the last stimulus the model runs on until it rests.

    Parameters
    ----------
    initial : the state before the stimulus, an equilibrium for instance
    equilibria : those that the indices refer to; all that are found, if missing
    """
    from cascades.simulate import simulate

    problem = as_problem(compiled)
    q = problem.values(values)
    known = _states(problem, q, equilibria)
    start = initial.state if isinstance(initial, SteadyState) else initial
    duration = max((max(protocol.times(), default=0.0) for protocol in protocols), default=0.0) + 1e-9
    run = simulate(compiled, [duration], protocol=list(protocols), values=values, initial=start)
    found = np.full(len(protocols), -1)
    own = [run.names.index(name) for name in problem.state_names]
    for member, y in enumerate(run.values[:, -1, :]):
        rest = _rest(problem, q, y[own])
        if rest is None:
            continue
        size = sizes(problem, rest)
        gaps = [float(np.max(np.abs(rest - x) / np.maximum(size, np.abs(x)))) for x in known]
        if min(gaps) < SAME:
            found[member] = int(np.argmin(gaps))
    return found


def _rest(problem: Problem, q: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """The stable equilibrium that x runs to.  A state so near to a saddle's stable manifold that it
    seems to rest at the saddle is pushed on to the side it is on."""
    for _ in range(3):
        end = flow(problem, q, x)
        root = solve(problem, q, end)
        if not root.converged:
            return None
        size = sizes(problem, root.u)
        values, left, right = _leading(problem, q, root.u, size)
        if values <= 0.0:
            return root.u
        side = float(left @ ((end - root.u) / size)) * float(left @ right)
        x = root.u + (1.0 if side >= 0.0 else -1.0) * PUSH * right * size
    return None


def _leading(
    problem: Problem, q: np.ndarray, x: np.ndarray, size: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The largest real part of an eigenvalue and its left and right vectors in scaled states."""
    values, left, right = scipy.linalg.eig(
        problem.jacobian(x, q) * (size[None, :] / size[:, None]), left=True, right=True
    )
    k = int(np.argmax(values.real))
    return float(values[k].real), left[:, k].real, right[:, k].real


def thresholds(
    compiled: CompiledModel,
    protocol_of: Callable[[float], Protocol],
    bounds: Sequence[float],
    *,
    initial: Mapping[str, float] | SteadyState | None = None,
    values: Mapping[str, float] | None = None,
    scan: int = 30,
    tolerance: float = 1e-6,
) -> list[Threshold]:
    """Every dose in a range at which the outcome changes.

    Parameters
    ----------
    protocol_of : the protocol of a dose: an amplitude, a duration or a (real) number of pulses
    bounds : (low, high)
    scan : doses looked at first, evenly spaced
    tolerance : width of the intervals, relative to the range

    Raises
    ------
    ContinuationError
    NoEquilibrium
    """
    low, high = float(bounds[0]), float(bounds[1])
    if not low < high:
        raise ContinuationError(f"the range of doses must be two increasing numbers (got {low:g}, {high:g})")
    problem = as_problem(compiled)
    q = problem.values(values)
    known = tuple(steady_state_at(problem, x, q) for x in all_roots(problem, q))

    def outcome(doses: np.ndarray) -> np.ndarray:
        protocols = [protocol_of(float(dose)) for dose in doses]
        return outcomes(compiled, protocols, initial=initial, values=values, equilibria=known)

    doses = np.linspace(low, high, scan)
    ends = outcome(doses)
    found = []
    for i in np.flatnonzero(ends[:-1] != ends[1:]):
        a, b, first, last = doses[i], doses[i + 1], ends[i], ends[i + 1]
        while b - a > tolerance * (high - low):
            inner = np.linspace(a, b, PER_ROUND + 2)
            reached = np.concatenate([[first], outcome(inner[1:-1]), [last]])
            k = int(np.flatnonzero(reached != first)[0])
            a, b, last = inner[k - 1], inner[k], reached[k]
        found.append(Threshold(float(a), float(b), int(first), int(last), known))
    return found


def separatrix(compiled: CompiledModel, saddle: SteadyState) -> Separatrix:
    """The plane tangent to the stable manifold of a saddle with one growing direction.

    Raises
    ------
    ContinuationError
        The equilibrium is not such a saddle.
    """
    if saddle.n_unstable != 1:
        raise ContinuationError(
            f"a saddle with one growing direction is needed; this equilibrium has {saddle.n_unstable}"
        )
    problem = as_problem(compiled)
    q = problem.values(saddle.values)
    x = np.array([saddle.state[name] for name in problem.state_names])
    size = sizes(problem, x)
    growth_rate, normal, _ = _leading(problem, q, x, size)
    normal = normal / np.linalg.norm(normal) * np.sign(normal[np.argmax(np.abs(normal))])
    return Separatrix(saddle, problem.state_names, normal / size, growth_rate)


def _states(problem: Problem, q: np.ndarray, equilibria: Sequence[SteadyState] | None) -> list[np.ndarray]:
    if equilibria is None:
        return all_roots(problem, q)
    if not equilibria:
        raise NoEquilibrium("no equilibria were given", {}, np.nan)
    return [np.array([state.state[name] for name in problem.state_names]) for state in equilibria]
