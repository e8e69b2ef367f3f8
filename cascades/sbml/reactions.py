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
    """The reactions, and their local parameters under the name reaction__parameter.

    (By index: libsbml's lists are slow to iterate.)
    """
    elements = [model.getReaction(i) for i in range(model.getNumReactions())]
    reactants = [_references(one.getNumReactants(), one.getReactant) for one in elements]
    products = [_references(one.getNumProducts(), one.getProduct) for one in elements]
    named = {reference.id for group in (*reactants, *products) for reference in group if reference.id}
    taken |= named | {one.getId() for one in elements}
    species = {model.getSpecies(i).getId() for i in range(model.getNumSpecies())}
    reactions, parameters = [], []
    for one, used, made in zip(elements, reactants, products, strict=True):
        name = one.getId()
        law: Any = one.getKineticLaw() if one.isSetKineticLaw() else None
        local = {}
        for i in range(law.getNumLocalParameters() if law is not None else 0):
            parameter = law.getLocalParameter(i)
            renamed = _free(f"{name}__{parameter.getId()}", taken)
            local[parameter.getId()] = symbol(renamed)
            parameters.append(_local(parameter, renamed))
        rate = None
        if law is not None and law.isSetMath():
            rate = read_formula(law.getMath(), reading, f"reaction {name}", local)
        reaction = Reaction(
            id=name,
            reactants=used,
            products=made,
            modifiers=tuple(one.getModifier(i).getSpecies() for i in range(one.getNumModifiers())),
            rate=rate,
            is_reversible=one.getReversible(),
            is_fast=one.isSetFast() and one.getFast(),
            name=one.getName(),
            sbo=read_sbo(one),
        )
        for reference in (*used, *made):
            if reference.id is None and (
                reference.stoichiometry is None or math.isinf(reference.stoichiometry)
            ):
                reading.problem(f"reaction {name}", f"the stoichiometry of {reference.species} is missing")
        for mentioned in [*(r.species for r in (*used, *made)), *reaction.modifiers]:
            if mentioned not in species:
                reading.problem(f"reaction {name}", f"refers to species {mentioned!r}, which does not exist")
        reactions.append(reaction)
    return tuple(reactions), tuple(parameters)


def _references(count: int, get: Any) -> tuple[SpeciesReference, ...]:
    return tuple(_reference(get(i)) for i in range(count))


def _reference(one: Any) -> SpeciesReference:
    value = one.getStoichiometry()
    return SpeciesReference(
        species=one.getSpecies(),
        stoichiometry=None if math.isnan(value) or not one.isSetStoichiometry() else value,
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
