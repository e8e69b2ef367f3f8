"""States and their derivatives with respect to parameters and initial states, by Rodas5P.

The derivative is that of the discrete steps themselves.  It passes through spikes exactly, through
discontinuities and events with the shift of their times: at a time t* that depends on parameters,
s + f dt* (the derivative along the moving end of the piece) is what carries over (Galan, Feehery &
Barton 1999, Applied Numerical Mathematics 31:17).

Differences between members that take the same steps, one per lane, give the same numbers with half the
digits.  They are the check (`tests/solvers/test_frozen_steps.py`) and no option, because they are not
cheaper: docs/speed_sensitivities.md has both times.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.derivatives import directional, gradients
from cascades.compiler.lanes import freeze
from cascades.expression import ONE, ZERO, Expr, add, evaluate, mul, symbol
from cascades.solvers.base import Integration
from cascades.solvers.events import Events, Pending
from cascades.solvers.rodas5p import buffer_sizes, give_up, make_job, pack_code
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import Stops, resolve

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.compiler.tangents import TangentCode
    from cascades.kernels.lanes import Memory

_BUDGET = 1_000
_MAX_STEPS = 10_000_000


@dataclass(frozen=True, eq=False)
class Tangents:
    """values (times, n), slopes (times, n, directions), the status (see `REASONS`), the time reached."""

    values: np.ndarray
    slopes: np.ndarray
    status: int
    reached: float
    steps: int


def integrate_tangents(
    compiled: CompiledModel,
    times: np.ndarray,
    y: np.ndarray,
    p: np.ndarray,
    y_slopes: np.ndarray,
    p_slopes: np.ndarray,
    *,
    stops: Stops | None = None,
    rtol: float = 1e-6,
) -> Tangents:
    """One member from time 0, with its derivatives along d directions.

    Parameters
    ----------
    times : shape (times,), sorted
    y, p : initial state and parameter values, shapes (n,) and (m,)
    y_slopes, p_slopes : their derivatives along the directions, shapes (n, d) and (m, d)
    stops : what the protocol does
    """
    from cascades.kernels import lanes, tangents
    from cascades.kernels.vectors import lane_tuple, native_lanes

    width = native_lanes()
    compiled_lanes = compiled.lane_code(1)
    code = pack_code(compiled_lanes)
    times = np.ascontiguousarray(times, dtype=np.float64)
    stops = stops if stops is not None else resolve(None, compiled.equations)
    atol = absolute_tolerance(compiled, rtol)
    job = make_job(Integration(compiled, times, y[None], p[None], [stops], rtol, atol), _MAX_STEPS)
    state = lanes.make_lanes(1)
    rows = lanes.make_rows(1, buffer_sizes(compiled_lanes), atol)
    groups = _Groups.make(compiled, width, times.size, y_slopes, p_slopes)
    crossing = _Crossing(compiled, groups, rows, state)
    events = Events(compiled, crossing)
    marks = (lane_tuple(1), lane_tuple(lanes.vector_width(1)))
    if compiled_lanes.algebraic.size:
        groups.memory["stop"][0] = -1  # the first settling counts as a jump
    while True:
        try:
            reason = tangents.run_tangents(
                *marks, code.record, job.record, state, rows.record, groups.memory.record, _BUDGET
            )
        except KeyboardInterrupt:
            job["halt"][0] = 1
            continue
        if reason == lanes.FINISHED:
            break
        if reason == lanes.ATTENTION:
            give_up(events.respond(state, rows), state, job)
        elif reason == tangents.CROSSED:
            crossing.cross()
        elif reason == tangents.JUMPED:
            crossing.follow_algebraic()
    return Tangents(
        job["out"][0],
        groups.memory["out"],
        int(job["status"][0]),
        float(job["reached"][0]),
        int(job["steps"][0]),
    )


@dataclass(frozen=True, eq=False)
class _Groups:
    """The derivatives in the kernel's layout: groups of rows q, s, v, one direction per lane."""

    memory: Memory
    width: int
    n: int
    m: int
    n_directions: int

    @classmethod
    def make(
        cls, compiled: CompiledModel, width: int, n_times: int, y_slopes: np.ndarray, p_slopes: np.ndarray
    ) -> _Groups:
        from cascades.kernels.lanes import pack, padded_states
        from cascades.kernels.rodas5p import STAGES
        from cascades.kernels.tangents import TANGENTS
        from cascades.kernels.vectors import aligned_rows

        (n, d), m = y_slopes.shape, p_slopes.shape[0]
        n_groups = -(-d // width)
        code = compiled.tangent_code(width)
        start, entries = _entries(code, (p_slopes != 0.0).tobytes(), p_slopes.shape, width)
        calls = STAGES // width
        arrays = {
            "points": aligned_rows(STAGES * padded_states(1, n) // width, width),
            "blocks": aligned_rows(calls * 2 * n, width),
            "fixed": aligned_rows(code.n_fixed, 1),
            "context": aligned_rows(calls * 2, width),
            "coefficients": aligned_rows(calls * (code.rows.size + code.n_pushes), width),
            "pushes": aligned_rows(STAGES * code.n_pushes + 1, 1),
            "groups": aligned_rows(max(n_groups, 1) * (m + 2 * n), width),
            "initial": aligned_rows(max(n_groups, 1) * (m + 2 * n), width),
            "du": aligned_rows(STAGES * n, width),
            "probe": aligned_rows(n, width),
            "out": np.full((n_times, n, d), np.nan),
            "start": start,
            "entries": entries,
            "stop": np.zeros(1, dtype=np.int64),
            "output": np.zeros(1, dtype=np.int64),
        }
        numbers = {
            "slopes": code.slopes, "follow": code.follow, "n_groups": n_groups, "n_directions": d, "m": m,
            "n_entries": code.rows.size, "n_pushes": code.n_pushes,
        }  # fmt: skip
        found = cls(pack(TANGENTS, arrays, numbers), width, n, m, d)
        view = found.view("groups")
        found.write(view[:, :m], p_slopes)
        found.write(view[:, m : m + n], y_slopes)
        arrays["initial"][:] = arrays["groups"]
        return found

    def view(self, name: str) -> np.ndarray:
        """Shape (groups, rows, lanes)."""
        return self.memory[name].reshape(-1, self.m + 2 * self.n, self.width)

    def write(self, part: np.ndarray, slopes: np.ndarray) -> None:
        """Fill rows (groups, k, lanes) from slopes of shape (k, directions)."""
        full = np.zeros((slopes.shape[0], part.shape[0] * self.width))
        full[:, : self.n_directions] = slopes
        part[:] = full.reshape(slopes.shape[0], part.shape[0], self.width).transpose(1, 0, 2)

    def read(self, first: int, count: int) -> np.ndarray:
        """Rows as an array of shape (count, directions)."""
        part = self.view("groups")[:, first : first + count]
        return part.transpose(1, 0, 2).reshape(count, -1)[:, : self.n_directions].copy()

    @property
    def s(self) -> np.ndarray:
        return self.read(self.m, self.n)

    @property
    def q(self) -> np.ndarray:
        return self.read(0, self.m)

    def set_s(self, slopes: np.ndarray) -> None:
        self.write(self.view("groups")[:, self.m : self.m + self.n], slopes)


@lru_cache(maxsize=32)
def _entries(
    code: TangentCode, moves_bytes: bytes, shape: tuple[int, int], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where each group's entries begin, and (row, parameter, place) of all, one after the other.

    `moves_bytes` says for parameters and directions, of that shape, whether one moves with the other.
    """
    m, d = shape
    n_groups = -(-d // width)
    moves = np.zeros((m, n_groups * width), dtype=bool)
    moves[:, :d] = np.frombuffer(moves_bytes, dtype=bool).reshape(shape)
    by_group = np.logical_or.reduce(moves.reshape(m, n_groups, width), axis=2)
    group, place = np.nonzero(by_group[code.parameters].T)
    start = np.searchsorted(group, np.arange(n_groups + 1)).astype(np.int64)
    table = np.column_stack([code.rows[place], code.parameters[place], place])
    return start, np.ascontiguousarray(table, dtype=np.int64).ravel()


@dataclass
class _Crossing:
    """Carries derivatives over discontinuities and events.

    `shift` is the derivative of the time `shift_time` at which the last condition changed.
    """

    compiled: CompiledModel
    groups: _Groups
    rows: Memory
    state: np.ndarray
    shift: Any = 0.0
    shift_time: float = field(default=-1.0)

    def cross(self) -> None:
        """A relation changed at the present time: the rates before and after it differ."""
        t, y, p = self._now()
        before = self._rates_with_known_modes(t)
        s = self.groups.s
        self.shift, self.shift_time = np.zeros(self.groups.n_directions), t
        slopes = self._boundary(t, y, p, before)
        if slopes is not None:
            along, speed = slopes
            if speed != 0.0:
                self.shift = -along / speed
        after = self.compiled.rates(y, p, t)
        self.groups.set_s(s + np.outer(before - after, self.shift))
        self.follow_algebraic()

    def follow_algebraic(self) -> None:
        """Derivatives of algebraic states from those of the others: g_a s_a = -(g_d s_d + g_p q)."""
        algebraic = np.array(self.compiled.equations.is_algebraic)
        if not algebraic.any():
            return
        t, y, p = self._now()
        jacobian = self.compiled.jacobian(y, p, t)[algebraic]
        s = self.groups.s
        by_parameter = self.compiled.parameter_jacobian(y, p, t)[algebraic] @ self.groups.q
        push = jacobian[:, ~algebraic] @ s[~algebraic] + by_parameter
        s[algebraic] = np.linalg.solve(jacobian[:, algebraic], -push)
        self.groups.set_s(s)

    def fired(self, item: Pending, t: float, y: np.ndarray, p: np.ndarray) -> Any:
        """The derivative of the event's time and of the values that it will assign, if they are fixed."""
        shift = self._shift_at(t)
        formulas = _event_slopes(self.compiled)[item.event]
        values = self._values(t, y, p, shift)
        delay = np.asarray(evaluate([formulas.delay], values)[0])
        assigned = None
        if item.values is not None:
            assigned = np.array(
                [np.broadcast_to(v, shift.shape) for v in evaluate(formulas.assignments, values)]
            )
        return shift + delay, assigned

    def happened(self, item: Pending, t: float, before: np.ndarray, after: np.ndarray, p: np.ndarray) -> None:
        shift, assigned = item.note
        formulas = _event_slopes(self.compiled)[item.event]
        moving = self.groups.s + np.outer(self.compiled.rates(before, p, t), shift)
        if assigned is None:
            values = self._values(t, before, p, shift)
            assigned = np.array(
                [np.broadcast_to(v, shift.shape) for v in evaluate(formulas.assignments, values)]
            )
        for row, (name, _) in zip(
            assigned, self.compiled.equations.events[item.event].assignments, strict=True
        ):
            moving[self.compiled.state_index[name]] = row
        self.groups.set_s(moving - np.outer(self.compiled.rates(after, p, t), shift))
        self.follow_algebraic()

    def _now(self) -> tuple[float, np.ndarray, np.ndarray]:
        n, m = self.groups.n, self.groups.m
        y, p = self.rows["y"][:n, 0].copy(), self.rows["p"][:m, 0].copy()
        return float(self.state["t"][0, 0]), y, p

    def _shift_at(self, t: float) -> np.ndarray:
        return self.shift if t == self.shift_time else np.zeros(self.groups.n_directions)

    def _values(self, t: float, y: np.ndarray, p: np.ndarray, shift: np.ndarray) -> dict[str, Any]:
        """Numbers for formulas of states, parameters and their derivatives along the moving end."""
        s = self.groups.s + np.outer(self.compiled.rates(y, p, t), shift)
        q = self.groups.q
        values: dict[str, Any] = dict(zip(self.compiled.state_names, y, strict=True)) | {"time": t}
        values |= dict(zip(self.compiled.parameter_names, p, strict=True))
        values |= {f"d:{name}": row for name, row in zip(self.compiled.state_names, s, strict=True)}
        values |= {f"d:{name}": row for name, row in zip(self.compiled.parameter_names, q, strict=True)}
        return values | {"d:time": shift}

    def _rates_with_known_modes(self, t: float) -> np.ndarray:
        """The rates as the step just taken saw them."""
        code = self.compiled.lane_code(1)
        out = self.rows["keep"]
        self.rows["x"][0] = t
        function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.rates)
        function(*(self.rows[name].ctypes.data for name in ("y", "p", "x", "keep")))
        return out[: self.groups.n, 0].copy()

    def _boundary(
        self, t: float, y: np.ndarray, p: np.ndarray, rates: np.ndarray
    ) -> tuple[np.ndarray, float] | None:
        """For the relation that changed: the derivative of left - right along the directions, and in time."""
        relations = _relation_slopes(self.compiled)
        values: dict[str, Any] = dict(zip(self.compiled.state_names, y, strict=True)) | {"time": t}
        values |= dict(zip(self.compiled.parameter_names, p, strict=True))
        now = evaluate([relation.truth for relation in relations], values)
        for k, relation in enumerate(relations):
            if float(now[k]) == self.rows["known"][k, 0]:
                continue
            slopes = evaluate(list(relation.by.values()), values)
            by = dict(zip(relation.by, slopes, strict=True))
            s, q = self.groups.s, self.groups.q
            along, speed = np.zeros(self.groups.n_directions), 0.0
            for name, slope in by.items():
                if name == "time":
                    speed += slope
                elif name in self.compiled.state_index:
                    i = self.compiled.state_index[name]
                    along += slope * s[i]
                    speed += slope * rates[i]
                else:
                    along += slope * q[self.compiled.parameter_index[name]]
            return along, float(speed)
        return None


@dataclass(frozen=True)
class _Relation:
    truth: Expr
    by: dict[str, Expr]  # derivatives of left - right


@dataclass(frozen=True)
class _EventSlopes:
    delay: Expr
    assignments: list[Expr]


@lru_cache(maxsize=32)
def _relation_slopes(compiled: CompiledModel) -> list[_Relation]:
    names = (*compiled.state_names, *compiled.parameter_names, "time")
    relations = freeze(compiled).relations
    differences = [add(r.args[0], mul(-1, r.args[1])) if len(r.args) > 1 else ONE for r in relations]
    return [_Relation(r, by) for r, by in zip(relations, gradients(differences, names), strict=True)]


@lru_cache(maxsize=32)
def _event_slopes(compiled: CompiledModel) -> list[_EventSlopes]:
    names = (*compiled.state_names, *compiled.parameter_names, "time")
    along = {name: symbol(f"d:{name}") for name in names}
    found = []
    for event in compiled.equations.events:
        delay = directional([event.delay], along)[0] if event.delay is not None else ZERO
        found.append(_EventSlopes(delay, directional([formula for _, formula in event.assignments], along)))
    return found
