"""Rodas5P in vector lanes: the solver for stiff runs, single or by the million.

Members are shared out over lanes and threads by `cascades.kernels.lanes`; this file turns a problem
into arrays, starts the threads, and looks after state-triggered events.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.solvers.base import Integration, Solution, Solver

if TYPE_CHECKING:
    from cascades.compiler.lanes import LaneCode
    from cascades.kernels.lanes import Code, Job

_BUDGET = 20_000  # steps between looks at the keyboard
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

    def integrate(self, problem: Integration) -> Solution:
        from cascades.kernels import lanes as kernel
        from cascades.kernels.vectors import lane_tuple, native_lanes

        lanes = self.lanes or (native_lanes() if problem.n_members > 1 else 1)
        code = problem.compiled.lane_code(lanes)
        job = make_job(problem, self.max_steps)
        call = (
            lane_tuple(lanes),
            lane_tuple(lanes if lanes > 1 else native_lanes()),
            lane_addresses(code),
            job,
        )

        def work() -> None:
            state = kernel.make_lanes(lanes)
            rows = kernel.make_rows(
                lanes, code.n_states, code.n_parameters, code.n_context, code.n_factors,
                code.n_conditions + code.n_triggers, problem.atol,
            )  # fmt: skip
            while True:
                reason = kernel.run(*call, state, rows, _BUDGET)
                if reason == kernel.FINISHED:
                    return
                if reason == kernel.ATTENTION:
                    raise SystemError("no event can fire without code for it")

        _in_threads(work, self._n_threads(problem.n_members, lanes), job)
        return Solution(job.out, job.status, job.reached, job.steps)

    def _n_threads(self, members: int, lanes: int) -> int:
        import os

        available = self.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        return max(1, min(available, members // (2 * lanes)))


def make_job(problem: Integration, max_steps: int, reported: Any = None) -> Job:
    """The arrays of a problem.  `reported` are the states that are kept (all by default)."""
    from cascades.kernels.lanes import INTERRUPTED, Job

    members, n = problem.initial.shape
    sizes = np.array([stops.time.size for stops in problem.stops], dtype=np.int64)
    last = np.cumsum(sizes)
    which = np.arange(members) if len(problem.stops) > 1 else np.zeros(members, dtype=np.int64)
    kept = np.arange(n) if reported is None else np.asarray(reported, dtype=np.int64)

    def joined(name: str, kind: Any) -> Any:
        parts = [getattr(stops, name) for stops in problem.stops]
        return np.concatenate([*parts, np.zeros(1, dtype=kind)]).astype(kind)

    events = problem.compiled.equations.events
    return Job(
        initial=np.ascontiguousarray(problem.initial, dtype=np.float64),
        parameters=np.ascontiguousarray(problem.parameters, dtype=np.float64),
        first_stop=(last - sizes)[which],
        last_stop=last[which],
        stop_time=joined("time", np.float64),
        stop_action=joined("action", np.int64),
        stop_index=joined("index", np.int64),
        stop_value=joined("value", np.float64),
        stop_jump=joined("jump", np.int64),
        triggers=np.array([float(event.initial_value) for event in events]),
        times=np.ascontiguousarray(problem.times, dtype=np.float64),
        reported=kept,
        out=np.full((members, problem.times.size, kept.size), np.nan),
        status=np.full(members, INTERRUPTED, dtype=np.int64),
        reached=np.zeros(members),
        steps=np.zeros(members, dtype=np.int64),
        queue=np.zeros(1, dtype=np.int64),
        done=np.zeros(1, dtype=np.int64),
        halt=np.zeros(1, dtype=np.int64),
        rtol=float(problem.rtol),
        max_steps=max_steps,
    )


def lane_addresses(code: LaneCode) -> Code:
    from cascades.kernels.lanes import Code

    table = code.table
    has_table = int(table.runs.size > 1)
    return Code(
        code.rates, code.factor, code.solve, code.time_slope, code.conditions, has_table,
        table.start, table.columns, table.diagonal, table.run_start, table.runs, code.algebraic,
    )  # fmt: skip


def _in_threads(work: Any, n_threads: int, job: Job) -> None:
    """Run `work` in threads; Ctrl-C halts them and keeps what is done."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            job.halt[0] = 1
            errors.append(error)

    if n_threads == 1 and threading.current_thread() is not threading.main_thread():
        work()
        return
    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_WHILE_WAITING)
    except KeyboardInterrupt:
        job.halt[0] = 1
        for thread in threads:
            thread.join()
        raise
    if errors:
        raise errors[0]
