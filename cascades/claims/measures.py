"""The list of all measures; `model.toml` names one of them in each claim.

A measure takes a `Subject` and the claim's arguments and gives one number or a sequence of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cascades.claims import comparison, curves, equilibria, folds, formulas, timecourse
from cascades.claims.subject import Subject

Measure = Callable[..., float | Sequence[float]]

MEASURES: dict[str, Measure] = {
    "value": formulas.value,
    "product": formulas.product,
    "extremum": formulas.extremum,
    "crossing": formulas.crossing,
    "equilibrium": equilibria.equilibrium,
    "equilibria": equilibria.equilibria,
    "number_of_equilibria": equilibria.number_of_equilibria,
    "folds": folds.folds,
    "at": timecourse.at,
    "peak": timecourse.peak,
    "peak_time": timecourse.peak_time,
    "minimum": timecourse.minimum,
    "rise_time": timecourse.rise_time,
    "decay_time": timecourse.decay_time,
    "area": timecourse.area,
    "pairing_change": curves.pairing_change,
    "pairing_extremum": curves.pairing_extremum,
    "threshold_dose": timecourse.threshold_dose,
    "threshold_value": comparison.threshold_value,
    "last_above": comparison.last_above,
    "ratio": comparison.ratio,
    "direction": comparison.direction,
    "cycle": comparison.cycle,
    "crossover_rate": comparison.crossover_rate,
    "crossover_shift": comparison.crossover_shift,
}


def measure(subject: Subject, name: str, arguments: dict[str, Any]) -> tuple[float, ...]:
    """The numbers that a claim is about.

    Raises
    ------
    UnknownName
        No measure has this name.
    TypeError
        The arguments are not those of the measure.
    """
    from cascades.errors import UnknownName

    if name not in MEASURES:
        raise UnknownName("measure", name, MEASURES)
    found = MEASURES[name](subject, **arguments)
    return (float(found),) if isinstance(found, (int, float)) else tuple(float(v) for v in found)
