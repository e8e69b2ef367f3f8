"""Reactions, with their local parameters made global."""

from __future__ import annotations

import math
from typing import Any

from cascades.expression import symbol
from cascades.model import Parameter, Reaction, SpeciesReference
from cascades.sbml.annotations import read_sbo
from cascades.sbml.formulas import read_formula
from cascades.sbml.reading import Reading


def read_reactions(
    model: Any, reading: Reading, taken: set[str]
) -> tuple[tuple[Reaction, ...], tuple[Parameter, ...]]:
    """The reactions, and their local parameters under the name reaction__parameter."""
    reactions, parameters = [], []
    species = {one.getId() for one in model.getListOfSpecies()}
    for one in model.getListOfReactions():
        name = one.getId()
        law = one.getKineticLaw()
        local = {}
        for parameter in law.getListOfLocalParameters() if law is not None else ():
            renamed = _free(f"{name}__{parameter.getId()}", taken)
            local[parameter.getId()] = symbol(renamed)
            parameters.append(_local(parameter, renamed))
        rate = None
        if law is not None and law.isSetMath():
            rate = read_formula(law.getMath(), reading, f"reaction {name}", local)
        modifiers = tuple(reference.getSpecies() for reference in one.getListOfModifiers())
        reaction = Reaction(
            id=name,
            reactants=tuple(map(_reference, one.getListOfReactants())),
            products=tuple(map(_reference, one.getListOfProducts())),
            modifiers=modifiers,
            rate=rate,
            is_reversible=one.getReversible(),
            is_fast=one.isSetFast() and one.getFast(),
            name=one.getName(),
            sbo=read_sbo(one),
        )
        for used in [*(r.species for r in (*reaction.reactants, *reaction.products)), *modifiers]:
            if used not in species:
                reading.problem(f"reaction {name}", f"refers to species {used!r}, which does not exist")
        reactions.append(reaction)
    return tuple(reactions), tuple(parameters)


def _reference(one: Any) -> SpeciesReference:
    value = one.getStoichiometry() if one.isSetStoichiometry() else math.nan
    return SpeciesReference(
        species=one.getSpecies(),
        stoichiometry=None if math.isnan(value) else float(value),
        id=one.getId() or None,
        is_constant=one.getConstant(),
    )


def _local(one: Any, renamed: str) -> Parameter:
    value = one.getValue() if one.isSetValue() else math.nan
    return Parameter(
        id=renamed,
        value=None if math.isnan(value) else float(value),
        unit=one.getUnits() or None,
        name=one.getName(),
        sbo=read_sbo(one),
    )


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
