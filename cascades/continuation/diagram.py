"""Whole diagrams: every branch over a range of a parameter, connected or not, and regions in two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.continuation.arclength import OUT_OF_POINTS, correct
from cascades.continuation.branch import Branch, SpecialPoint, positivity
from cascades.continuation.compiled import as_problem
from cascades.continuation.equilibria import SAME, all_roots, polished
from cascades.continuation.events import EquilibriumCurve
from cascades.continuation.isolas import folds_elsewhere
from cascades.continuation.one_parameter import INTERRUPTED, curve_point, refuse_idle, trace
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, make_axis, scaled
from cascades.continuation.search import sizes, solve
from cascades.continuation.settings import ContinuationSettings
from cascades.continuation.sparse import is_large
from cascades.errors import NoEquilibrium

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

CUTS = 20
SWITCH = 0.02  # distance from a branch point at which the crossing branch is entered


def branches(
    compiled: CompiledModel | Problem,
    parameter: str,
    bounds: Sequence[float],
    *,
    values: Mapping[str, float] | None = None,
    cuts: int = CUTS,
    settings: ContinuationSettings | None = None,
) -> list[Branch]:
    """All branches of equilibria over a range of a parameter: isolas and crossing branches too.

    At `cuts` values of the parameter all equilibria are searched for; each that is on no known branch
    is followed.  At branch points the crossing branch is entered.  Isolas between two cuts are found
    where they are connected with a known fold by a curve of folds in another parameter.

    Ctrl-C returns the branches so far; the last one says so.

    Raises
    ------
    UnknownName, ContinuationError
    NoEquilibrium
        None was found at any cut.
    """
    settings = settings or ContinuationSettings()
    problem = as_problem(compiled, {parameter, *(values or {})})
    axis = make_axis(problem, parameter, bounds, settings.parameter_scale)
    q = problem.values(values)
    found: list[Branch] = []
    failure: NoEquilibrium | None = None
    try:
        for value in cut_values(axis, cuts):
            q[axis.k] = value
            try:
                roots = all_roots(problem, q, follow_branches=False)
            except NoEquilibrium as error:
                failure = error
                continue
            for x in roots:
                _add(found, problem, parameter, axis, x, q, settings)
        if found and not is_large(problem):
            for x, at in list(folds_elsewhere(problem, parameter, axis, found)):
                _add(found, problem, parameter, axis, x, at, settings)
    except KeyboardInterrupt:
        if not found:
            raise
        found[-1] = _interrupted(found[-1])
    if not found:
        raise failure or NoEquilibrium("none was found in the range", {}, np.inf)
    return _without_parts(found, axis)


def _without_parts(found: list[Branch], axis: Axis) -> list[Branch]:
    """Each curve once.  A root that a branch missed starts a second one on the same curve: the first ran out
    of points before it, or stepped over a narrow pair of folds.  The one with more to it is the curve."""
    kept: list[Branch] = []
    for branch in sorted(found, key=lambda b: (OUT_OF_POINTS in b.stopped_because, -len(b.special_points))):
        middle = len(branch.states) // 2
        x, value = branch.states[middle], branch.parameter_values[middle, axis.k]
        if not any(passes_through(other, axis, x, value) for other in kept):
            kept.append(branch)
    return [branch for branch in found if branch in kept]


def _interrupted(branch: Branch) -> Branch:
    """The branch that says that nothing was looked for after it."""
    if INTERRUPTED in branch.stopped_because:
        return branch
    reasons = [branch.stopped_because] if branch.stopped_because else []
    return replace(branch, stopped_because="; ".join([*reasons, f"{INTERRUPTED} before all were found"]))


def cut_values(axis: Axis, count: int) -> list[float]:
    """Values inside the range, evenly spaced as the axis is, its ends left out."""
    low, high = axis.to_theta(axis.low), axis.to_theta(axis.high)
    return [axis.to_value(low + (high - low) * (i + 0.5) / count) for i in range(count)]


def _add(
    found: list[Branch],
    problem: Problem,
    parameter: str,
    axis: Axis,
    x: np.ndarray,
    q: np.ndarray,
    settings: ContinuationSettings,
) -> None:
    """Follow the branch through an equilibrium, and those that cross it, unless they are known."""
    if any(passes_through(branch, axis, x, q[axis.k]) for branch in found):
        return
    if not found:
        refuse_idle(problem, parameter, x, q)
    curve = EquilibriumCurve(scaled(problem, q, [axis], x))
    branch = trace(curve, curve_point(curve, curve.scaled.pack(x, q), 1.0), parameter, settings)
    found.append(branch)
    if INTERRUPTED in branch.stopped_because:
        raise KeyboardInterrupt
    for point in branch.of_kind("branch point"):
        for start in _crossing_starts(problem, axis, point):
            x_new, q_new = start
            _add(found, problem, parameter, axis, x_new, q_new, settings)


def _crossing_starts(
    problem: Problem, axis: Axis, point: SpecialPoint
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    curve = EquilibriumCurve(scaled(problem, point.q, [axis], point.x))
    u = curve.scaled.pack(point.x, point.q)
    for tangent in point.tangents:
        for sign in (1.0, -1.0):
            found = correct(curve, u + sign * SWITCH * tangent, tangent, 1e-10)
            if found is not None and np.linalg.norm(found[0] - u) > 0.3 * SWITCH:
                yield curve.scaled.unpack(found[0])


def passes_through(branch: Branch, axis: Axis, x: np.ndarray, value: float) -> bool:
    """Whether a branch goes through an equilibrium."""
    for root in crossings(branch, axis, value):
        if np.max(np.abs(root - x) / np.maximum(sizes(branch.problem, x), np.abs(root))) < 10.0 * SAME:
            return True
    return False


def crossings(branch: Branch, axis: Axis, value: float) -> list[np.ndarray]:
    """The equilibria on a branch at one value of its parameter, each of shape (n,)."""
    states, q = _with_special_points(branch)
    theta = np.array([axis.to_theta(v) for v in q[:, axis.k]])
    level = axis.to_theta(value)
    roots: list[np.ndarray] = []
    for i in np.flatnonzero((theta[:-1] - level) * (theta[1:] - level) <= 0.0):
        if theta[i] == theta[i + 1]:
            continue
        weight = (level - theta[i]) / (theta[i + 1] - theta[i])
        guess = states[i] + weight * (states[i + 1] - states[i])
        at = q[i].copy()
        at[axis.k] = value
        root = solve(branch.problem, at, guess, longest=0.2)
        size = sizes(branch.problem, guess)
        limit = 2.0 * np.linalg.norm((states[i + 1] - states[i]) / size) + 1e-6
        if not root.converged or np.linalg.norm((root.u - guess) / size) > limit:
            root_state = _bisected(branch.problem, axis, states[i], states[i + 1], q[i], q[i + 1], level)
            if root_state is None:
                continue
        else:
            root_state = root.u
        if all(np.max(np.abs(root_state - other) / size) > SAME for other in roots):
            roots.append(root_state)
    return roots


def _bisected(
    problem: Problem, axis: Axis, xa: np.ndarray, xb: np.ndarray, qa: np.ndarray, qb: np.ndarray, level: float
) -> np.ndarray | None:
    """The crossing between two points of a branch, along the branch itself."""
    curve = EquilibriumCurve(scaled(problem, qa, [axis], xa))
    a, b = curve.scaled.pack(xa, qa), curve.scaled.pack(xb, qb)
    chord = (b - a) / np.linalg.norm(b - a)
    for _ in range(60):
        found = correct(curve, 0.5 * (a + b), chord, 1e-11)
        if found is None:
            return None
        middle = found[0]
        if (middle[-1] - level) * (a[-1] - level) > 0.0:
            a = middle
        else:
            b = middle
        if np.linalg.norm(b - a) < 1e-9:
            break
    at = qa.copy()
    at[axis.k] = axis.to_value(level)
    return polished(problem, at, curve.scaled.unpack(0.5 * (a + b))[0])


def _with_special_points(branch: Branch) -> tuple[np.ndarray, np.ndarray]:
    """States and parameters with the refined points in their places: folds are the true extremes."""
    if not branch.special_points:
        return branch.states, branch.parameter_values
    places = [i + 1 for i in branch.special_after]
    states = np.insert(branch.states, places, [p.x for p in branch.special_points], axis=0)
    q = np.insert(branch.parameter_values, places, [p.q for p in branch.special_points], axis=0)
    return states, q


# --- regions in two parameters ------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RegionMap:
    """How many equilibria there are over a grid of two parameters.

    x, y : values of the first and second parameter
    n_equilibria, n_stable : shape (y, x)
    stopped_because : "" for a whole map; an interrupted one has the rows so far
    """

    parameters: tuple[str, str]
    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    n_equilibria: np.ndarray = field(repr=False)
    n_stable: np.ndarray = field(repr=False)
    stopped_because: str = ""

    def plot(self, ax: Any = None, **style: Any) -> Any:
        """Colours for one, two, three ... stable equilibria."""
        import matplotlib.pyplot as plt
        from matplotlib.colors import BoundaryNorm

        ax = plt.subplots()[1] if ax is None else ax
        most = int(self.n_stable.max())
        norm = BoundaryNorm(np.arange(-0.5, most + 1.5), 256)
        style = {"norm": norm, "cmap": "Blues", "shading": "nearest", **style}
        mesh = ax.pcolormesh(self.x, self.y, self.n_stable, **style)
        ax.figure.colorbar(mesh, ax=ax, ticks=range(most + 1), label="stable equilibria")
        ax.set(xlabel=self.parameters[0], ylabel=self.parameters[1])
        for axis, values in (("x", self.x), ("y", self.y)):
            if values.min() <= 0.0:
                continue
            steps = np.diff(np.log(values))
            if np.allclose(steps, steps.mean() if steps.size else 0.0):
                ax.set(**{f"{axis}scale": "log"})
        return ax


def region_map(
    compiled: CompiledModel | Problem,
    parameters: Sequence[str],
    bounds: Sequence[Sequence[float]],
    *,
    shape: tuple[int, int] = (60, 40),
    values: Mapping[str, float] | None = None,
    settings: ContinuationSettings | None = None,
) -> RegionMap:
    """Regions of mono-, bi- and tristability: equilibria counted over a grid of two parameters.

    In every row all branches in the first parameter are followed; the equilibria of a row are starts
    for the next one, beside a search of its own.  Ctrl-C returns the rows so far.

    Parameters
    ----------
    shape : numbers of values of the first and the second parameter
    """
    settings = settings or ContinuationSettings()
    first, second = parameters
    problem = as_problem(compiled, {*parameters, *(values or {})})
    across = make_axis(problem, first, bounds[0], settings.parameter_scale)
    along = make_axis(problem, second, bounds[1], settings.parameter_scale)
    x, y = _grid(across, shape[0]), _grid(along, shape[1])
    n_equilibria = np.zeros((shape[1], shape[0]), int)
    n_stable = np.zeros_like(n_equilibria)
    q = problem.values(values)
    known: list[tuple[float, np.ndarray]] = []
    done = 0
    try:
        for row, value in enumerate(y):
            q[along.k] = value
            found = _row(problem, first, across, q, known, settings, searched=row % 5 == 0)
            known = []
            for column, place in enumerate(x):
                roots = [root for branch in found for root in crossings(branch, across, place)]
                at = q.copy()
                at[across.k] = place
                distinct = _distinct(problem, roots, at)
                n_equilibria[row, column] = len(distinct)
                n_stable[row, column] = sum(_is_stable(problem, root, at) for root in distinct)
                if column % max(1, shape[0] // 12) == 0:
                    known += [(place, root) for root in distinct]
            done += 1
    except KeyboardInterrupt:
        if not done:
            raise
    reason = "" if done == y.size else f"{INTERRUPTED} after {done} of {y.size} rows"
    return RegionMap((first, second), x, y[:done], n_equilibria[:done], n_stable[:done], reason)


def _row(
    problem: Problem,
    parameter: str,
    axis: Axis,
    q: np.ndarray,
    known: Iterable[tuple[float, np.ndarray]],
    settings: ContinuationSettings,
    *,
    searched: bool,
) -> list[Branch]:
    found: list[Branch] = []
    starts = []
    for place, guess in known:
        at = q.copy()
        at[axis.k] = place
        root = solve(problem, at, guess, longest=0.3)
        if root.converged and positivity(problem, root.u, at):
            starts.append((root.u, at))
    if searched or not starts:
        for place in cut_values(axis, 4):
            at = q.copy()
            at[axis.k] = place
            try:
                starts += [(root_state, at) for root_state in all_roots(problem, at)]
            except NoEquilibrium:
                continue
    for x, at in starts:
        _add(found, problem, parameter, axis, x, at, settings)
    return found


def _grid(axis: Axis, count: int) -> np.ndarray:
    low, high = axis.to_theta(axis.low), axis.to_theta(axis.high)
    return np.array([axis.to_value(theta) for theta in np.linspace(low, high, count)])


def _distinct(problem: Problem, roots: list[np.ndarray], q: np.ndarray) -> list[np.ndarray]:
    kept: list[np.ndarray] = []
    for root in roots:
        same = any(
            np.max(np.abs(root - k) / np.maximum(sizes(problem, k), np.abs(root))) < SAME for k in kept
        )
        if not same and positivity(problem, root, q):
            kept.append(root)
    return kept


def _is_stable(problem: Problem, x: np.ndarray, q: np.ndarray) -> bool:
    size = sizes(problem, x)
    values = np.linalg.eigvals(problem.jacobian(x, q) * (size[None, :] / size[:, None]))
    return bool((values.real < 0.0).all())
