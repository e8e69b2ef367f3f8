"""Unit definitions."""

from __future__ import annotations

from math import isfinite
from typing import Any

import libsbml

from cascades.sbml.reading import Reading

Factor = tuple[str, float, int, float]
_LARGEST = 1e30


def read_units(model: Any, reading: Reading) -> dict[str, tuple[Factor, ...]]:
    """The model's own units, each as (kind, exponent, scale, multiplier) factors."""
    found = {}
    for one in model.getListOfUnitDefinitions():
        name = one.getId()
        factors = tuple(_factor(unit) for unit in one.getListOfUnits())
        for kind, exponent, scale, multiplier in factors:
            sizes = (abs(exponent), abs(scale), multiplier)
            if not all(isfinite(size) and size <= _LARGEST for size in sizes) or multiplier <= 0.0:
                reading.problem(
                    f"unit {name}", f"({multiplier:g} * 10^{scale} {kind})^{exponent:g} makes no sense"
                )
        found[name] = factors
    return found


def _factor(unit: Any) -> Factor:
    kind = libsbml.UnitKind_toString(unit.getKind())
    return (kind, float(unit.getExponentAsDouble()), int(unit.getScale()), float(unit.getMultiplier()))
