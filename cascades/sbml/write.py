"""A `Model` to SBML Level 3 Version 2.

The text is written here, since libsbml writes numbers with 15 digits: reading it back gives a model
with the same content hash (libsbml reads no number below 2.2e-308).  The same model gives the same
text, byte for byte.  Ports are no part of SBML and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import quoteattr

from cascades.expression import Expr
from cascades.model import (
    AlgebraicRule,
    AssignmentRule,
    Compartment,
    Event,
    InitialAssignment,
    Model,
    Parameter,
    RateRule,
    Reaction,
    Species,
    SpeciesReference,
)
from cascades.sbml.annotations import annotation_lines
from cascades.sbml.mathml import math_text

Value = str | float | bool | None
Lines = Iterator[str]


def to_sbml(model: Model) -> str:
    """The model as SBML text: Level 3 Version 2, or Version 1 if a reaction is fast (Version 2 has none).

    Raises ExportError for a formula that is too long to be written out.
    """
    version = 1 if any(reaction.is_fast for reaction in model.reactions) else 2
    name = f"http://www.sbml.org/sbml/level3/version{version}/core"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    attributes = {"xmlns": name, "level": "3", "version": str(version)}
    lines += _element("sbml", attributes, _model(model, version))
    return "\n".join(lines) + "\n"


def _model(model: Model, version: int) -> Lines:
    attributes: dict[str, Value] = {
        "metaid": model.id if model.annotations else None,
        "id": model.id,
        "name": model.name or None,
        "substanceUnits": model.substance_unit,
        "timeUnits": model.time_unit,
        "volumeUnits": model.volume_unit,
        "areaUnits": model.area_unit,
        "lengthUnits": model.length_unit,
        "extentUnits": model.extent_unit,
        "conversionFactor": model.conversion_factor,
    }
    yield from _element("model", attributes, _parts(model, version))


def _parts(model: Model, version: int) -> Lines:
    yield from annotation_lines(model.id, model.annotations, of_model=True)
    yield from _list("UnitDefinitions", (_unit(name, model) for name in model.units))
    yield from _list("Compartments", map(_compartment, model.compartments))
    yield from _list("Species", map(_species, model.species))
    yield from _list("Parameters", map(_parameter, model.parameters))
    yield from _list("InitialAssignments", map(_initial_assignment, model.initial_assignments))
    yield from _list("Rules", map(_rule, model.rules))
    yield from _list("Reactions", (_reaction(one, version) for one in model.reactions))
    yield from _list("Events", map(_event, model.events))


def _unit(name: str, model: Model) -> Lines:
    units = [
        _element("unit", {"kind": kind, "exponent": exponent, "scale": str(scale), "multiplier": multiplier})
        for kind, exponent, scale, multiplier in model.units[name]
    ]
    return _element("unitDefinition", {"id": name}, _list("Units", units))


def _compartment(one: Compartment) -> Lines:
    attributes: dict[str, Value] = {
        "sboTerm": one.sbo or None,
        "id": one.id,
        "name": one.name or None,
        "spatialDimensions": one.dimensions,
        "size": one.size,
        "units": one.unit,
        "constant": one.is_constant,
    }
    return _element("compartment", attributes)


def _species(one: Species) -> Lines:
    attributes: dict[str, Value] = {
        "metaid": one.id if one.annotations else None,
        "sboTerm": one.sbo or None,
        "id": one.id,
        "name": one.name or None,
        "compartment": one.compartment,
        "initialAmount": one.initial_amount,
        "initialConcentration": one.initial_concentration,
        "substanceUnits": one.unit,
        "hasOnlySubstanceUnits": one.is_amount,
        "boundaryCondition": one.is_boundary,
        "constant": one.is_constant,
        "conversionFactor": one.conversion_factor,
    }
    return _element("species", attributes, annotation_lines(one.id, one.annotations))


def _parameter(one: Parameter) -> Lines:
    attributes: dict[str, Value] = {
        "sboTerm": one.sbo or None,
        "id": one.id,
        "name": one.name or None,
        "value": one.value,
        "units": one.unit,
        "constant": one.is_constant,
    }
    return _element("parameter", attributes)


def _initial_assignment(one: InitialAssignment) -> Lines:
    where = f"initial assignment to {one.symbol}"
    return _element("initialAssignment", {"symbol": one.symbol}, _math(one.formula, where))


def _rule(one: AssignmentRule | RateRule | AlgebraicRule) -> Lines:
    if isinstance(one, AlgebraicRule):
        return _element("algebraicRule", {}, _math(one.formula, "algebraic rule"))
    tag = "assignmentRule" if isinstance(one, AssignmentRule) else "rateRule"
    return _element(tag, {"variable": one.variable}, _math(one.formula, f"rule for {one.variable}"))


def _reaction(one: Reaction, version: int) -> Lines:
    attributes: dict[str, Value] = {
        "sboTerm": one.sbo or None,
        "id": one.id,
        "name": one.name or None,
        "reversible": one.is_reversible,
        "fast": one.is_fast if version == 1 else None,
    }
    return _element("reaction", attributes, _reaction_parts(one))


def _reaction_parts(one: Reaction) -> Lines:
    yield from _list("Reactants", map(_reference, one.reactants))
    yield from _list("Products", map(_reference, one.products))
    modifiers = (_element("modifierSpeciesReference", {"species": species}) for species in one.modifiers)
    yield from _list("Modifiers", modifiers)
    if one.rate is not None:
        yield from _element("kineticLaw", {}, _math(one.rate, f"reaction {one.id}"))


def _reference(one: SpeciesReference) -> Lines:
    attributes: dict[str, Value] = {
        "id": one.id,
        "species": one.species,
        "stoichiometry": one.stoichiometry,
        "constant": one.is_constant,
    }
    return _element("speciesReference", attributes)


def _event(one: Event) -> Lines:
    attributes: dict[str, Value] = {
        "id": one.id,
        "name": one.name or None,
        "useValuesFromTriggerTime": one.uses_trigger_time_values,
    }
    return _element("event", attributes, _event_parts(one))


def _event_parts(one: Event) -> Lines:
    where = f"event {one.id}"
    flags: dict[str, Value] = {"initialValue": one.initial_value, "persistent": one.is_persistent}
    yield from _element("trigger", flags, _math(one.trigger, where))
    if one.priority is not None:
        yield from _element("priority", {}, _math(one.priority, where))
    if one.delay is not None:
        yield from _element("delay", {}, _math(one.delay, where))
    assignments = (
        _element("eventAssignment", {"variable": a.variable}, _math(a.formula, where))
        for a in one.assignments
    )
    yield from _list("EventAssignments", assignments)


# --- text ---------------------------------------------------------------------------------------


def _math(formula: Expr, where: str) -> Lines:
    yield math_text(formula, where)


def _list(name: str, elements: Iterable[Iterable[str]]) -> Lines:
    lines = [line for element in elements for line in element]
    return _element(f"listOf{name}", {}, lines) if lines else iter(())


def _element(tag: str, attributes: Mapping[str, Value], content: Iterable[str] = ()) -> Lines:
    given = "".join(f" {key}={quoteattr(_text(v))}" for key, v in attributes.items() if v is not None)
    inner = [f"  {line}" for line in content]
    if not inner:
        yield f"<{tag}{given}/>"
        return
    yield f"<{tag}{given}>"
    yield from inner
    yield f"</{tag}>"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        special = {float("inf"): "INF", float("-inf"): "-INF"}
        return special.get(value) or ("NaN" if value != value else repr(value).removesuffix(".0"))
    return str(value)
