"""`CompiledModel`: a model as functions of arrays.

A compiled model is a value.  It has no current state, nothing to reset, and every call depends only
on its arguments; functions are compiled when they are first asked for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.derivatives import dependencies, directional, gradients
from cascades.compiler.equations import Equations
from cascades.compiler.functions import Array, ScalarFunction, as_row, scalar_functions
from cascades.errors import ModelError, UnknownName
from cascades.expression import ZERO, Expr, evaluate, evaluator, number, symbol
from cascades.model import Model

if TYPE_CHECKING:
    from cascades.compiler.lanes import LaneCode
    from cascades.compiler.reduced import ReducedSystem
    from cascades.compiler.tangents import TangentCode

_WORTH_OPTIMISING = 0.05  # s of running: about what compiling takes
_KEPT = 64  # compiled models remembered by a process
_compiled: OrderedDict[str, CompiledModel] = OrderedDict()
_lock = threading.Lock()

Values = Mapping[str, Any]


def compile_model(model: Model) -> CompiledModel:
    """The model as compiled functions; the same model (by content) gives the same object."""
    from cascades.compiler.build_equations import build_equations

    key = model.content_hash
    with _lock:
        if key in _compiled:
            _compiled.move_to_end(key)
            return _compiled[key]
    compiled = CompiledModel(build_equations(model), model)
    with _lock:
        _compiled[key] = compiled
        while len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
    return compiled


def _unpickled(equations: Equations, model: Model | None) -> CompiledModel:
    """A worker process that gets the same model again keeps the functions it has."""
    key = equations.content_hash
    with _lock:
        if key not in _compiled:
            _compiled[key] = CompiledModel(equations, model)
        return _compiled[key]


@dataclass(frozen=True, eq=False)
class EventValues:
    """Per event: whether its trigger is true, its delay, its priority, and what it assigns."""

    triggers: Array
    delays: Array
    priorities: Array
    assignments: list[Array]


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """Rates, derivatives, observables and initial states of a model, for n states and m parameters.

    All numbers are in the model's own units (`equations.units`); derivatives with respect to an
    algebraic state's equation are those of its residual.
    """

    equations: Equations
    model: Model | None = None

    def __repr__(self) -> str:
        n, m = len(self.state_names), len(self.parameter_names)
        return f"<CompiledModel {self.equations.name}: {n} states, {m} parameters>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickled, (self.equations, self.model))

    @property
    def name(self) -> str:
        return self.equations.name

    @property
    def state_names(self) -> tuple[str, ...]:
        return self.equations.state_names

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.equations.parameter_names

    @cached_property
    def state_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.state_names)}

    @cached_property
    def parameter_index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.parameter_names)}

    @property
    def default_values(self) -> dict[str, float]:
        return dict(zip(self.parameter_names, self.equations.default_values, strict=True))

    @cached_property
    def initial_values(self) -> dict[str, float]:
        """The state at time 0 for the default parameter values; NaN for what has no value."""
        y = self._start(np.array([self.equations.default_values], dtype=np.float64), 1)[0]
        return dict(zip(self.state_names, y.tolist(), strict=True))

    @cached_property
    def conserved_totals(self) -> dict[str, float]:
        """The conserved totals at time 0 for the default parameter values."""
        values = {**self.default_values, **self.initial_values}
        totals = {}
        for total in self.equations.conserved:
            weights = evaluate(total.weights.values(), values)
            totals[total.name] = float(
                sum(w * values[s] for w, s in zip(weights, total.weights, strict=True))
            )
        return totals

    # --- arrays from names ----------------------------------------------------------------------

    def parameter_array(self, values: Values | None = None) -> Array:
        """Parameter values, shape (members, m): the defaults, except for `values` (name -> a number
        for all members, or one per member).

        Raises
        ------
        UnknownName
            For a name that is not a parameter.
        ValueError
            If two entries of `values` have different numbers of members.
        ModelError
            If a value is missing: the model gives none, and neither does `values`.
        """
        values = values or {}
        self._refuse_missing(self.parameter_index, values)
        columns = _columns(values, self.parameter_index, "parameter")
        members = max((column.size for column in columns.values()), default=1)
        p = np.tile(np.asarray(self.equations.default_values, dtype=np.float64), (members, 1))
        for name, column in columns.items():
            p[:, self.parameter_index[name]] = column
        return p

    def initial_array(self, p: Array, initial: Values | None = None) -> Array:
        """States at time 0, shape (members, n), for parameter values `p` of shape (members, m);
        `initial` overrides states by name (a number, or one per member)."""
        p = np.atleast_2d(np.asarray(p, dtype=np.float64))
        columns = _columns(initial or {}, self.state_index, "state")
        members = max([p.shape[0], *(column.size for column in columns.values())])
        if p.shape[0] not in (1, members):
            raise ValueError(f"{p.shape[0]} members have parameter values, {members} have initial states")
        self._refuse_missing(self.state_index, initial or {})
        y = self._start(p, members)
        for name, column in columns.items():
            y[:, self.state_index[name]] = column
        for follower, name in self.equations.delayed.items():
            y[:, self.state_index[follower]] = y[:, self.state_index[name]]
        return y

    def _start(self, p: Array, members: int) -> Array:
        """The model's own states at time 0."""
        constant, formulas, evaluated = self._initial
        y = np.tile(constant, (members, 1))
        if formulas:
            for i, value in zip(formulas, self._started(p) if len(p) == 1 else evaluated(p), strict=True):
                y[:, i] = value
        return y

    def _started(self, p: Array) -> list[Array]:
        """The formulas' values for one member; those of the last parameter values are remembered."""
        key = p.tobytes()
        found = self._last_start.get(key)
        if found is None:
            found = self._initial[2](p)
            self._last_start.clear()
            self._last_start[key] = found
        return found

    @cached_property
    def _last_start(self) -> dict[bytes, list[Array]]:
        return {}

    def _refuse_missing(self, known: Mapping[str, int], given: Values) -> None:
        missing = [name for name in self.equations.missing if name in known and name not in given]
        if missing:
            raise ModelError(self.equations.name, [f"{name}: has no value; give it one" for name in missing])

    @cached_property
    def _initial(self) -> tuple[Array, list[int], Callable[[Array], list[Array]]]:
        """Initial values that are numbers, the positions of those that are formulas of parameters, and
        the formulas' values for parameter values of shape (members, m)."""
        initial = self.equations.initial
        constant = np.array([f.value if f.is_number else np.nan for f in initial], dtype=np.float64)
        positions = [i for i, f in enumerate(initial) if not f.is_number]
        formulas = evaluator([initial[i] for i in positions])

        def evaluated(p: Array) -> list[Array]:
            values: dict[str, Any] = {name: p[:, i] for i, name in enumerate(self.parameter_names)}
            return formulas(values | {"time": 0.0})

        return constant, positions, evaluated

    def observable(self, name: str, y: Any, p: Any, t: Any = 0.0) -> Array:
        """An observable, state or parameter by name, broadcast over the leading axes of `y`
        (shape (..., n)), `p` (shape (..., m)) and `t`."""
        y, p, t = np.asarray(y), np.asarray(p), np.asarray(t)
        shape = np.broadcast_shapes(y.shape[:-1], p.shape[:-1], t.shape)
        formula = self.formula(name)
        values: dict[str, Any] = {s: y[..., i] for s, i in self.state_index.items()}
        values |= {s: p[..., i] for s, i in self.parameter_index.items()}
        values["time"] = t
        result = evaluate([formula], values)[0]
        return np.broadcast_to(np.asarray(result, dtype=np.float64), shape).copy()

    def formula(self, name: str) -> Expr:
        """The formula of an observable, or the symbol of a state or parameter.

        Raises
        ------
        UnknownName
            If there is no such quantity.
        """
        if name in self.state_index or name in self.parameter_index or name == "time":
            return symbol(name)
        if name in self.equations.observables:
            return self.equations.observables[name]
        known = (*self.state_names, *self.equations.observables, *self.parameter_names)
        raise UnknownName("quantity", name, known)

    # --- rates and derivatives --------------------------------------------------------------------

    def rates(self, y: Any, p: Any, t: float = 0.0) -> Array:
        """Time derivatives (residuals of algebraic states), shape (n,)."""
        return self._call(self._core["rates"], y, p, t)

    def jacobian(self, y: Any, p: Any, t: float = 0.0) -> Array:
        """Derivatives of `rates` with respect to the state, shape (n, n)."""
        n = len(self.state_names)
        dense = np.zeros((n, n))
        dense[self.jacobian_pattern] = self._call(self._core["jacobian"], y, p, t)
        return dense

    def sparse_jacobian(self, y: Any, p: Any, t: float = 0.0) -> Any:
        """The same as a scipy `csc_array`."""
        from scipy.sparse import csc_array

        n = len(self.state_names)
        entries = self._call(self._core["jacobian"], y, p, t)
        return csc_array((entries, self.jacobian_pattern), shape=(n, n))

    def parameter_jacobian(self, y: Any, p: Any, t: float = 0.0) -> Array:
        """Derivatives of `rates` with respect to the parameters, shape (n, m)."""
        dense = np.zeros((len(self.state_names), len(self.parameter_names)))
        dense[self.parameter_pattern] = self._call(self._by_parameter, y, p, t)
        return dense

    def second_directional(self, y: Any, p: Any, v: Any, w: Any, t: float = 0.0) -> Array:
        """The second derivative of `rates` along the directions `v` and `w` of state space, shape (n,)."""
        n, m = len(self.state_names), len(self.parameter_names)
        x = np.concatenate(([t], as_row(v, n), as_row(w, n)))
        return self._second(as_row(y, n), as_row(p, m), x)

    def event_formulas(self, y: Array, p: Array, t: float) -> EventValues:
        """What the events' formulas give at a state."""
        events = self.equations.events
        values = self._events(as_row(y, self._sizes[0]), as_row(p, self._sizes[1]), np.array([t]))
        k = len(events)
        ends = np.cumsum([len(event.assignments) for event in events])
        assignments = np.split(values[3 * k :], ends[:-1]) if k else []
        return EventValues(values[:k] != 0.0, values[k : 2 * k], values[2 * k : 3 * k], assignments)

    @cached_property
    def _events(self) -> ScalarFunction:
        events = self.equations.events
        formulas = [event.trigger for event in events]
        formulas += [event.delay if event.delay is not None else ZERO for event in events]
        formulas += [event.priority if event.priority is not None else number(-np.inf) for event in events]
        formulas += [formula for event in events for _, formula in event.assignments]
        outputs = {"events": (len(formulas), lambda: formulas)}
        return scalar_functions(self.equations.content_hash, self._sizes, self.rows, outputs)["events"]

    def _call(self, function: ScalarFunction, y: Any, p: Any, t: float) -> Array:
        n, m, _ = function.sizes
        return function(as_row(y, n), as_row(p, m), np.array([t], dtype=np.float64))

    @cached_property
    def rows(self) -> dict[str, tuple[str, int]]:
        """Where compiled functions find each symbol: states in `y`, parameters in `p`, time in `x`."""
        rows = {name: ("p", i) for i, name in enumerate(self.parameter_names)}
        rows |= {name: ("y", i) for i, name in enumerate(self.state_names)}
        rows["time"] = ("x", 0)
        return rows

    @cached_property
    def jacobian_pattern(self) -> tuple[Any, Any]:
        """Rows and columns of the Jacobian's entries that are not always zero."""
        return _pattern(dependencies(self.equations.rates, self.state_names))

    @cached_property
    def parameter_pattern(self) -> tuple[Any, Any]:
        return _pattern(dependencies(self.equations.rates, self.parameter_names))

    @cached_property
    def state_gradients(self) -> list[dict[str, Expr]]:
        """Formulas of the Jacobian: for each state, name -> derivative of its rate."""
        return gradients(self.equations.rates, self.state_names)

    @property
    def _sizes(self) -> tuple[int, int, int]:
        return len(self.state_names), len(self.parameter_names), 1

    @cached_property
    def _core(self) -> dict[str, ScalarFunction]:
        outputs = {
            "rates": (len(self.state_names), lambda: self.equations.rates),
            "jacobian": (
                len(self.jacobian_pattern[0]),
                lambda: _entries(self.state_gradients, self.jacobian_pattern, self.state_names),
            ),
        }
        return scalar_functions(self.equations.content_hash, self._sizes, self.rows, outputs)

    @cached_property
    def _by_parameter(self) -> ScalarFunction:
        def write() -> list[Expr]:
            slopes = gradients(self.equations.rates, self.parameter_names)
            return _entries(slopes, self.parameter_pattern, self.parameter_names)

        outputs = {"by_parameter": (len(self.parameter_pattern[0]), write)}
        return scalar_functions(self.equations.content_hash, self._sizes, self.rows, outputs)["by_parameter"]

    @cached_property
    def _second(self) -> ScalarFunction:
        n, m, _ = self._sizes
        v = {name: symbol(f"v:{name}") for name in self.state_names}
        w = {name: symbol(f"w:{name}") for name in self.state_names}
        rows = dict(self.rows)
        rows |= {v[name].name: ("x", 1 + i) for i, name in enumerate(self.state_names)}
        rows |= {w[name].name: ("x", 1 + n + i) for i, name in enumerate(self.state_names)}
        outputs = {"second": (n, lambda: directional(directional(self.equations.rates, v), w))}
        return scalar_functions(self.equations.content_hash, (n, m, 1 + 2 * n), rows, outputs)["second"]

    def lane_code(self, lanes: int) -> LaneCode:
        """The functions that the lane driver runs, for `lanes` members at a time."""
        from cascades.compiler.lanes import build_lane_code

        with _lock:
            found = self._lane_codes.get(lanes)
            if found is None:
                found = self._lane_codes[lanes] = build_lane_code(self, lanes)
            elif found.library.is_quick and self._spent.get(lanes, 0.0) > _WORTH_OPTIMISING:
                found = self._lane_codes[lanes] = build_lane_code(self, lanes, quick=False)
        return found

    def note_use(self, lanes: int, seconds: float) -> None:
        """Tell how long lane code ran: code that is used much is compiled once more, better."""
        self._spent[lanes] = self._spent.get(lanes, 0.0) + seconds

    @cached_property
    def _spent(self) -> dict[int, float]:
        return {}

    def tangent_code(self, lanes: int) -> TangentCode:
        """The derivative of a Rosenbrock stage, for vectors of `lanes` directions."""
        from cascades.compiler.tangents import build_tangent_code

        with _lock:
            found = self._tangent_codes.get(lanes)
            if found is None:
                found = self._tangent_codes[lanes] = build_tangent_code(self, lanes)
        return found

    @cached_property
    def _tangent_codes(self) -> dict[int, TangentCode]:
        return {}

    @cached_property
    def _lane_codes(self) -> dict[int, LaneCode]:
        return {}

    def reduced(self, p: Any, totals: Values | None = None) -> ReducedSystem:
        """The system without its conserved totals, for parameter values `p` (shape (m,)).

        `totals` overrides conserved totals by name; the others are those of the initial state."""
        from cascades.compiler.reduced import ReducedSystem

        return ReducedSystem(self, as_row(p, len(self.parameter_names)), dict(totals or {}))


def _columns(values: Values, index: Mapping[str, int], kind: str) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    for name, value in values.items():
        if name not in index:
            raise UnknownName(kind, name, index)
        column = np.asarray(value, dtype=np.float64)
        if column.ndim > 1:
            raise ValueError(f"{name} has shape {column.shape}; a number or one per member is needed")
        columns[name] = column.reshape(-1)
    sizes = {column.size for column in columns.values()} - {1}
    if len(sizes) > 1 or 0 in sizes:
        listed = ", ".join(f"{name}: {column.size}" for name, column in columns.items())
        raise ValueError(f"the numbers of members differ ({listed})")
    return columns


def _pattern(positions: list[list[int]]) -> tuple[Any, Any]:
    rows = np.repeat(np.arange(len(positions)), [len(columns) for columns in positions])
    columns = np.array([j for row in positions for j in row], dtype=np.intp)
    return rows, columns


def _entries(slopes: list[dict[str, Expr]], pattern: tuple[Any, Any], names: tuple[str, ...]) -> list[Expr]:
    return [slopes[i].get(names[j], ZERO) for i, j in zip(*pattern, strict=True)]
