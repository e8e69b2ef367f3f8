"""Rodas5P in vector lanes: the solver for stiff runs, single or by the million.

Members are shared out over lanes and threads by `cascades.kernels.driver`; this file turns a problem
into arrays, starts the threads, and looks after state-triggered events.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.solvers.base import Integration, Solution, Solver
from cascades.solvers.events import Events

if TYPE_CHECKING:
    from cascades.compiler.lanes import LaneCode
    from cascades.kernels.lanes import Memory

_BUDGET = 2_000  # steps between looks at the keyboard
_WHILE_WAITING = 0.05  # s


@dataclass(frozen=True)
class Rodas5P(Solver):
    """Steinebach (2023) BIT Numer Math 63:27.

    Parameters
    ----------
    threads : int
        Threads for ensembles; 0 takes as many as there are processors.  Results do not depend on it.
    lanes : int
        Members per vector; 0 takes what the processor has (1 for a single member).
    max_steps : int
        Steps after which a member is given up.
    """

    name = "rodas5p"
    handles_events = True

    threads: int = 0
    lanes: int = 0
    max_steps: int = 10_000_000

    def identity(self) -> str:
        return f"{self.name} {self.max_steps}"

    def integrate(self, problem: Integration) -> Solution:
        from cascades.kernels import driver, lanes
        from cascades.kernels.vectors import lane_tuple, native_lanes

        if not driver.is_compiled():
            sys.stderr.write("cascades: compiling the solver, once per installation (some ten seconds)\n")
        width = self.lanes or (native_lanes() if problem.n_members > 1 else 1)
        compiled = problem.compiled.lane_code(width)
        code = pack_code(compiled)
        job = make_job(problem, self.max_steps)
        marks = (lane_tuple(width), lane_tuple(lanes.vector_width(width)))

        def work() -> None:
            state = lanes.make_lanes(width)
            rows = lanes.make_rows(width, buffer_sizes(compiled), problem.atol)
            events = Events(problem.compiled)
            while True:
                try:
                    reason = driver.run(*marks, code.record, job.record, state, rows.record, _BUDGET)
                except KeyboardInterrupt:
                    job["halt"][0] = 1
                    continue
                if reason == lanes.FINISHED:
                    return
                if reason == lanes.ATTENTION:
                    give_up(events.respond(state, rows), state, job)

        start = time.perf_counter()
        _in_threads(work, self._n_threads(problem.n_members, width), job["halt"])
        if job["halt"][0] and not (job["status"] == lanes.INTERRUPTED).any():
            raise KeyboardInterrupt  # it came when everything was done: for whoever called
        problem.compiled.note_use(width, time.perf_counter() - start)
        return Solution(job["out"], job["status"], job["reached"], job["steps"])

    def _n_threads(self, members: int, lanes: int) -> int:
        available = self.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        return max(1, min(available, members // (2 * lanes)))


def give_up(failed: dict[int, int], state: np.ndarray, job: Memory) -> None:
    """Take members out of their lanes."""
    for lane, status in failed.items():
        member = state["member"][0, lane]
        job["status"][member] = status
        job["reached"][member] = state["t"][0, lane]
        state["member"][0, lane] = -1


def make_job(problem: Integration, max_steps: int, reported: Any = None) -> Memory:
    """The arrays of a problem.  `reported` are the states that are kept (all by default)."""
    from cascades.kernels.lanes import INTERRUPTED, JOB, pack

    members, n = problem.initial.shape
    sizes = np.array([stops.time.size for stops in problem.stops], dtype=np.int64)
    last = np.cumsum(sizes)
    which = np.arange(members) if len(problem.stops) > 1 else np.zeros(members, dtype=np.int64)
    kept = np.arange(n) if reported is None else np.asarray(reported, dtype=np.int64)
    times = np.ascontiguousarray(problem.times, dtype=np.float64)

    def joined(name: str, kind: Any) -> Any:
        parts = [getattr(stops, name) for stops in problem.stops]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(whole, dtype=kind)

    arrays = {
        "initial": np.ascontiguousarray(problem.initial, dtype=np.float64),
        "parameters": np.ascontiguousarray(problem.parameters, dtype=np.float64),
        "first_stop": (last - sizes)[which],
        "last_stop": last[which],
        "stop_time": joined("time", np.float64),
        "stop_action": joined("action", np.int64),
        "stop_index": joined("index", np.int64),
        "stop_value": joined("value", np.float64),
        "stop_jump": joined("jump", np.int64),
        "triggers": np.array([float(e.initial_value) for e in problem.compiled.equations.events]),
        "times": times,
        "reported": kept,
        "out": np.full((members, times.size, kept.size), np.nan),
        "status": np.full(members, INTERRUPTED, dtype=np.int64),
        "reached": np.zeros(members),
        "steps": np.zeros(members, dtype=np.int64),
        **{name: np.zeros(1, dtype=np.int64) for name in ("queue", "done", "halt")},
    }
    numbers = {
        "n_members": members, "n": n, "m": problem.parameters.shape[1], "n_times": times.size,
        "n_reported": kept.size, "max_steps": max_steps, "rtol": problem.rtol, "end": times[-1],
    }  # fmt: skip
    return pack(JOB, arrays, numbers)


@lru_cache(maxsize=128)
def pack_code(code: LaneCode) -> Memory:
    """The record of a model's compiled functions."""
    from cascades.kernels.lanes import CODE, pack, padded_states, vector_width

    table = code.table
    arrays = {field.name: getattr(table, field.name) for field in fields(table)}
    numbers = {name: getattr(code, name) for name in ("rates", "factor", "solve", "time_slope", "conditions")}
    numbers |= {
        "n": code.n_states,
        "n_wide": padded_states(code.lanes, code.n_states) * code.lanes // vector_width(code.lanes),
        "n_watched": code.n_conditions + code.n_triggers,
        "n_modes": code.n_conditions,
        "n_algebraic": code.algebraic.size,
        "has_table": int(table.exists),
        "n_groups": table.groups.size // 3 - 1 if table.groups.size > 1 else 0,
    }
    return pack(CODE, {**arrays, "algebraic": code.algebraic}, numbers)


def buffer_sizes(code: LaneCode) -> dict[str, int]:
    """What `kernels.lanes.make_rows` needs to know."""
    return {
        "n": code.n_states, "m": code.n_parameters, "x": code.n_context, "w": code.n_factors,
        "watched": code.n_conditions + code.n_triggers, "blocks": code.table.blocks.size,
    }  # fmt: skip


def _in_threads(work: Callable[[], None], n_threads: int, halt: np.ndarray) -> None:
    """Run `work` in threads.  Ctrl-C halts them; what they did is kept."""
    if n_threads == 1:
        work()
        return
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            halt[0] = 1
            errors.append(error)

    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join(_WHILE_WAITING)
            except KeyboardInterrupt:
                halt[0] = 1
    if errors:
        raise errors[0]
