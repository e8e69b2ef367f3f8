"""A model with something changed: a knock-out, a drug, another temperature."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from cascades.errors import ModelError, UnknownName
from cascades.expression import ZERO, free_symbols, substitute
from cascades.model import AlgebraicRule, Compartment, Model, Parameter, Species


def patch(
    model: Model,
    *,
    values: Mapping[str, float] | None = None,
    scale: Mapping[str, float] | None = None,
    remove: Collection[str] = (),
) -> Model:
    """The model with other numbers and without some of its parts.

    Parameters
    ----------
    values : a new number for a parameter, a compartment's size or a species' initial value (an amount
        if its symbol is one).  Rules and initial assignments that computed it are dropped: a
        variable so set is clamped.
    scale : a factor on a number, as Q10 ** ((T - T0) / 10) for another temperature.
    remove : reactions and events are left out; a species is knocked out: it is absent from the start
        and all reactions that consume or produce it are left out; a parameter or variable goes with its
        rule.

    Raises
    ------
    UnknownName
        A name that the model does not have, or a factor on what has no number of its own.
    ModelError
        A parameter to remove that something left uses.
    """
    values = dict(values or {})
    for name, factor in (scale or {}).items():
        values[name] = factor * _value(model, name)
    for name in values:
        _refuse_unknown(model, name, (Parameter, Compartment, Species), "parameter, species or compartment")
    for name in remove:
        if name not in model.by_id or isinstance(model.by_id[name], Compartment):
            known = [one for one, element in model.by_id.items() if not isinstance(element, Compartment)]
            raise UnknownName("reaction, event, species or parameter", name, known)
    parameters = frozenset(p.id for p in model.parameters) & frozenset(remove)
    changed = _without(_with_values(model, values), frozenset(remove) - parameters)
    return _without_parameters(changed, parameters)


def _value(model: Model, name: str) -> float:
    numbers = {p.id: p.value for p in model.parameters} | {c.id: c.size for c in model.compartments}
    for species in model.species:
        amount, concentration = species.initial_amount, species.initial_concentration
        numbers[species.id] = concentration if amount is None else amount
    computed = {rule.variable for rule in model.rules if not isinstance(rule, AlgebraicRule)}
    computed |= {one.symbol for one in model.initial_assignments}
    known = {n: v for n, v in numbers.items() if v is not None and n not in computed}
    if name not in known:
        raise UnknownName("number", name, known)
    return known[name]


def _refuse_unknown(model: Model, name: str, kinds: tuple[type, ...], what: str) -> None:
    if not isinstance(model.by_id.get(name), kinds):
        raise UnknownName(
            what, name, [one for one, element in model.by_id.items() if isinstance(element, kinds)]
        )


def _with_values(model: Model, values: Mapping[str, float]) -> Model:
    return replace(
        model,
        parameters=tuple(_with_value(p, values, "value") for p in model.parameters),
        compartments=tuple(_with_value(c, values, "size") for c in model.compartments),
        species=tuple(_with_start(s, values) for s in model.species),
        rules=tuple(r for r in model.rules if isinstance(r, AlgebraicRule) or r.variable not in values),
        initial_assignments=tuple(a for a in model.initial_assignments if a.symbol not in values),
    )


def _with_value(element: Any, values: Mapping[str, float], number: str) -> Any:
    return replace(element, **{number: float(values[element.id])}) if element.id in values else element


def _with_start(species: Species, values: Mapping[str, float]) -> Species:
    if species.id not in values:
        return species
    value = float(values[species.id])
    if species.is_amount or species.initial_amount is not None:
        return replace(species, initial_amount=value, initial_concentration=None)
    return replace(species, initial_concentration=value)


def _without(model: Model, names: frozenset[str]) -> Model:
    absent = frozenset(s.id for s in model.species if s.id in names)
    if not names:
        return model
    reactions = tuple(
        one
        for one in model.reactions
        if one.id not in names and not absent & {r.species for r in (*one.reactants, *one.products)}
    )
    gone = {one.id: ZERO for one in model.reactions if one not in reactions}
    changed = replace(
        model,
        reactions=reactions,
        events=tuple(one for one in model.events if one.id not in names),
        species=tuple(_absent(s) if s.id in absent else s for s in model.species),
        rules=tuple(r for r in model.rules if isinstance(r, AlgebraicRule) or r.variable not in absent),
        initial_assignments=tuple(a for a in model.initial_assignments if a.symbol not in absent),
    )
    rules = tuple(replace(r, formula=substitute([r.formula], gone)[0]) for r in changed.rules)
    rates = tuple(
        replace(one, rate=None if one.rate is None else substitute([one.rate], gone)[0])
        for one in changed.reactions
    )
    return replace(changed, rules=rules, reactions=rates)


def _without_parameters(model: Model, names: frozenset[str]) -> Model:
    if not names:
        return model
    changed = replace(
        model,
        parameters=tuple(p for p in model.parameters if p.id not in names),
        rules=tuple(r for r in model.rules if isinstance(r, AlgebraicRule) or r.variable not in names),
        initial_assignments=tuple(a for a in model.initial_assignments if a.symbol not in names),
        ports=tuple(p for p in model.ports if not names & {p.symbol, p.jump}),
    )
    used = free_symbols(
        *(rule.formula for rule in changed.rules),
        *(one.rate for one in changed.reactions if one.rate is not None),
        *(start.formula for start in changed.initial_assignments),
        *(f for event in changed.events for f in (event.trigger, *(a.formula for a in event.assignments))),
    )
    if names & used:
        raise ModelError(
            model.source or model.id, [f"{name}: is used, so it stays" for name in sorted(names & used)]
        )
    return changed


def _absent(species: Species) -> Species:
    return replace(
        species, initial_amount=0.0, initial_concentration=None, is_boundary=True, is_constant=True
    )
