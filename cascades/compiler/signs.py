"""What cannot be negative: species, and whatever is measured as a concentration, an amount or a volume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import ModelError
from cascades.model import Compartment, Species
from cascades.units import SI_FACTORS

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

_COUNTED = ("concentration", "amount", "volume")
_NUDGE = 1e-5  # of a quantity (of one, if it is zero): differences around zero are no mistake


def refuse_negative(
    compiled: CompiledModel, given: Mapping[str, Any], rounding: Mapping[str, float] | None = None
) -> None:
    """Raise ModelError for values that users give and that make no sense, each by its name.

    Parameters
    ----------
    given : name -> a number, or one per member
    rounding : name -> by how much a number may lie below zero, as states of an earlier run do; by
        default a hundred thousandth of the model's own value

    A quantity that the model itself has below zero may be so.
    """
    problems = []
    for name, values in given.items():
        lowest = float(np.min(values, initial=np.inf))
        if lowest >= 0.0:
            continue
        own = _own_value(compiled, name)
        allowed = _NUDGE * (abs(own) or 1.0) if rounding is None else rounding[name]
        kind, unit = _kind(compiled, name)
        if kind is not None and not own < 0.0 and lowest < -allowed:
            problems.append(f"{name}: {kind} cannot be negative (got {lowest:g}{unit})")
    if problems:
        raise ModelError(compiled.name, problems)


def _kind(compiled: CompiledModel, name: str) -> tuple[str | None, str]:
    """What the quantity is, if it cannot be negative, and its unit as it stands behind a number."""
    unit = compiled.equations.units.get(name)
    measured, _ = SI_FACTORS.get(unit or "", ("", 1.0))
    if measured in _COUNTED:
        return f"{'an' if measured[0] == 'a' else 'a'} {measured}", f" {unit}"
    element = compiled.model.by_id.get(name) if compiled.model is not None else None
    if unit is None and isinstance(element, Species | Compartment):
        return f"a {type(element).__name__.lower()}", ""
    return None, ""


def _own_value(compiled: CompiledModel, name: str) -> float:
    return compiled.default_values.get(name, compiled.initial_values.get(name, 0.0))
