"""An SBML file to a `Model`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import libsbml

from cascades.errors import ModelError
from cascades.expression import Expr, free_symbols
from cascades.model import AlgebraicRule, Model
from cascades.sbml.annotations import read_annotations
from cascades.sbml.events import read_events
from cascades.sbml.formulas import called_functions, read_formula
from cascades.sbml.functions import read_functions
from cascades.sbml.guard import check, check_size
from cascades.sbml.initial import read_initial_assignments
from cascades.sbml.names import rename_time
from cascades.sbml.reactions import read_reactions
from cascades.sbml.reading import Reading
from cascades.sbml.rules import read_rules
from cascades.sbml.species import read_compartments, read_parameters, read_species
from cascades.sbml.support import refuse_packages
from cascades.sbml.units import read_units


def read_file(path: Path) -> Model:
    """The model in an SBML file.  Raises as `read_text` does."""
    check_size(path.stat().st_size, path.name)
    return read_text(path.read_bytes(), path.name)


def read_text(text: str | bytes, source: str) -> Model:
    """The model in an SBML text.

    Raises
    ------
    ModelError
        The text is not SBML, or a broken model; every problem is named.
    UnsupportedFeature
        The model uses something that is not supported; every use is named.
    """
    content = text.encode() if isinstance(text, str) else text
    check(content, source)
    document = libsbml.readSBMLFromString(content.decode("utf-8", errors="replace"))
    _refuse_errors(document, source)
    if document.getLevel() < 3 and not document.setLevelAndVersion(3, 1, False):
        raise ModelError(
            source, [f"cannot be read as Level 3: {m}" for m in _messages(document)] or ["not Level 3"]
        )
    model = document.getModel()
    if model is None:
        raise ModelError(source, ["the file holds no model"])
    reading = Reading(source)
    refuse_packages(document, reading)
    rename_time(document, model)
    result = _model(model, reading)
    _check_names(result, reading)
    reading.finish()
    return result


def _model(model: Any, reading: Reading) -> Model:
    read_functions(model, reading, called_functions, read_formula)
    compartments, species = read_compartments(model), read_species(model, reading)
    parameters, events = read_parameters(model), read_events(model, reading)
    elements: tuple[Any, ...] = (*compartments, *species, *parameters, *events)
    taken = {one.id for one in elements}
    reactions, local_parameters = read_reactions(model, reading, taken)
    return Model(
        id=model.getId() or Path(reading.source).stem,
        compartments=compartments,
        species=species,
        parameters=parameters + local_parameters,
        reactions=reactions,
        rules=read_rules(model, reading),
        initial_assignments=read_initial_assignments(model, reading),
        events=events,
        name=model.getName(),
        units=read_units(model, reading),
        time_unit=model.getTimeUnits() or None,
        substance_unit=model.getSubstanceUnits() or None,
        extent_unit=model.getExtentUnits() or None,
        volume_unit=model.getVolumeUnits() or None,
        area_unit=model.getAreaUnits() or None,
        length_unit=model.getLengthUnits() or None,
        conversion_factor=model.getConversionFactor() or None,
        annotations=read_annotations(model),
        source=reading.source,
    )


def _refuse_errors(document: Any, source: str) -> None:
    if document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) or document.getNumErrors(libsbml.LIBSBML_SEV_FATAL):
        raise ModelError(source, _messages(document))


def _messages(document: Any) -> list[str]:
    found = []
    for i in range(document.getNumErrors()):
        error = document.getError(i)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            message = " ".join(error.getMessage().split())
            found.append(f"line {error.getLine()}: {message}")
    return found


def _check_names(model: Model, reading: Reading) -> None:
    known = set(model.by_id) | {"time"}
    for reaction in model.reactions:
        known |= {r.id for r in (*reaction.reactants, *reaction.products) if r.id}
    for where, formulas, targets in _uses(model):
        for name in sorted(free_symbols(*formulas) - known):
            reading.problem(where, f"uses {name!r}, which does not exist")
        for target in targets:
            if target not in known:
                reading.problem(where, f"sets {target!r}, which does not exist")


def _uses(model: Model) -> Iterator[tuple[str, Iterable[Expr], tuple[str, ...]]]:
    """Every element with formulas: where it is, its formulas, the names that it sets."""
    for reaction in model.reactions:
        if reaction.rate is not None:
            yield f"reaction {reaction.id}", [reaction.rate], ()
    for rule in model.rules:
        target = () if isinstance(rule, AlgebraicRule) else (rule.variable,)
        yield f"rule for {target[0]}" if target else "algebraic rule", [rule.formula], target
    for one in model.initial_assignments:
        yield f"initial assignment to {one.symbol}", [one.formula], (one.symbol,)
    for event in model.events:
        formulas = [event.trigger, *(a.formula for a in event.assignments)]
        formulas += [f for f in (event.delay, event.priority) if f is not None]
        yield f"event {event.id}", formulas, tuple(a.variable for a in event.assignments)
