"""The differential-algebraic equations of a model, as closed formulas.

    y' = rates(y, p, time)            for the differential states
    0  = rates(y, p, time)            where `is_algebraic`

Assignments are inlined: every formula is over state names, parameter names and `time` only
(interning makes repeated subexpressions free).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cascades.expression import Expr
from cascades.model import Port


@dataclass(frozen=True)
class EventEquation:
    """An event whose assignments set states.

    It fires when `trigger` (a truth value: 0 or 1) turns from false to true; `initial_value` is the
    trigger's value just before time 0, so that false with a true trigger fires at time 0.  After
    `delay` the states are set, all at once; the new values are computed at the time of the trigger if
    `uses_trigger_time_values`, else when they are set.  Among events that are due the highest
    `priority` (computed when they are due; without one: last) goes first, the order of equals is
    random; triggers are looked at again after each, and algebraic states are solved first.  If not
    `is_persistent`, a pending event whose trigger turns false again is dropped.
    """

    id: str
    trigger: Expr
    assignments: tuple[tuple[str, Expr], ...]
    delay: Expr | None = None
    priority: Expr | None = None
    initial_value: bool = True
    is_persistent: bool = True
    uses_trigger_time_values: bool = True


@dataclass(frozen=True)
class ConservedTotal:
    """A weighted sum of states that no reaction changes.  `weights` maps a state to a formula over
    parameters (a number unless compartments differ); `dependent` is the state that is eliminated."""

    name: str
    weights: Mapping[str, Expr]
    dependent: str


@dataclass(frozen=True)
class Equations:
    """All formulas of a model, ready to be compiled.

    `initial` holds each state's value at time 0 as a formula over parameters; for an algebraic
    state it is a guess.  `observables` are the quantities that follow from states: assigned
    variables, reaction rates (under the reaction's id), amounts or concentrations of species whose
    state is the other.  `discontinuities` are functions whose sign changes mark a jump of a rate.
    `delayed` maps a state that follows another one after a lag to that other one: it starts where
    the other starts, and nothing but the equations may change the two.  `missing` names parameters
    and states that formulas need and the model gives no value.
    """

    name: str
    state_names: tuple[str, ...]
    parameter_names: tuple[str, ...]
    default_values: tuple[float, ...]
    initial: tuple[Expr, ...]
    rates: tuple[Expr, ...]
    is_algebraic: tuple[bool, ...]
    observables: Mapping[str, Expr] = field(default_factory=dict)
    events: tuple[EventEquation, ...] = ()
    discontinuities: tuple[Expr, ...] = ()
    conserved: tuple[ConservedTotal, ...] = ()
    ports: tuple[Port, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    time_unit: str = "s"
    delayed: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @cached_property
    def content_hash(self) -> str:
        """Of everything that can change a compiled function."""
        events = [
            (e.id, e.trigger.key, [(v, f.key) for v, f in e.assignments])
            + tuple(f.key if f is not None else None for f in (e.delay, e.priority))
            + (e.initial_value, e.is_persistent, e.uses_trigger_time_values)
            for e in self.events
        ]
        content = (
            self.state_names,
            self.parameter_names,
            self.is_algebraic,
            [formula.key for formula in self.initial],
            [formula.key for formula in self.rates],
            [(name, formula.key) for name, formula in self.observables.items()],
            events,
            [formula.key for formula in self.discontinuities],
            [(c.name, c.dependent, [(s, w.key) for s, w in c.weights.items()]) for c in self.conserved],
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()
