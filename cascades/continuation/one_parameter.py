"""Branches of equilibria in one parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.arclength import CurvePoint, correct, first_tangent, follow, point_at
from cascades.continuation.branch import Branch, SpecialPoint
from cascades.continuation.compiled import as_problem
from cascades.continuation.events import EquilibriumCurve, Marked, eigenvalues, find_events, special_point
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, make_axis, scaled
from cascades.continuation.search import find_one, refuse_singular
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import ContinuationError
from cascades.steady import SteadyState

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

Start = SteadyState | SpecialPoint | Mapping[str, float] | np.ndarray | None
INTERRUPTED = "interrupted by the user"


def continuation(
    compiled: CompiledModel | Problem,
    parameter: str,
    bounds: Sequence[float],
    *,
    start: Start = None,
    values: Mapping[str, float] | None = None,
    settings: ContinuationSettings | None = None,
) -> Branch:
    """The branch of equilibria through `start`, followed both ways in `parameter` over its range.

    Parameters
    ----------
    parameter : parameter or conserved total
    bounds : (low, high)
    start : SteadyState, SpecialPoint, states by name or independent states, optional
        Where the branch is entered; if missing, the equilibrium that the model's initial state runs
        to at the lower end of the range.
    values : parameter values and conserved totals that differ from the model's own

    Raises
    ------
    UnknownName
    NoEquilibrium
        There is no equilibrium at the start, or the Jacobian is singular there in any case: a
        conserved total was missed, and the message names the states in it.
    ContinuationError
        The range makes no sense, or no rate depends on the parameter.
    """
    settings = settings or ContinuationSettings()
    names = {parameter, *(values or {})}
    problem = as_problem(compiled, names)
    axis = make_axis(problem, parameter, bounds, settings.parameter_scale)
    x, q = start_of(problem, parameter, axis, start, values)
    refuse_idle(problem, parameter, x, q)
    coordinates = scaled(problem, q, [axis], x)
    curve = EquilibriumCurve(coordinates)
    first = curve_point(curve, coordinates.pack(x, q), 1.0)
    return trace(curve, first, parameter, settings)


def start_of(
    problem: Problem, parameter: str, axis: Axis, start: Start, values: Mapping[str, float] | None
) -> tuple[np.ndarray, np.ndarray]:
    """An equilibrium x and its parameters q, within the range of the axis."""
    if isinstance(start, SpecialPoint):
        return state_and_values(problem, start)
    changed = dict(values or {})
    guess: np.ndarray | None = None
    if isinstance(start, SteadyState):
        known = {**start.values, **start.totals}
        changed = {name: known[name] for name in problem.parameter_names if name in known} | changed
        guess = np.array([start.state[name] for name in problem.state_names])
    elif isinstance(start, Mapping):
        guess = np.array([start[name] for name in problem.state_names])
    elif start is not None:
        guess = np.asarray(start, float)
    if guess is None:
        changed.setdefault(parameter, axis.low)
    q = problem.values(changed)
    q[axis.k] = min(max(q[axis.k], axis.low), axis.high)
    return find_one(problem, q, guess), q


def state_and_values(problem: Problem, point: SpecialPoint) -> tuple[np.ndarray, np.ndarray]:
    """x and q of a special point, which may have been found with other conserved totals free."""
    if point.problem is problem or point.problem is None:
        return point.x.copy(), point.q.copy()
    known = dict(zip(point.problem.parameter_names, point.q.tolist(), strict=True))
    shared = {name: value for name, value in known.items() if name in problem.parameter_names}
    return np.array([point.state[name] for name in problem.state_names]), problem.values(shared)


def refuse_idle(problem: Problem, parameter: str, x: np.ndarray, q: np.ndarray) -> None:
    """Raise if no rate depends on the parameter, or the Jacobian is singular whatever the state."""
    if not np.any(problem.parameter_derivative(x * 1.01 + 1e-3 * problem.scale, q, problem.index(parameter))):
        raise ContinuationError(f"no rate depends on {parameter}: there is nothing to follow")
    refuse_singular(problem, x, q)


def curve_point(curve: EquilibriumCurve, u: np.ndarray, direction: float) -> CurvePoint:
    """A point with the tangent along which the parameter grows (direction 1) or falls (-1)."""
    tangent = first_tangent(curve.linearise(u), u.size)
    sign = tangent[-1] if tangent[-1] != 0.0 else 1.0
    return point_at(curve, u, tangent * np.sign(sign) * direction)


def reversed_point(point: CurvePoint) -> CurvePoint:
    return CurvePoint(point.u, -point.tangent, point.linear, -point.orientation)


@dataclass
class _Half:
    """What following a branch in one direction has gathered."""

    points: list[Marked] = field(default_factory=list)
    special: list[SpecialPoint] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    closed: bool = False
    reason: str = ""


def trace(
    curve: EquilibriumCurve, first: CurvePoint, parameter: str, settings: ContinuationSettings
) -> Branch:
    """The whole branch through a point: one way, and unless it closes, the other way."""
    forward = _half(curve, first, settings)
    if forward.closed or forward.reason == INTERRUPTED:
        return _join(curve, parameter, _Half(), forward)
    return _join(curve, parameter, _half(curve, reversed_point(first), settings), forward)


def _half(curve: EquilibriumCurve, start: CurvePoint, settings: ContinuationSettings) -> _Half:
    half = _Half()
    here = Marked(start, eigenvalues(curve.scaled, start.linear))
    half.points.append(here)
    if _leaves(curve, start):
        half.reason = _leaves(curve, start)
        return half
    try:
        for step in _within(curve, start, settings, half):
            there = Marked(step, eigenvalues(curve.scaled, step.linear))
            special, dropped = find_events(curve, here, there)
            special += _user_events(curve, here.point, step, settings)
            half.special += special
            half.after += [len(half.points) - 1] * len(special)
            half.dropped += dropped
            half.points.append(there)
            here = there
    except KeyboardInterrupt:
        half.reason = INTERRUPTED
    return half


def _within(
    curve: EquilibriumCurve, start: CurvePoint, settings: ContinuationSettings, half: _Half
) -> Iterator[CurvePoint]:
    """The points after `start`, the last one moved onto the end of the range."""
    previous = start
    for step in follow(curve, start, settings):
        half.closed, half.reason = step.closed, step.reason
        point = step.after
        if step.closed:
            yield start
            return
        if step.reason and curve.in_range(point.u):
            ended = _onto_end(curve, previous, point)
            if ended is not None:
                yield ended
            return
        if point is not previous:
            yield point
        previous = point


def _leaves(curve: EquilibriumCurve, point: CurvePoint) -> str:
    """Whether a start at an end of the range points out of it."""
    probe = point.u.copy()
    probe[-1] += 1e-9 * np.sign(point.tangent[-1])
    return curve.in_range(probe)


def _onto_end(curve: EquilibriumCurve, inside: CurvePoint, outside: CurvePoint) -> CurvePoint | None:
    axis = curve.scaled.axes[0]
    low, high = axis.to_theta(axis.low), axis.to_theta(axis.high)
    theta = low if outside.u[-1] < low else high
    span = outside.u[-1] - inside.u[-1]
    if span == 0.0:
        return None
    guess = inside.u + (outside.u - inside.u) * (theta - inside.u[-1]) / span
    guess[-1] = theta
    row = np.zeros(guess.size)
    row[-1] = 1.0
    found = correct(curve, guess, row, 1e-11, level=theta)
    return None if found is None else point_at(curve, found[0], inside.tangent)


def _user_events(
    curve: EquilibriumCurve, before: CurvePoint, after: CurvePoint, settings: ContinuationSettings
) -> list[SpecialPoint]:
    found = []
    for name, level in settings.events:

        def height(u: np.ndarray, name: str = name, level: float = level) -> float:
            return float(curve.scaled.problem.observe(name, *curve.scaled.unpack(u))) - level

        low, high = before.u, after.u
        f_low, f_high = height(low), height(high)
        if f_low * f_high > 0.0 or f_low == f_high:
            continue
        for _ in range(60):
            guess = low + (high - low) * f_low / (f_low - f_high)
            corrected = correct(curve, guess, before.tangent, 1e-11)
            if corrected is None:
                break
            middle = corrected[0]
            f_middle = height(middle)
            if f_middle * f_low > 0.0:
                low, f_low = middle, f_middle
            else:
                high, f_high = middle, f_middle
            if abs(f_middle) < 1e-12 * max(1.0, abs(level)) or f_low == f_high:
                found.append(special_point(curve.scaled, "user", middle, {name: level}))
                break
    return found


def _join(curve: EquilibriumCurve, parameter: str, backward: _Half, forward: _Half) -> Branch:
    points = backward.points[:0:-1] + forward.points
    states, q = zip(*(curve.scaled.unpack(marked.point.u) for marked in points), strict=True)
    shift = len(backward.points) - 1 if backward.points else 0
    after = [shift - 1 - i for i in backward.after[::-1]] + [shift + i for i in forward.after]
    reasons = [half.reason for half in (backward, forward) if half.reason]
    return Branch(
        problem=curve.scaled.problem,
        parameters=(parameter,),
        states=np.array(states),
        parameter_values=np.array(q),
        eigenvalues=np.array([marked.eigenvalues for marked in points]),
        special_points=tuple(backward.special[::-1] + forward.special),
        special_after=tuple(after),
        closed=forward.closed,
        stopped_because="; ".join(dict.fromkeys(reasons)),
        dropped=tuple(backward.dropped + forward.dropped),
    )
