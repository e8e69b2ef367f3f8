"""Events."""

from __future__ import annotations

from typing import Any

from cascades.expression import Expr
from cascades.model import Event, EventAssignment
from cascades.sbml.formulas import read_formula, truth
from cascades.sbml.reading import Reading


def read_events(model: Any, reading: Reading) -> tuple[Event, ...]:
    """The events; one whose trigger has no formula never fires and is left out."""
    events = []
    for index, one in enumerate(model.getListOfEvents()):
        name = one.getIdAttribute() or f"event{index + 1}"
        where = f"event {name}"
        trigger = one.getTrigger()
        if trigger is None or not trigger.isSetMath():
            continue
        assignments = tuple(
            EventAssignment(a.getVariable(), read_formula(a.getMath(), reading, where))
            for a in one.getListOfEventAssignments()
            if a.isSetMath()
        )
        events.append(
            Event(
                id=name,
                trigger=truth(read_formula(trigger.getMath(), reading, where)),
                assignments=assignments,
                delay=_optional(one.getDelay(), reading, where),
                priority=_optional(one.getPriority(), reading, where),
                initial_value=trigger.getInitialValue() if trigger.isSetInitialValue() else True,
                is_persistent=trigger.getPersistent() if trigger.isSetPersistent() else True,
                uses_trigger_time_values=one.getUseValuesFromTriggerTime(),
                name=one.getName(),
            )
        )
    return tuple(events)


def _optional(element: Any, reading: Reading, where: str) -> Expr | None:
    if element is None or not element.isSetMath():
        return None
    return read_formula(element.getMath(), reading, where)
