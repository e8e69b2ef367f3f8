"""Arithmetic of a step: operations per second against what the core can do, and what compiling costs."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ

from numba import njit

from analysis._speed import Row, cpu_seconds
from analysis._speed.cases import Subject
from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import CompiledModel
from cascades.compiler.lanes import build_lane_code, plan_lane_code
from cascades.kernels.rodas5p import STAGES, A, C
from cascades.kernels.vectors import aligned_rows, fma, lane_tuple, load, native_lanes, splat, store
from cascades.simulate import make_batch
from cascades.solvers.rodas5p import Rodas5P

_MEMBERS = 64
_TURNS = 4_000_000
_CHAINS = 12  # independent sums that hide the latency of a multiply-add
_WEIGHT = {"fadd": 1, "fsub": 1, "fmul": 1, "fdiv": 1, "fneg": 0, "fmuladd": 2}
_ERROR = 9  # operations per state for the end of the step and its error


def peak() -> float:
    """Multiply-adds per second of this core with its widest vectors, counted as two operations each."""
    lanes, rows = lane_tuple(native_lanes()), aligned_rows(_CHAINS + 2, native_lanes())
    rows[:] = 1e-3
    seconds = min(cpu_seconds([lambda: _multiply_add(lanes, rows, _TURNS)] * 3, 3))
    return 2.0 * _CHAINS * native_lanes() * _TURNS / seconds


@njit(nogil=True)
def _multiply_add(lanes, rows, turns):  # type: ignore[no-untyped-def]
    x, y = splat(lanes, 0.999), splat(lanes, 1e-9)
    a, b, c, d = load(lanes, rows, 0), load(lanes, rows, 1), load(lanes, rows, 2), load(lanes, rows, 3)
    e, f, g, h = load(lanes, rows, 4), load(lanes, rows, 5), load(lanes, rows, 6), load(lanes, rows, 7)
    i, j, k, m = load(lanes, rows, 8), load(lanes, rows, 9), load(lanes, rows, 10), load(lanes, rows, 11)
    for _ in range(turns):
        a, b, c, d = fma(a, x, y), fma(b, x, y), fma(c, x, y), fma(d, x, y)
        e, f, g, h = fma(e, x, y), fma(f, x, y), fma(g, x, y), fma(h, x, y)
        i, j, k, m = fma(i, x, y), fma(j, x, y), fma(k, x, y), fma(m, x, y)
    store(rows, 12, a + b + c + d + e + f + g + h + i + j + k + m)


def operations(compiled: CompiledModel) -> float:
    """Floating-point operations of one step of one member: formulas, factors, solutions, sums of stages."""
    plan = plan_lane_code(compiled, native_lanes())
    counted = _by_function(plan.text())
    tiles = plan.storage
    looped = 0
    if tiles.groups.size > 1:
        counts = tiles.updates[3::5]
        looped = 32 * counts.sum() + 64 * counts.size + 12 * tiles.groups[2::3].sum()
    sums = 2 * sum(len(row) for row in (*A, *C)) + 2 * (STAGES - 1) + _ERROR
    n = len(compiled.state_names)
    return float(STAGES * (counted["rates"] + counted["solve"]) + counted["factor"] + looped + n * sums)


def _by_function(text: str) -> dict[str, int]:
    """Operations per lane in the functions of a module; a function's pieces are counted with it."""
    found: dict[str, int] = {}
    for name, body in re.findall(r"define [^@]*@(\w+?)(?:_\d+)?\([^{]*\{(.*?)\n\}", text, flags=re.DOTALL):
        used = re.findall(r"= (fadd|fsub|fmul|fdiv|fneg) |@llvm\.(fmuladd)\.", body)
        found[name] = found.get(name, 0) + sum(_WEIGHT[a or b] for a, b in used)
    return found


def rates_of_arithmetic(chosen: list[Subject]) -> list[Row]:
    top = peak()
    rows = [Row("peak of the core, multiply-adds on its widest vectors", top / 1e9, "GFlop/s")]
    lanes = Rodas5P(threads=1)
    for subject in chosen:
        times, stimuli = subject.times("100 at 100 Hz"), subject.protocol("100 at 100 Hz")
        problem = make_batch(
            subject.compiled, times, stimuli, subject.ensemble(_MEMBERS), None, lanes, 1e-5
        ).problem()
        lanes.integrate(problem)
        steps = lanes.integrate(problem).steps.sum()
        seconds = cpu_seconds([lambda problem=problem: lanes.integrate(problem)], 3)[0]  # type: ignore[misc]
        done = operations(subject.compiled)
        reached = done * steps / seconds
        name = (
            f"{subject.name}: {done / 1e3:.3g} thousand operations per step, {reached / top:.0%} of the peak"
        )
        rows.append(Row(name, reached / 1e9, "GFlop/s"))
    return rows


def compile_times(chosen: list[Subject]) -> list[Row]:
    rows = []
    for subject in chosen:
        model = subject.compiled.model
        if model is None:
            continue
        wide = native_lanes()
        for what, lanes, quick in (("one lane", 1, True), (f"{wide} lanes, optimised", wide, False)):
            with _empty_cache():
                start = time.process_time()
                build_lane_code(CompiledModel(build_equations(model), model), lanes, quick=quick)
                spent = time.process_time() - start
            rows.append(Row(f"{subject.name}: equations and code for {what}, nothing cached", spent, "s"))
    return rows


@contextmanager
def _empty_cache() -> Iterator[None]:
    before = environ.get("CASCADES_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        environ["CASCADES_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del environ["CASCADES_CACHE"]
            else:
                environ["CASCADES_CACHE"] = before
