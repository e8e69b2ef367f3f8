"""New ids for the elements of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cascades.errors import ModelError, UnknownName
from cascades.expression import Expr, substitute, symbol
from cascades.model import (
    AlgebraicRule,
    AssignmentRule,
    Event,
    EventAssignment,
    InitialAssignment,
    Model,
    Port,
    RateRule,
    Reaction,
    SpeciesReference,
)

Rule = AssignmentRule | RateRule | AlgebraicRule


def rename(model: Model, names: Mapping[str, str]) -> Model:
    """The model with elements (old id -> new id) renamed, also in every formula.

    Raises
    ------
    UnknownName
        An old id that the model does not have.
    ModelError
        A new id that is taken.
    """
    known = {*model.by_id, *_stoichiometry_ids(model)}
    for name in names:
        if name not in known:
            raise UnknownName("element", name, known)
    kept = known - names.keys()
    taken = [new for i, new in enumerate(names.values()) if new in kept or new in list(names.values())[:i]]
    if taken:
        raise ModelError(model.source or model.id, [f"{name}: the new id is taken" for name in taken])
    return renamed(model, names)


def renamed(model: Model, names: Mapping[str, str], units: Mapping[str, str] | None = None) -> Model:
    """As `rename`, without looking whether ids meet; `units` renames units."""
    return _Renaming(names, units or {}).model(model)


def _stoichiometry_ids(model: Model) -> set[str]:
    return {r.id for one in model.reactions for r in (*one.reactants, *one.products) if r.id}


class _Renaming:
    def __init__(self, names: Mapping[str, str], units: Mapping[str, str]):
        self.names, self.units = names, units
        self._symbols = {old: symbol(new) for old, new in names.items()}
        self._memo: dict[Expr, Expr] = {}

    def id(self, name: str) -> str:
        return self.names.get(name, name)

    def optional(self, name: str | None) -> str | None:
        return None if name is None else self.id(name)

    def unit(self, name: str | None) -> str | None:
        return None if name is None else self.units.get(name, name)

    def formula(self, formula: Expr) -> Expr:
        return substitute([formula], self._symbols, self._memo)[0]

    def maybe(self, formula: Expr | None) -> Expr | None:
        return None if formula is None else self.formula(formula)

    def model(self, model: Model) -> Model:
        return replace(
            model,
            compartments=tuple(
                replace(c, id=self.id(c.id), unit=self.unit(c.unit)) for c in model.compartments
            ),
            species=tuple(
                replace(
                    s,
                    id=self.id(s.id),
                    compartment=self.id(s.compartment),
                    conversion_factor=self.optional(s.conversion_factor),
                    unit=self.unit(s.unit),
                )
                for s in model.species
            ),
            parameters=tuple(replace(p, id=self.id(p.id), unit=self.unit(p.unit)) for p in model.parameters),
            reactions=tuple(map(self.reaction, model.reactions)),
            rules=tuple(map(self.rule, model.rules)),
            initial_assignments=tuple(
                InitialAssignment(self.id(a.symbol), self.formula(a.formula))
                for a in model.initial_assignments
            ),
            events=tuple(map(self.event, model.events)),
            ports=tuple(map(self.port, model.ports)),
            units={self.units.get(name, name): factors for name, factors in model.units.items()},
            time_unit=self.unit(model.time_unit),
            substance_unit=self.unit(model.substance_unit),
            extent_unit=self.unit(model.extent_unit),
            volume_unit=self.unit(model.volume_unit),
            area_unit=self.unit(model.area_unit),
            length_unit=self.unit(model.length_unit),
            conversion_factor=self.optional(model.conversion_factor),
        )

    def reaction(self, one: Reaction) -> Reaction:
        return replace(
            one,
            id=self.id(one.id),
            reactants=tuple(map(self.reference, one.reactants)),
            products=tuple(map(self.reference, one.products)),
            modifiers=tuple(map(self.id, one.modifiers)),
            rate=self.maybe(one.rate),
        )

    def reference(self, one: SpeciesReference) -> SpeciesReference:
        return replace(one, species=self.id(one.species), id=self.optional(one.id))

    def rule(self, one: Rule) -> Rule:
        formula = self.formula(one.formula)
        if isinstance(one, AlgebraicRule):
            return AlgebraicRule(formula)
        return type(one)(self.id(one.variable), formula)

    def event(self, one: Event) -> Event:
        return replace(
            one,
            id=self.id(one.id),
            trigger=self.formula(one.trigger),
            delay=self.maybe(one.delay),
            priority=self.maybe(one.priority),
            assignments=tuple(
                EventAssignment(self.id(a.variable), self.formula(a.formula)) for a in one.assignments
            ),
        )

    def port(self, one: Port) -> Port:
        jump = self.id(one.jump) if isinstance(one.jump, str) else one.jump
        return replace(one, symbol=self.id(one.symbol), jump=jump)
