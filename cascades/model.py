"""A kinetic model: species, compartments, reactions, rules and events, with formulas as symbols.

Everything is frozen; a changed model is a new one (`dataclasses.replace`).  The vocabulary is that
of SBML Level 3 Version 2; numbers are in the model's own units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property
from typing import Any

from cascades.expression import Expr


@dataclass(frozen=True)
class Compartment:
    """`size` may be missing if a rule or initial assignment gives it."""

    id: str
    size: float | None = 1.0
    dimensions: float | None = 3.0
    is_constant: bool = True
    unit: str | None = None
    name: str = ""
    sbo: str = ""


@dataclass(frozen=True)
class Species:
    """In formulas the symbol is an amount if `is_amount`, else a concentration.

    At most one of `initial_amount` and `initial_concentration` is given.
    """

    id: str
    compartment: str
    initial_amount: float | None = None
    initial_concentration: float | None = None
    is_amount: bool = False
    is_boundary: bool = False
    is_constant: bool = False
    conversion_factor: str | None = None
    unit: str | None = None
    name: str = ""
    annotations: tuple[str, ...] = ()
    sbo: str = ""


@dataclass(frozen=True)
class Parameter:
    id: str
    value: float | None = None
    is_constant: bool = True
    unit: str | None = None
    name: str = ""
    sbo: str = ""


@dataclass(frozen=True)
class SpeciesReference:
    """`id` is set if formulas, rules or events use the stoichiometry by name."""

    species: str
    stoichiometry: float | None = 1.0
    id: str | None = None
    is_constant: bool = True


@dataclass(frozen=True)
class Reaction:
    """`rate` is in extent per time; local parameters are already global, named reaction__parameter."""

    id: str
    reactants: tuple[SpeciesReference, ...] = ()
    products: tuple[SpeciesReference, ...] = ()
    modifiers: tuple[str, ...] = ()
    rate: Expr | None = None
    is_reversible: bool = False
    is_fast: bool = False
    name: str = ""
    sbo: str = ""


@dataclass(frozen=True)
class AssignmentRule:
    variable: str
    formula: Expr


@dataclass(frozen=True)
class RateRule:
    variable: str
    formula: Expr


@dataclass(frozen=True)
class AlgebraicRule:
    """The formula is zero at all times."""

    formula: Expr


@dataclass(frozen=True)
class InitialAssignment:
    symbol: str
    formula: Expr


@dataclass(frozen=True)
class EventAssignment:
    variable: str
    formula: Expr


@dataclass(frozen=True)
class Event:
    """Fires when `trigger` turns from false to true; `initial_value` is its value before time 0."""

    id: str
    trigger: Expr
    assignments: tuple[EventAssignment, ...] = ()
    delay: Expr | None = None
    priority: Expr | None = None
    initial_value: bool = True
    is_persistent: bool = True
    uses_trigger_time_values: bool = True
    name: str = ""


@dataclass(frozen=True)
class Port:
    """A name at which stimuli enter, read-outs leave, and models are joined.

    kind "spike": an arriving spike adds `jump` (a number or the id of a parameter) to `symbol`.
    kind "input": `symbol` is set by a protocol or by another model.
    kind "output": `symbol` is read.
    """

    name: str
    symbol: str
    kind: str
    jump: str | float = 1.0
    unit: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Model:
    """A whole model.  `units` maps the model's own unit ids to (kind, exponent, scale, multiplier)
    factors; `time_unit`, `substance_unit` and so on name one of them or an SBML base unit."""

    id: str
    compartments: tuple[Compartment, ...] = ()
    species: tuple[Species, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    rules: tuple[AssignmentRule | RateRule | AlgebraicRule, ...] = ()
    initial_assignments: tuple[InitialAssignment, ...] = ()
    events: tuple[Event, ...] = ()
    ports: tuple[Port, ...] = ()
    name: str = ""
    units: Mapping[str, tuple[tuple[str, float, int, float], ...]] = field(default_factory=dict)
    time_unit: str | None = None
    substance_unit: str | None = None
    extent_unit: str | None = None
    volume_unit: str | None = None
    area_unit: str | None = None
    length_unit: str | None = None
    conversion_factor: str | None = None
    annotations: tuple[str, ...] = ()
    source: str = ""

    @cached_property
    def by_id(self) -> dict[str, Any]:
        """Every compartment, species, parameter, reaction and event by its id."""
        return {element.id: element for element in self._elements()}

    @cached_property
    def content_hash(self) -> str:
        """Of everything that can change a result; names, annotations and `source` do not count."""
        digest = hashlib.sha256()
        for part in fields(self):
            if part.name not in _WITHOUT_EFFECT:
                digest.update(repr(_plain(getattr(self, part.name))).encode())
        return digest.hexdigest()

    def port(self, name: str) -> Port | None:
        return next((p for p in self.ports if p.name == name), None)

    def _elements(self) -> Iterator[Any]:
        for group in (self.compartments, self.species, self.parameters, self.reactions, self.events):
            yield from group


_WITHOUT_EFFECT = ("name", "annotations", "sbo", "description", "source")


def _plain(value: Any) -> Any:
    if isinstance(value, Expr):
        return value.key
    if isinstance(value, Mapping):
        return sorted((k, _plain(v)) for k, v in value.items())
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if is_dataclass(value):
        kind: Any = type(value)
        return [_plain(getattr(value, name)) for name in _with_effect(kind)]
    return value


@cache
def _with_effect(kind: type[Any]) -> tuple[str, ...]:
    names = [f.name for f in fields(kind)]
    skipped = _WITHOUT_EFFECT if "id" in names else ("description",)  # a port's name is its id
    return tuple(name for name in names if name not in skipped)
