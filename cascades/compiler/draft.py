"""What every symbol of a model is: state, constant, or defined by a formula.

The formulas here are over all symbols of the model; `build_equations` closes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from cascades.errors import UnsupportedFeature
from cascades.expression import ONE, ZERO, Expr, ExprLike, add, free_symbols, mul, number, power, symbol
from cascades.model import (
    AlgebraicRule,
    AssignmentRule,
    Compartment,
    Event,
    EventAssignment,
    Model,
    RateRule,
    Species,
    SpeciesReference,
)

UNDEFINED = number(math.nan)


@dataclass
class Draft:
    """Filled by one step after the other.

    rates : the derivative of every state; of an algebraic state the residual that is zero
    definitions : what holds at all times: assigned variables, reaction rates, concentrations
    starts : the value at time 0 of every symbol that is not assigned
    constants : symbols that nothing changes
    algebraic : states that are found from a residual
    residuals : algebraic rules that have not found their variable
    alternates : the amounts of concentrations and the concentrations of amounts
    stoichiometry : of each state that reactions alone change, the number in each reaction
    scales : of each state that reactions change, the formula that turns extent into the state
    amounts : species whose state is their amount, though their symbol is a concentration
    delayed, copy_names : states that follow others after a delay, and their names by original and lag
    """

    model: Model
    events: list[Event] = field(default_factory=list)
    rates: dict[str, Expr] = field(default_factory=dict)
    definitions: dict[str, Expr] = field(default_factory=dict)
    starts: dict[str, Expr] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    algebraic: set[str] = field(default_factory=set)
    residuals: list[Expr] = field(default_factory=list)
    alternates: dict[str, Expr] = field(default_factory=dict)
    stoichiometry: dict[str, dict[str, float]] = field(default_factory=dict)
    scales: dict[str, Expr] = field(default_factory=dict)
    amounts: dict[str, str] = field(default_factory=dict)
    delayed: dict[str, str] = field(default_factory=dict)
    copy_names: dict[tuple[str, Expr], str] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.model.source or self.model.id

    def formulas(self) -> Iterator[Expr]:
        for group in (self.rates, self.definitions, self.starts, self.alternates):
            yield from group.values()
        yield from self.residuals
        for event in self.events:
            yield from event_formulas(event)

    def rewrite(self, change: Callable[[Expr], Expr]) -> None:
        """Change every formula."""
        for group in (self.rates, self.definitions, self.starts, self.alternates):
            for name, formula in group.items():
                group[name] = change(formula)
        self.residuals = [change(formula) for formula in self.residuals]
        self.events = [_rewritten(event, change) for event in self.events]

    def finish(self) -> None:
        """Raises UnsupportedFeature if anything was refused."""
        if self.unsupported:
            raise UnsupportedFeature(self.source, list(dict.fromkeys(self.unsupported)))


def event_formulas(event: Event) -> list[Expr]:
    optional = [formula for formula in (event.delay, event.priority) if formula is not None]
    return [event.trigger, *optional, *(a.formula for a in event.assignments)]


def _rewritten(event: Event, change: Callable[[Expr], Expr]) -> Event:
    return replace(
        event,
        trigger=change(event.trigger),
        delay=None if event.delay is None else change(event.delay),
        priority=None if event.priority is None else change(event.priority),
        assignments=tuple(EventAssignment(a.variable, change(a.formula)) for a in event.assignments),
    )


def draft(model: Model) -> Draft:
    """Every symbol with its rate, definition or constant value, and its start."""
    result = Draft(model, list(model.events))
    assigned = {rule.variable: rule.formula for rule in model.rules if isinstance(rule, AssignmentRule)}
    rated = {rule.variable: rule.formula for rule in model.rules if isinstance(rule, RateRule)}
    result.residuals = [rule.formula for rule in model.rules if isinstance(rule, AlgebraicRule)]
    touched = {a.variable for event in model.events for a in event.assignments}
    touched |= {port.symbol for port in model.ports if port.kind == "spike"}
    initial = {one.symbol: one.formula for one in model.initial_assignments}
    changed = assigned.keys() | rated.keys() | touched
    changed |= _open_variables(model, result.residuals)

    for name, value in _simple_quantities(model):
        _place(result, name, assigned, rated, touched)
        result.starts[name] = initial.get(name, UNDEFINED if value is None else number(value))
    for reaction in model.reactions:
        result.definitions[reaction.id] = ZERO if reaction.rate is None else reaction.rate
    moved = turnover(model)
    for species in model.species:
        _place_species(result, species, assigned, rated, touched, changed, moved)
        result.starts[species.id] = initial.get(species.id, _start(model, species))
    for name in assigned:
        result.starts.pop(name, None)
    return result


def _open_variables(model: Model, residuals: list[Expr]) -> set[str]:
    """Compartments that an algebraic rule may set."""
    if not residuals:
        return set()
    named = free_symbols(*residuals)
    return {c.id for c in model.compartments if not c.is_constant and c.id in named}


def volume_of(model: Model, species: Species) -> Expr | None:
    """The symbol of the compartment's size; None where the species' symbol is an amount."""
    return None if is_amount(model, species) else symbol(species.compartment)


def is_amount(model: Model, species: Species) -> bool:
    return species.is_amount or _compartment(model, species).dimensions == 0.0


def _compartment(model: Model, species: Species) -> Compartment:
    compartment: Compartment = model.by_id[species.compartment]
    return compartment


def _simple_quantities(model: Model) -> Iterator[tuple[str, float | None]]:
    """Compartments, parameters and named stoichiometries with their numbers."""
    for compartment in model.compartments:
        if compartment.dimensions != 0.0 or compartment.size is not None:
            yield compartment.id, compartment.size
    for parameter in model.parameters:
        yield parameter.id, parameter.value
    for reaction in model.reactions:
        for reference in (*reaction.reactants, *reaction.products):
            if reference.id:
                yield reference.id, reference.stoichiometry


def _place(
    result: Draft, name: str, assigned: dict[str, Expr], rated: dict[str, Expr], touched: set[str]
) -> None:
    if name in assigned:
        result.definitions[name] = assigned[name]
    elif name in rated:
        result.rates[name] = rated[name]
    elif name in touched:
        result.rates[name] = ZERO
    else:
        result.constants.add(name)


# --- species ------------------------------------------------------------------------------------


def _place_species(
    result: Draft,
    species: Species,
    assigned: dict[str, Expr],
    rated: dict[str, Expr],
    touched: set[str],
    changed: set[str],
    moved: dict[str, dict[str, tuple[float, Expr]]],
) -> None:
    model, name = result.model, species.id
    volume = volume_of(model, species)
    _add_alternate(result, species, volume)
    if name in assigned or name in rated:
        _place(result, name, assigned, rated, touched)
        return
    reactions = {} if species.is_boundary or species.is_constant else moved.get(name, {})
    state, scale = name, ONE
    if volume is not None and species.compartment in changed:
        state = result.amounts[name] = free_name(f"{name}_amount", model)
        result.definitions[name] = symbol(state) / volume
        result.alternates.pop(state, None)
        result.starts[state] = symbol(name) * volume
    elif volume is not None:
        scale = power(volume, -1.0)
    factor = species.conversion_factor or model.conversion_factor
    if factor:
        scale = mul(scale, symbol(factor))
    if not reactions and name not in touched:
        result.constants.add(state)
        return
    terms = []
    for reaction, (count, extra) in reactions.items():
        if model.by_id[reaction].is_fast:
            continue
        weight: ExprLike = count if extra is ZERO else add(count, extra)
        terms.append(mul(scale, weight, result.definitions[reaction]))
    result.rates[state] = add(*terms)
    result.scales[state] = scale
    if name not in touched and all(extra is ZERO for _, extra in reactions.values()):
        result.stoichiometry[state] = {reaction: count for reaction, (count, _) in reactions.items()}


def turnover(model: Model) -> dict[str, dict[str, tuple[float, Expr]]]:
    """Per species and reaction the net stoichiometry: a number, and what stands in named ones."""
    found: dict[str, dict[str, tuple[float, Expr]]] = {}
    for reaction in model.reactions:
        for sign, references in ((-1.0, reaction.reactants), (1.0, reaction.products)):
            for reference in references:
                row = found.setdefault(reference.species, {})
                count, extra = row.get(reaction.id, (0.0, ZERO))
                if reference.id is None:
                    count += sign * _count(reference)
                else:
                    extra = add(extra, mul(sign, symbol(reference.id)))
                row[reaction.id] = (count, extra)
    return found


def _count(reference: SpeciesReference) -> float:
    return math.nan if reference.stoichiometry is None else reference.stoichiometry


def _start(model: Model, species: Species) -> Expr:
    volume = symbol(species.compartment)
    amount, concentration = species.initial_amount, species.initial_concentration
    if is_amount(model, species):
        if amount is not None:
            return number(amount)
        return UNDEFINED if concentration is None else mul(concentration, volume)
    if concentration is not None:
        return number(concentration)
    return UNDEFINED if amount is None else number(amount) / volume


def _add_alternate(result: Draft, species: Species, volume: Expr | None) -> None:
    """The amount of a species whose symbol is a concentration, and the other way round."""
    model, name = result.model, species.id
    if volume is not None:
        result.alternates[free_name(f"{name}_amount", model)] = symbol(name) * volume
    elif _compartment(model, species).dimensions != 0.0:
        size = symbol(species.compartment)
        result.alternates[free_name(f"{name}_concentration", model)] = symbol(name) / size


def free_name(name: str, model: Model) -> str:
    """The name, with underscores if the model has it already."""
    while name in model.by_id:
        name += "_"
    return name
