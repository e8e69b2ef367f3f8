"""One experiment: its periods crossed one after the other, its observables read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.expression import TIME, Expr, evaluate, free_symbols, substitute
from cascades.fitting.prepare import Formula, Group, Plan, Prepared
from cascades.fitting.tangents import Failure, Point, integrate, settle


@dataclass(frozen=True, eq=False)
class Reading:
    """Observables and their noise at some rows of the data, with slopes of shape (rows, parameters)."""

    rows: np.ndarray
    simulated: np.ndarray
    simulated_slopes: np.ndarray
    sigma: np.ndarray
    sigma_slopes: np.ndarray


def run(
    prepared: Prepared,
    plan: Plan,
    values: Mapping[str, float],
    directions: Mapping[str, np.ndarray],
    width: int,
    rtol: float,
) -> list[Reading]:
    """Cross the periods of one experiment and read its groups.  Raises Failure."""
    compiled = prepared.compiled
    context = _Context(values, directions, width)
    point = _start(prepared, plan, context)
    readings: list[Reading] = []
    for k, (begin, _) in enumerate(plan.periods):
        if k > 0:
            compiled = continued(prepared.compiled, point, max(begin, 0.0))
            point = _set(compiled, point, plan.periods[k][1], context, begin)
        if begin == -math.inf:
            point = settle(compiled, point, rtol)
            continue
        last = k + 1 == len(plan.periods)
        end = math.inf if last else plan.periods[k + 1][0]
        wanted = np.unique([t for g in plan.groups for t in g.times if begin <= t < end and t < math.inf])
        stop = None if last else end - begin - _moment_before(end)
        states, slopes = _cross(compiled, point, wanted - begin, stop, rtol)
        steady = settle(compiled, point, rtol) if last and _reads_steady_state(plan) else None
        for group in plan.groups:
            readings += _read(compiled, group, begin, end, wanted, states, slopes, point, steady, context)
        if not last:
            point = Point(states[-1], slopes[-1], point.p, point.p_slopes)
    return readings


def continued(compiled: CompiledModel, point: Point, begin: float) -> CompiledModel:
    """The model from time `begin` on: formulas see the whole experiment's time, and events start from
    the triggers as they are, so that a setting can fire them."""
    equations = compiled.equations
    quantities = dict(zip(compiled.state_names, point.y, strict=True))
    quantities |= dict(zip(compiled.parameter_names, point.p, strict=True))
    quantities["time"] = begin - _moment_before(begin)
    truths = evaluate([event.trigger for event in equations.events], quantities)
    return _continued(compiled, begin, tuple(map(bool, truths)))


@lru_cache(maxsize=256)
def _continued(compiled: CompiledModel, begin: float, truths: tuple[bool, ...]) -> CompiledModel:
    equations = compiled.equations
    if not equations.events and "time" not in free_symbols(*equations.rates, *equations.observables.values()):
        return compiled
    later = {"time": TIME + begin}

    def shifted(formula: Expr) -> Expr:
        return substitute([formula], later)[0]

    events = tuple(
        replace(
            event,
            trigger=shifted(event.trigger),
            priority=None if event.priority is None else shifted(event.priority),
            assignments=tuple((name, shifted(formula)) for name, formula in event.assignments),
            initial_value=truth,
        )
        for event, truth in zip(equations.events, truths, strict=True)
    )
    moved = replace(
        equations,
        rates=tuple(map(shifted, equations.rates)),
        observables={name: shifted(formula) for name, formula in equations.observables.items()},
        discontinuities=tuple(map(shifted, equations.discontinuities)),
        events=events,
    )
    return CompiledModel(moved, compiled.model)


def _moment_before(time: float) -> float:
    """What is taken off a period's end, so that its successor's settings come before the events of
    that instant."""
    return 1e-10 * max(1.0, abs(time))


@dataclass(frozen=True, eq=False)
class _Context:
    """Fit parameters and their directions; enough to evaluate a formula together with a point."""

    values: Mapping[str, float]
    directions: Mapping[str, np.ndarray]
    width: int

    def __call__(
        self, formula: Formula, quantities: Mapping[str, np.ndarray | float], slopes: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The formula's values, shape (times,) or (), and slopes, shape (..., width)."""
        known = {**self.values, **quantities}
        value = np.asarray(evaluate([formula.root], known)[0], dtype=float)
        total = np.zeros((*value.shape, self.width))
        if self.width:
            moving = [s for s in formula.slopes if s in slopes or s in self.directions]
            partials = evaluate([formula.slopes[s] for s in moving], known)
            with np.errstate(all="ignore"):  # what is not finite becomes a failure of its experiment
                for name, partial in zip(moving, partials, strict=True):
                    along = slopes[name] if name in slopes else self.directions[name]
                    total = total + np.asarray(partial)[..., None] * along
        return value, total


def _start(prepared: Prepared, plan: Plan, context: _Context) -> Point:
    """Parameters and initial state at the first period, with its settings."""
    compiled = prepared.compiled
    p = compiled.parameter_array()[0]
    p_slopes = np.zeros((p.size, context.width))
    first = plan.periods[0][1]
    quantities: dict[str, np.ndarray | float] = {"time": 0.0}
    slopes: dict[str, np.ndarray] = {}

    def put(name: str, value: np.ndarray | float, slope: np.ndarray) -> None:
        i = compiled.parameter_index[name]
        p[i], p_slopes[i] = value, slope

    for name, value in context.values.items():
        if name in compiled.parameter_index:
            put(name, value, context.directions.get(name, np.zeros(context.width)))
    for name, formula in {**prepared.defaults, **first}.items():
        if name in compiled.parameter_index:
            for i, known in enumerate(compiled.parameter_names):
                quantities[known], slopes[known] = p[i], p_slopes[i]
            put(name, *context(formula, quantities, slopes))
    for i, known in enumerate(compiled.parameter_names):
        quantities[known], slopes[known] = p[i], p_slopes[i]
    y = np.empty(len(compiled.state_names))
    y_slopes = np.zeros((y.size, context.width))
    for i, (name, initial) in enumerate(zip(compiled.state_names, compiled.equations.initial, strict=True)):
        formula = first[name] if name in first else Formula(initial)
        y[i], y_slopes[i] = context(formula, quantities, slopes)
    return _finite(Point(y, y_slopes, p, p_slopes), 0.0)


def _finite(point: Point, time: float) -> Point:
    """The point; raises Failure if some initial value or parameter is not a number."""
    if all(np.isfinite(part).all() for part in (point.y, point.y_slopes, point.p, point.p_slopes)):
        return point
    raise Failure(time, "an initial value or a parameter is not finite")


def _set(
    compiled: CompiledModel, point: Point, settings: Mapping[str, Formula], context: _Context, time: float
) -> Point:
    """The point after a period's settings; all formulas see the values before."""
    quantities: dict[str, np.ndarray | float] = {"time": max(time, 0.0)}
    slopes: dict[str, np.ndarray] = {}
    for names, values, rows in (
        (compiled.state_names, point.y, point.y_slopes),
        (compiled.parameter_names, point.p, point.p_slopes),
    ):
        for name, value, row in zip(names, values, rows, strict=True):
            quantities[name], slopes[name] = value, row
    y, y_slopes, p, p_slopes = (a.copy() for a in (point.y, point.y_slopes, point.p, point.p_slopes))
    for name, formula in settings.items():
        value, slope = context(formula, quantities, slopes)
        if np.isnan(value):
            continue  # an empty cell: the quantity keeps its value
        if name in compiled.state_index:
            y[compiled.state_index[name]], y_slopes[compiled.state_index[name]] = value, slope
        else:
            p[compiled.parameter_index[name]], p_slopes[compiled.parameter_index[name]] = value, slope
    return _finite(Point(y, y_slopes, p, p_slopes), time)


def _cross(
    compiled: CompiledModel, point: Point, times: np.ndarray, end: float | None, rtol: float
) -> tuple[np.ndarray, np.ndarray]:
    """States and slopes at `times` after the beginning of the period, and at its end if there is one."""
    stops = times if end is None else np.append(times, end)
    if stops.size == 0 or stops[-1] == 0.0:
        count = stops.size
        return np.repeat(point.y[None], count, axis=0), np.repeat(point.y_slopes[None], count, axis=0)
    return integrate(compiled, point, stops, rtol)


def _reads_steady_state(plan: Plan) -> bool:
    return any(np.isinf(group.times).any() for group in plan.groups)


def _read(
    compiled: CompiledModel,
    group: Group,
    begin: float,
    end: float,
    wanted: np.ndarray,
    states: np.ndarray,
    slopes: np.ndarray,
    point: Point,
    steady: Point | None,
    context: _Context,
) -> list[Reading]:
    readings: list[Reading] = []
    inside = (group.times >= begin) & (group.times < end)
    if inside.any():
        at = np.searchsorted(wanted, group.times[inside])
        readings.append(
            _formulas(
                compiled,
                group,
                group.rows[inside],
                group.times[inside],
                states[at],
                slopes[at],
                point,
                context,
            )
        )
    infinite = np.isinf(group.times)
    if steady is not None and infinite.any():
        count = int(infinite.sum())
        y = np.repeat(steady.y[None], count, axis=0)
        dy = np.repeat(steady.y_slopes[None], count, axis=0)
        times = np.full(count, math.inf)
        readings.append(_formulas(compiled, group, group.rows[infinite], times, y, dy, point, context))
    return readings


def _formulas(
    compiled: CompiledModel,
    group: Group,
    rows: np.ndarray,
    times: np.ndarray,
    states: np.ndarray,
    state_slopes: np.ndarray,
    point: Point,
    context: _Context,
) -> Reading:
    """The observable and its noise, from states of shape (times, n) and slopes (times, n, width)."""
    quantities: dict[str, np.ndarray | float] = {"time": times}
    slopes: dict[str, np.ndarray] = {}
    for i, name in enumerate(compiled.parameter_names):
        quantities[name], slopes[name] = point.p[i], point.p_slopes[i]
    for i, name in enumerate(compiled.state_names):
        quantities[name], slopes[name] = states[:, i], state_slopes[:, i]
    shape = (rows.size, context.width)
    parts = []
    for formula in (group.formula, group.noise):
        value, along = context(formula, quantities, slopes)
        parts += [np.broadcast_to(value, rows.shape), np.broadcast_to(along, shape)]
    return Reading(rows, *parts)
