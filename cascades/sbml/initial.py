"""Initial assignments.  One without a formula has no effect."""

from __future__ import annotations

from typing import Any

from cascades.model import InitialAssignment
from cascades.sbml.formulas import read_formula
from cascades.sbml.reading import Reading


def read_initial_assignments(model: Any, reading: Reading) -> tuple[InitialAssignment, ...]:
    found = []
    for one in model.getListOfInitialAssignments():
        if one.isSetMath():
            target = one.getSymbol()
            formula = read_formula(one.getMath(), reading, f"initial assignment to {target}")
            found.append(InitialAssignment(target, formula))
    return tuple(found)
