"""One member integrated piece by piece between the stops of its protocol, by somebody else's code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cascades.solvers.base import NOT_FINITE, Integration, Solution
from cascades.stops import Stops

# advance(t, t_end, outputs, y, p) -> values at the outputs and at t_end, shape (outputs + 1, states)
Advance = Callable[[float, float, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Stopped(Exception):
    """A member cannot go on: `time` reached, `status`, and the rows at the outputs before that."""

    def __init__(self, time: float, status: int, rows: Sequence[np.ndarray] = ()):
        super().__init__(time, status)
        self.time, self.status, self.rows = time, status, rows


def integrate_members(problem: Integration, advance: Callable[[int], Advance]) -> Solution:
    """Run every member; `advance(member)` makes the function that crosses one piece."""
    shape = (problem.n_members, problem.times.size, problem.initial.shape[1])
    values = np.full(shape, np.nan)
    status = np.zeros(problem.n_members, dtype=np.int64)
    reached = np.full(problem.n_members, problem.times[-1] if problem.times.size else 0.0)
    for member in range(problem.n_members):
        try:
            _cross(problem, member, problem.stops_of(member), advance(member), values[member])
        except Stopped as stopped:
            status[member], reached[member] = stopped.status, stopped.time
    return Solution(values, status, reached, np.zeros(problem.n_members, dtype=np.int64))


def _cross(problem: Integration, member: int, stops: Stops, advance: Advance, out: np.ndarray) -> None:
    times = problem.times
    y, p = problem.initial[member].copy(), problem.parameters[member].copy()
    y_start, p_start = y.copy(), p.copy()
    edges = stops.edges[stops.edges <= times[-1]]
    t = 0.0
    for edge in [*edges, np.inf]:
        end = min(edge, times[-1])
        rows = np.flatnonzero((times >= t) & ((times < edge) if edge <= times[-1] else (times <= end)))
        at_once = rows[times[rows] == t]
        out[at_once] = y
        later = rows[times[rows] > t]
        if end > t:
            try:
                piece = advance(t, end, times[later], y, p)
            except Stopped as stopped:
                if len(stopped.rows):
                    out[later[: len(stopped.rows)]] = stopped.rows
                raise
            if not np.isfinite(piece).all():
                raise Stopped(t, NOT_FINITE)
            out[later] = piece[:-1]
            y = piece[-1].copy()
        t = end
        if edge <= times[-1]:
            stops.apply(edge, y, p, y_start, p_start)
