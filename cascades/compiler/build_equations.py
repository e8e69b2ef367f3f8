"""A model to its closed equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from cascades.compiler.algebraic import solve_algebraic
from cascades.compiler.closing import Closing, close
from cascades.compiler.conservation import conserved_totals
from cascades.compiler.delays import unfold_delays
from cascades.compiler.discontinuities import boundaries
from cascades.compiler.draft import Draft, draft, is_amount
from cascades.compiler.equations import ConservedTotal, Equations, EventEquation
from cascades.compiler.fast import eliminate_fast
from cascades.compiler.rate_of import name_rates
from cascades.compiler.unit_names import time_unit_name, unit_names
from cascades.expression import ONE, ZERO, Expr, evaluate, free_symbols, symbol
from cascades.model import Event, Model


def build_equations(model: Model) -> Equations:
    """The equations of a model.

    States are concentrations, or amounts where a species' symbol is one; the amount (under the name
    species_amount) where the compartment's size changes; variables of rate rules; and what only
    events change.  What nothing changes is a parameter; a constant that is computed from others is
    an observable.

    Raises
    ------
    ModelError
        Something needed has no value, or is defined by itself.
    UnsupportedFeature
        A construct that has no equations here, each use named.
    """
    parts = draft(model)
    name_rates(parts)
    eliminate_fast(parts)
    solve_algebraic(parts)
    unfold_delays(parts)
    parts.finish()
    start = _starts(parts)
    parameters = _split_constants(model, parts, start)
    closing = close(parts.definitions, parts.source)
    names = tuple(parts.rates)
    rates = tuple(closing.all(parts.rates.values()))
    observables = _observables(parts, closing)
    initial = tuple(start(symbol(name)) for name in names)
    events = tuple(_event(event, parts, closing) for event in parts.events)
    return Equations(
        name=model.id,
        state_names=names,
        parameter_names=tuple(parameters),
        default_values=tuple(parameters.values()),
        initial=initial,
        rates=rates,
        is_algebraic=tuple(name in parts.algebraic for name in names),
        observables=observables,
        events=events,
        discontinuities=boundaries(rates),
        conserved=_conserved(parts, closing, start),
        ports=model.ports,
        units=unit_names(model, (*names, *parameters, *observables)),
        time_unit=time_unit_name(model),
        delayed=parts.delayed,
        missing=_missing(parameters, names, initial, rates, events),
    )


def _starts(parts: Draft) -> Closing:
    """Formulas to their values at time 0, over parameters."""
    at_zero = parts.definitions | parts.starts
    for name in parts.constants:
        if at_zero[name].is_number:
            del at_zero[name]
    at_zero["time"] = ZERO
    return close(at_zero, parts.source)


def _split_constants(model: Model, parts: Draft, start: Closing) -> dict[str, float]:
    """The parameters with their values; constants that follow from parameters become definitions.

    Inputs stay parameters, and so do species whose start is an amount in the file.
    """
    starts = {name: formula for name, formula in parts.starts.items() if name in parts.constants}
    formulas = {name: f if f.is_number else start(symbol(name)) for name, f in starts.items()}
    settable = {species.id for species in model.species} - {one.symbol for one in model.initial_assignments}
    settable |= {port.symbol for port in model.ports if port.kind == "input"}
    values = {n: f.value if f.is_number else nan for n, f in formulas.items() if f.is_number or n in settable}
    numbers = dict(values)
    for name, formula in formulas.items():
        if name not in values:
            parts.definitions[name] = formula
        elif not formula.is_number:
            values[name] = float(evaluate([formula], numbers)[0])
    return values


def _observables(parts: Draft, closing: Closing) -> dict[str, Expr]:
    wanted = dict(closing.closed)
    for name, formula in parts.alternates.items():
        wanted[name] = closing(formula)
    return wanted


def _conserved(parts: Draft, closing: Closing, start: Closing) -> tuple[ConservedTotal, ...]:
    """Totals of what reactions alone change; a state that only events change is one by itself."""
    stoichiometry = dict(parts.stoichiometry)
    scales = {state: closing(parts.scales[state]) for state in stoichiometry}
    for state, rate in parts.rates.items():
        if state not in stoichiometry and state not in parts.algebraic and closing(rate) is ZERO:
            stoichiometry[state], scales[state] = {}, ONE
    starts = {state: start(symbol(state)) for state in stoichiometry}
    is_zero = {state: formula is ZERO for state, formula in starts.items()}
    return conserved_totals(stoichiometry, scales, is_zero, taken=tuple(parts.model.by_id))


def _missing(
    parameters: Mapping[str, float],
    names: Sequence[str],
    initial: Sequence[Expr],
    rates: Sequence[Expr],
    events: Sequence[EventEquation],
) -> tuple[str, ...]:
    """What has no value although something needs one."""
    needed = free_symbols(*rates, *initial)
    for event in events:
        optional = [formula for formula in (event.delay, event.priority) if formula is not None]
        needed |= free_symbols(event.trigger, *optional, *(formula for _, formula in event.assignments))
    unset = [name for name, value in parameters.items() if isnan(value) and name in needed]
    return (*unset, *(n for n, f in zip(names, initial, strict=True) if f.is_number and isnan(f.value)))


def _event(event: Event, parts: Draft, closing: Closing) -> EventEquation:
    return EventEquation(
        id=event.id,
        trigger=closing(event.trigger),
        assignments=tuple((state, closing(formula)) for state, formula in _assignments(event, parts).items()),
        delay=None if event.delay is None else closing(event.delay),
        priority=None if event.priority is None else closing(event.priority),
        initial_value=event.initial_value,
        is_persistent=event.is_persistent,
        uses_trigger_time_values=event.uses_trigger_time_values,
    )


def _assignments(event: Event, parts: Draft) -> dict[str, Expr]:
    """The new values of states.  When a compartment's size jumps, amounts stay: a concentration is
    set for the size before, and then moves with the size."""
    new = {a.variable: a.formula for a in event.assignments}
    result = {}
    for variable, formula in new.items():
        if variable in parts.amounts:
            formula = formula * symbol(parts.model.by_id[variable].compartment)
        result[parts.amounts.get(variable, variable)] = formula
    for species in parts.model.species:
        if species.compartment in new and species.id in parts.rates and not is_amount(parts.model, species):
            ratio = symbol(species.compartment) / new[species.compartment]
            result[species.id] = result.get(species.id, symbol(species.id)) * ratio
    return result
