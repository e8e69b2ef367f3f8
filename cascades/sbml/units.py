"""Unit definitions."""

from __future__ import annotations

from typing import Any

import libsbml

Factor = tuple[str, float, int, float]


def read_units(model: Any) -> dict[str, tuple[Factor, ...]]:
    """The model's own units, each as (kind, exponent, scale, multiplier) factors."""
    return {
        one.getId(): tuple(
            (
                libsbml.UnitKind_toString(unit.getKind()),
                float(unit.getExponentAsDouble()),
                int(unit.getScale()),
                float(unit.getMultiplier()),
            )
            for unit in one.getListOfUnits()
        )
        for one in model.getListOfUnitDefinitions()
    }
