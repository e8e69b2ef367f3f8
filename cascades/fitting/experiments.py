"""One experiment: its periods crossed one after the other, its observables read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.expression import TIME, Expr, evaluate, free_symbols, substitute
from cascades.fitting.formula import Formula, Found
from cascades.fitting.prepare import Group, Plan, Prepared
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
    prepared: Prepared, plan: Plan, contexts: Sequence[Context], rtol: float
) -> list[list[Reading] | Failure]:
    """Cross the periods of one experiment and read its groups, for every context at once."""
    courses = [_Course(prepared, plan, context) for context in contexts]
    for k, (begin, settings) in enumerate(plan.periods):
        for course in courses:
            course.enter(k, begin, settings)
        if begin == -math.inf:
            for course in courses:
                course.attempt(lambda c: settle(c.compiled, c.point, rtol))
            continue
        last = k + 1 == len(plan.periods)
        end = math.inf if last else plan.periods[k + 1][0]
        wanted = np.unique([t for g in plan.groups for t in g.times if begin <= t < end and t < math.inf])
        stops = wanted if last else np.append(wanted, end - _moment_before(end))
        _cross(courses, stops - begin, rtol)
        for course in courses:
            course.read(begin, end, wanted, rtol)
            if not last:
                course.leave()
    return [course.failure or course.readings for course in courses]


class _Course:
    """One context on its way through an experiment; `failure` ends it."""

    def __init__(self, prepared: Prepared, plan: Plan, context: Context):
        self.prepared, self.plan, self.context = prepared, plan, context
        self.compiled = prepared.compiled
        self.readings: list[Reading] = []
        self.failure: Failure | None = None
        self.point: Point
        self.states: np.ndarray
        self.slopes: np.ndarray

    def attempt(self, step: Callable[[_Course], Point | Failure]) -> None:
        """Go to the point that `step` makes, unless it fails or something has failed before."""
        if self.failure is None:
            found = step(self)
            if isinstance(found, Failure):
                self.failure = found
            else:
                self.point = found

    def enter(self, k: int, begin: float, settings: Mapping[str, Formula]) -> None:
        if k == 0:
            self.attempt(lambda c: _start(c.prepared, settings, c.context))
        elif self.failure is None:
            self.compiled = continued(self.prepared.compiled, self.point, max(begin, 0.0))
            self.attempt(lambda c: _set(c.compiled, c.point, settings, c.context, begin))

    def leave(self) -> None:
        if self.failure is None:
            self.point = replace(self.point, y=self.states[-1], y_slopes=self.slopes[-1])

    def read(self, begin: float, end: float, wanted: np.ndarray, rtol: float) -> None:
        for group in self.plan.groups if self.failure is None else ():
            inside = (group.times >= begin) & (group.times < end)
            if inside.any():
                rows, times = group.rows[inside], group.times[inside]
                at = np.searchsorted(wanted, times)
                self._keep(group, rows, times, self.states[at], self.slopes[at])
        infinite = [g for g in self.plan.groups if end == math.inf and np.isinf(g.times).any()]
        if infinite:
            self.attempt(lambda c: settle(c.compiled, c.point, rtol))
        for group in infinite if self.failure is None else ():
            rows, times = group.rows[np.isinf(group.times)], group.times[np.isinf(group.times)]
            states = np.repeat(self.point.y[None], rows.size, axis=0)
            self._keep(group, rows, times, states, np.repeat(self.point.y_slopes[None], rows.size, axis=0))

    def _keep(
        self, group: Group, rows: np.ndarray, times: np.ndarray, states: np.ndarray, slopes: np.ndarray
    ) -> None:
        """The observable and its noise, from states of shape (times, n) and slopes (times, n, d)."""
        compiled, point = self.compiled, self.point

        def quantity(name: str) -> Found | None:
            if name in compiled.state_index:
                i = compiled.state_index[name]
                return states[:, i], slopes[:, i]
            return (times, None) if name == "time" else _parameter(compiled, point, name)

        parts = []
        for formula in (group.formula, group.noise):
            value, along = self.context(formula, quantity)
            parts += [
                np.broadcast_to(value, rows.shape),
                np.broadcast_to(along, (rows.size, along.shape[-1])),
            ]
        self.readings.append(Reading(rows, *parts))


def _cross(courses: Sequence[_Course], times: np.ndarray, rtol: float) -> None:
    """Integrate all that have not failed; those that follow the same equations go together."""
    going = [course for course in courses if course.failure is None]
    if times.size == 0 or times[-1] == 0.0:
        for course in going:
            course.states = np.repeat(course.point.y[None], times.size, axis=0)
            course.slopes = np.repeat(course.point.y_slopes[None], times.size, axis=0)
        return
    together: dict[CompiledModel, list[_Course]] = {}
    for course in going:
        together.setdefault(course.compiled, []).append(course)
    for compiled, group in together.items():
        found = integrate(compiled, [course.point for course in group], times, rtol)
        for course, result in zip(group, found, strict=True):
            if isinstance(result, Failure):
                course.failure = result
            else:
                course.states, course.slopes = result


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
class Context:
    """Fit parameters in natural units, and how each moves along the `width` fitted directions."""

    values: Mapping[str, float]
    directions: Mapping[str, np.ndarray]
    width: int

    def __call__(
        self, formula: Formula, quantity: Callable[[str], Found | None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The formula's values, shape (times,) or (), and slopes, shape (..., width).  `quantity` gives
        the model's own; what it does not know is a fit parameter."""

        def find(name: str) -> Found:
            found = quantity(name)
            return (self.values[name], self.directions.get(name)) if found is None else found

        if self.width:
            return formula.along(find, self.width)
        value = formula.value(find)
        return value, np.zeros((*value.shape, 0))


def _parameter(compiled: CompiledModel, point: Point, name: str) -> Found | None:
    i = compiled.parameter_index.get(name)
    return None if i is None else (point.p[i], point.p_slopes[i])


def _start(prepared: Prepared, first: Mapping[str, Formula], context: Context) -> Point | Failure:
    """Parameters and initial state at the first period, with its settings."""
    compiled = prepared.compiled
    p = prepared.values.copy()
    y = np.empty(len(compiled.state_names))
    point = Point(y, np.zeros((y.size, context.width)), p, np.zeros((p.size, context.width)))

    def quantity(name: str) -> Found | None:
        return (0.0, None) if name == "time" else _parameter(compiled, point, name)

    for name, value in context.values.items():
        i = compiled.parameter_index.get(name)
        if i is not None:
            p[i] = value
            if name in context.directions:
                point.p_slopes[i] = context.directions[name]
    for name, formula in (*prepared.defaults.items(), *first.items()):
        i = compiled.parameter_index.get(name)
        if i is not None and not (name in first and formula is not first[name]):
            p[i], point.p_slopes[i] = context(formula, quantity)
    for i, (name, initial) in enumerate(zip(compiled.state_names, prepared.initial, strict=True)):
        y[i], point.y_slopes[i] = context(first.get(name, initial), quantity)
    return _finite(point, 0.0)


def _finite(point: Point, time: float) -> Point | Failure:
    if all(np.isfinite(part).all() for part in (point.y, point.y_slopes, point.p, point.p_slopes)):
        return point
    return Failure(time, "an initial value or a parameter is not finite")


def _set(
    compiled: CompiledModel, point: Point, settings: Mapping[str, Formula], context: Context, time: float
) -> Point | Failure:
    """The point after a period's settings; all formulas see the values before."""

    def quantity(name: str) -> Found | None:
        if name in compiled.state_index:
            i = compiled.state_index[name]
            return point.y[i], point.y_slopes[i]
        return (max(time, 0.0), None) if name == "time" else _parameter(compiled, point, name)

    y, y_slopes, p, p_slopes = (a.copy() for a in (point.y, point.y_slopes, point.p, point.p_slopes))
    for name, formula in settings.items():
        value, slope = context(formula, quantity)
        if np.isnan(value):
            continue  # an empty cell: the quantity keeps its value
        if name in compiled.state_index:
            y[compiled.state_index[name]], y_slopes[compiled.state_index[name]] = value, slope
        else:
            p[compiled.parameter_index[name]], p_slopes[compiled.parameter_index[name]] = value, slope
    return _finite(Point(y, y_slopes, p, p_slopes), time)
