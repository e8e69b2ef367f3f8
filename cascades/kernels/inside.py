"""What lies within an accepted step: conditions that change, and outputs; and how lanes move on."""

from __future__ import annotations

import numpy as np
from numba import njit

from cascades.kernels.factor import INLINE
from cascades.kernels.lanes import MASK, PLACE, TIME
from cascades.kernels.step import interpolate, interpolation, set_control
from cascades.kernels.vectors import (
    call_code,
    cell,
    choose,
    load,
    real_at,
    set_cell,
    set_real,
    store,
    whole_at,
)

_PROBES = 4  # places within a step at which conditions are looked at
_HALVINGS = 60  # of the interval in which a condition changes


@njit(**INLINE)
def end_of_step(ln, lane):
    """A stop is hit exactly, whatever rounding says."""
    return ln.end[lane] if ln.hits[lane] != 0 else ln.t[lane] + ln.tried[lane]


@njit(**INLINE)
def has_inner_output(lanes, job, ln):
    for lane in range(len(lanes)):
        k = ln.output[lane]
        if ln.accepted[lane] != 0 and k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
            return True
    return False


@njit(**INLINE)
def watch(lanes, wide, code, job, ln, rows, n_wide):
    """Find changes of conditions within the accepted steps; whether the step has to be interpolated."""
    if code.conditions == 0 and not has_inner_output(lanes, job, ln):
        return False
    interpolation(wide, rows, n_wide)
    if code.conditions != 0:
        find_changes(lanes, wide, code, job, ln, rows, n_wide)
    return True


@njit(**INLINE)
def differs(lanes, code, rows, lane):
    for i in range(code.n_watched):
        if cell(lanes, rows.truth, i, lane) != cell(lanes, rows.known, i, lane):
            return True
    return False


@njit(**INLINE)
def look_inside(lanes, wide, code, ln, rows, n_wide):
    """Evaluate the conditions at each lane's time `look` within the step."""
    for lane in range(len(lanes)):
        place = (ln.look[lane] - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
        set_control(lanes, wide, rows, PLACE, lane, min(place, 1.0))
        set_cell(lanes, rows.x, TIME, lane, ln.look[lane])
    interpolate(wide, rows, n_wide)
    call_code(code.conditions, rows.probe, rows.p, rows.x, rows.truth, 0)


@njit(**INLINE)
def find_changes(lanes, wide, code, job, ln, rows, n_wide):
    """Shorten accepted steps in which a condition changes: they end at the first time, to the last
    digit, at which it has changed."""
    width = len(lanes)
    for lane in range(width):
        ln.low[lane], ln.high[lane] = ln.t[lane], np.inf
    for probe in range(1, _PROBES + 1):
        for lane in range(width):
            inner = ln.t[lane] + ln.tried[lane] * (probe / _PROBES)
            ln.look[lane] = inner if probe < _PROBES else end_of_step(ln, lane)
        look_inside(lanes, wide, code, ln, rows, n_wide)
        for lane in range(width):
            if ln.accepted[lane] != 0 and not np.isfinite(ln.high[lane]):
                note_look(lanes, code, ln, rows, lane)
    found = False
    for lane in range(width):
        found |= np.isfinite(ln.high[lane])
    if not found:
        return
    for _ in range(_HALVINGS):
        for lane in range(width):
            ln.look[lane] = 0.5 * (ln.low[lane] + ln.high[lane]) if np.isfinite(ln.high[lane]) else ln.t[lane]
        look_inside(lanes, wide, code, ln, rows, n_wide)
        for lane in range(width):
            if np.isfinite(ln.high[lane]):
                note_look(lanes, code, ln, rows, lane)
    for lane in range(width):
        if np.isfinite(ln.high[lane]):
            ln.hits[lane], ln.end[lane] = 1, ln.high[lane]


@njit(**INLINE)
def note_look(lanes, code, ln, rows, lane):
    if differs(lanes, code, rows, lane):
        ln.high[lane] = ln.look[lane]
    else:
        ln.low[lane] = ln.look[lane]


@njit(**INLINE)
def cut_short(lanes, wide, ln, rows, n_wide, n):
    """trial = the state where a condition changed, in the lanes where one did."""
    for lane in range(len(lanes)):
        place = (ln.high[lane] - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
        set_control(lanes, wide, rows, PLACE, lane, min(place, 1.0))
    interpolate(wide, rows, n_wide)
    for lane in range(len(lanes)):
        if ln.accepted[lane] != 0 and np.isfinite(ln.high[lane]):
            for i in range(n):
                set_cell(lanes, rows.trial, i, lane, cell(lanes, rows.probe, i, lane))


@njit(**INLINE)
def write_inside(lanes, wide, job, ln, rows, n_wide):
    """Outputs within the accepted steps, by interpolation, one of each lane at a time."""
    while True:
        wanted = False
        for lane in range(len(lanes)):
            place = 0.0
            if ln.accepted[lane] != 0:
                k = ln.output[lane]
                if k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
                    place = (real_at(job.times, k) - ln.t[lane]) / cell(lanes, rows.clock, 1, lane)
                    wanted = True
            set_control(lanes, wide, rows, PLACE, lane, place)
        if not wanted:
            return
        interpolate(wide, rows, n_wide)
        for lane in range(len(lanes)):
            k = ln.output[lane]
            if ln.accepted[lane] != 0 and k < job.n_times and real_at(job.times, k) < end_of_step(ln, lane):
                for i in range(job.n_reported):
                    set_real(
                        job.out,
                        (ln.member[lane] * job.n_times + k) * job.n_reported + i,
                        cell(lanes, rows.probe, whole_at(job.reported, i), lane),
                    )
                ln.output[lane] += 1


@njit(**INLINE)
def move(lanes, wide, code, job, ln, rows, n_wide, n, n_accepted, inside):
    """Write outputs within the accepted steps and move their lanes to the end of them."""
    width = len(lanes)
    if inside:
        write_inside(lanes, wide, job, ln, rows, n_wide)
        if code.conditions != 0:
            cut_short(lanes, wide, ln, rows, n_wide, n)
    if n_accepted == width:
        for k in range(n_wide):
            store(rows.y, k, load(wide, rows.trial, k))
    else:
        mask = load(wide, rows.control, MASK)
        for k in range(n_wide):
            store(rows.y, k, choose(mask, load(wide, rows.trial, k), load(wide, rows.y, k)))
    for lane in range(width):
        if ln.accepted[lane] == 0:
            continue
        ln.t[lane] = end_of_step(ln, lane)
        if code.conditions != 0 and np.isfinite(ln.high[lane]):
            ln.stale[lane] = 1
            ln.fresh[lane] = 1
