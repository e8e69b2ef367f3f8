"""A model with some of its elements replaced by another's, and others added."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from cascades.errors import ModelError
from cascades.model import AlgebraicRule, Compartment, InitialAssignment, Model, Parameter, Species

_DEFAULT = "default_compartment"  # Antimony's home of species that a text does not place


def extend(model: Model, changes: Model) -> Model:
    """The model as `changes` has it wherever both have an element of one id, plus what only `changes` has.

    A parameter, species or compartment that `changes` mentions without a number or rule is the model's:
    formulas and reactions of `changes` may use whatever the model has.  A rule replaces the rule of the
    same variable.

    Raises ModelError for a unit that the two define differently.
    """
    clashing = [n for n, factors in changes.units.items() if model.units.get(n, factors) != factors]
    if clashing:
        raise ModelError(
            changes.source or changes.id, [f"unit {name}: defined otherwise" for name in clashing]
        )
    ruled = {_variable(rule) for rule in changes.rules} - {None}
    given = ruled | {start.symbol for start in changes.initial_assignments}
    ours = replace(
        model,
        rules=tuple(r for r in model.rules if _variable(r) not in ruled),
        initial_assignments=tuple(a for a in model.initial_assignments if not _starts(changes, a, given)),
    )
    return replace(
        ours,
        compartments=_merged(ours.compartments, changes.compartments, model, given),
        species=_merged(ours.species, changes.species, model, given),
        parameters=_merged(ours.parameters, changes.parameters, model, given),
        reactions=_merged(ours.reactions, changes.reactions, model, given),
        events=_merged(ours.events, changes.events, model, given),
        rules=ours.rules + changes.rules,
        initial_assignments=ours.initial_assignments + changes.initial_assignments,
        units={**model.units, **changes.units},
    )


def _variable(rule: Any) -> str | None:
    return None if isinstance(rule, AlgebraicRule) else rule.variable


def _starts(changes: Model, start: InitialAssignment, given: Collection[str | None]) -> bool:
    """Whether `changes` has another start for what `start` begins."""
    element = changes.by_id.get(start.symbol)
    return start.symbol in given or (element is not None and not _is_mention(element, given))


def _is_mention(element: Any, given: Collection[str | None]) -> bool:
    numbers = [
        getattr(element, n, None) for n in ("value", "size", "initial_amount", "initial_concentration")
    ]
    is_quantity = isinstance(element, (Parameter, Species, Compartment))
    return is_quantity and element.id not in given and all(number is None for number in numbers)


def _merged(
    ours: tuple[Any, ...], theirs: tuple[Any, ...], model: Model, given: Collection[str | None]
) -> tuple[Any, ...]:
    """Ours in their order, replaced by theirs of the same id; then the rest of theirs."""
    new = {e.id: e for e in theirs if not (e.id in model.by_id and _is_mention(e, given))}
    kept = tuple(_replaced(one, new.pop(one.id, one)) for one in ours)
    return (*kept, *(e for e in new.values() if e.id != _DEFAULT))


def _replaced(old: Any, new: Any) -> Any:
    """The new element; a parameter keeps a value that is not given anew, and stays free to move."""
    if not (isinstance(new, Parameter) and isinstance(old, Parameter)):
        return new
    value = old.value if new.value is None else new.value
    return replace(new, value=value, is_constant=new.is_constant and old.is_constant)
