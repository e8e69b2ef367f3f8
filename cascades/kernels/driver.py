"""The driver: stiff initial-value problems by Rodas5P, one member per vector lane.

Every lane has its own time, step, error and list of stops; a lane whose member has ended takes the
next one from a queue that all threads share.  A member's result does not depend on the lane, the
thread or the neighbours it had.

One pass of the loop in `run`: settle (changes that happen at the present time, conditions, outputs,
new members), then one step of all lanes.  `run` returns when nothing is left, when a lane needs the
caller (an event's trigger changed, a delayed event is due), or after `budget` steps.
"""

from __future__ import annotations

import numpy as np

from cascades.kernels.control import try_step
from cascades.kernels.entry import entry_point
from cascades.kernels.inside import move, watch
from cascades.kernels.lanes import ATTENTION, CODE, FINISHED, JOB, PAUSED, ROWS, lane_record, vector_width
from cascades.kernels.settling import halt_members, settle
from cascades.kernels.vectors import lane_tuple, whole_at


@entry_point
def run(lanes, wide, code_record, job_record, lane_record_, row_record, budget):
    """Integrate members until none is left, a lane needs the caller, or `budget` steps are done."""
    code, job, ln, rows = code_record[0], job_record[0], lane_record_[0], row_record[0]
    n, n_wide = code.n, code.n_wide
    for _ in range(budget):
        working = settle(lanes, wide, code, job, ln, rows, n)
        if working < 0:
            return ATTENTION
        if working == 0:
            return FINISHED
        if whole_at(job.halt, 0) != 0:
            halt_members(lanes, job, ln)
            return FINISHED
        n_accepted = try_step(lanes, wide, code, job, ln, rows, n_wide, n)
        if n_accepted > 0:
            inside = watch(lanes, wide, code, job, ln, rows, n_wide)
            move(lanes, wide, code, job, ln, rows, n_wide, n, n_accepted, inside)
    return PAUSED


def compile_driver(lanes: int) -> None:
    """Compile `run` for a number of lanes, or load it from numba's cache."""
    from numba import typeof

    marks = (lane_tuple(lanes), lane_tuple(vector_width(lanes)))
    records = (np.zeros(1, dtype=layout) for layout in (CODE, JOB, lane_record(lanes), ROWS))
    run.compile(tuple(typeof(a) for a in (*marks, *records, 1)))


def is_compiled() -> bool:
    """Whether `run` was compiled by this process, or by an earlier one for any number of lanes."""
    if run.overloads:
        return True
    from pathlib import Path

    return any(Path(run.stats.cache_path).glob("driver.run-*.nbc"))
