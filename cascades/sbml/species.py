"""Compartments, species and global parameters."""

from __future__ import annotations

import math
from typing import Any

from cascades.model import Compartment, Parameter, Species
from cascades.sbml.annotations import read_annotations, read_sbo
from cascades.sbml.reading import Reading


def read_compartments(model: Any) -> tuple[Compartment, ...]:
    return tuple(
        Compartment(
            id=one.getId(),
            size=_number(one.isSetSize(), one.getSize()),
            dimensions=_number(one.isSetSpatialDimensions(), one.getSpatialDimensionsAsDouble()),
            is_constant=one.getConstant(),
            unit=one.getUnits() or None,
            name=one.getName(),
            sbo=read_sbo(one),
        )
        for one in model.getListOfCompartments()
    )


def read_species(model: Any, reading: Reading) -> tuple[Species, ...]:
    known = {one.getId() for one in model.getListOfCompartments()}
    found = []
    for one in model.getListOfSpecies():
        name, compartment = one.getId(), one.getCompartment()
        if compartment not in known:
            reading.problem(name, f"is in compartment {compartment!r}, which does not exist")
        found.append(
            Species(
                id=name,
                compartment=compartment,
                initial_amount=_number(one.isSetInitialAmount(), one.getInitialAmount()),
                initial_concentration=_number(one.isSetInitialConcentration(), one.getInitialConcentration()),
                is_amount=one.getHasOnlySubstanceUnits(),
                is_boundary=one.getBoundaryCondition(),
                is_constant=one.getConstant(),
                conversion_factor=one.getConversionFactor() or None,
                unit=one.getSubstanceUnits() or None,
                name=one.getName(),
                annotations=read_annotations(one),
                sbo=read_sbo(one),
            )
        )
    return tuple(found)


def read_parameters(model: Any) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            id=one.getId(),
            value=_number(one.isSetValue(), one.getValue()),
            is_constant=one.getConstant(),
            unit=one.getUnits() or None,
            name=one.getName(),
            sbo=read_sbo(one),
        )
        for one in model.getListOfParameters()
    )


def _number(is_set: bool, value: float) -> float | None:
    """None for what is not given; libsbml sets a missing value to NaN."""
    return None if not is_set or math.isnan(value) else float(value)
