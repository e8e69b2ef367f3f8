"""The drift of the efficacy when no spike comes, as an expression that event-driven exports integrate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cascades.export.features import continued
from cascades.export.zones import Zone
from cascades.reduction.rule import CalciumRule

STEP = 0.05  # of the fastest time: a classical Runge-Kutta step errs by less than 1e-8 of it
LONGEST = 100.0  # fastest times after which the efficacy stands at the bottom


def slope(rule: CalciumRule, x: str, clip: Callable[[str, str, str], str]) -> str:
    """The drift of the well at efficacy `x`, per decay time of calcium."""
    tau = rule.calcium.tau
    if rule.well == "cubic":
        return f"-({tau / rule.tau!r})*({x})*(1 - ({x}))*({rule.rho_star!r} - ({x}))"
    if rule.well_table is None:
        return "0"
    table = rule.well_table
    return continued(table.rho, np.array(table.drift) * tau, f"({x})", clip)


def fastest(rule: CalciumRule, rest: Zone) -> float:
    """The largest rate of well and resting rates together, per decay time of calcium."""
    tau = rule.calcium.tau
    steepest = 1.0 / rule.tau if rule.well == "cubic" else 0.0
    if rule.well_table is not None:
        steepest = float(np.abs(np.diff(rule.well_table.drift) / np.diff(rule.well_table.rho)).max())
    return max(steepest * tau + rest.rate, 1e-12)
