"""A model that is a rule already: one state that calcium moves at rates affine in it.

Nothing is fitted then.  Rates that are steps of calcium give back their thresholds, by bisection to
the last bits; other rates are tabulated.
"""

from __future__ import annotations

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.reduction.constant import cubic_well, resting_well
from cascades.reduction.rule import CalciumRule, CalciumTrace, RateTable, WellTable
from cascades.reduction.states import RestingStates

SAME = 1e-9  # relative to the largest rate
LEVELS, BISECTIONS = 400, 200


def exact_rule(
    clamped: CompiledModel,
    calcium: str,
    weight: str,
    states: RestingStates,
    trace: CalciumTrace,
    highest: float,
) -> CalciumRule | None:
    """The rule that the model is, or None if it is more than a rule."""
    if clamped.state_names != (weight,):
        return None
    p = clamped.parameter_array()[0]
    column = clamped.parameter_index[calcium]
    span = states.high - states.low

    def drift(rho: float, level: float) -> float:
        p[column] = level
        return float(clamped.rates(np.array([states.low + rho * span]), p)[0]) / span

    def rates(level: float) -> tuple[float, float, float]:
        """Potentiation, depression, and how far from affine the drift is."""
        low, middle, high = (drift(rho, level) - drift(rho, states.rest) for rho in (0.0, 0.5, 1.0))
        return low, -high, abs(middle - 0.5 * (low + high))

    top = 2.0 * highest - states.rest
    levels = states.rest + np.append(0.0, np.geomspace(1e-4 * top, top, LEVELS))
    table = np.array([rates(level) for level in levels])
    scale = float(np.abs(table[:, :2]).max())
    if scale <= 0.0 or table[:, 2].max() > SAME * scale or table[:, :2].min() < -SAME * scale:
        return None
    rho = np.linspace(0.0, 1.0, 41)
    well = WellTable(tuple(rho), tuple(drift(x, states.rest) for x in rho))
    tau, rho_star, r2 = cubic_well(well)
    is_cubic = r2 > 1.0 - SAME
    steps = [_step(levels, table[:, k], lambda c, k=k: rates(c)[k], SAME * scale) for k in (1, 0)]
    rest = {"tau": tau, "rho_star": rho_star, "calcium": trace}
    if not is_cubic:
        rest |= {"well": "table", "well_table": resting_well(states) if states.is_bistable else well}
    if all(step is not None for step in steps):
        (theta_d, gamma_d), (theta_p, gamma_p) = steps  # type: ignore[misc]
        return CalciumRule(theta_d, theta_p, gamma_d, gamma_p, **rest)  # type: ignore[arg-type]
    up, down = np.maximum(table[:, 0], 0.0), np.maximum(table[:, 1], 0.0)
    half = [float(levels[np.argmax(rate >= 0.5 * rate.max())]) for rate in (down, up)]
    rows = RateTable(tuple(levels.tolist()), tuple(up.tolist()), tuple(down.tolist()))
    return CalciumRule(half[0] or levels[1], half[1] or levels[1], down.max(), up.max(), rates=rows, **rest)  # type: ignore[arg-type]


def _step(levels: np.ndarray, rate: np.ndarray, at, tolerance: float) -> tuple[float, float] | None:  # type: ignore[no-untyped-def]
    """(threshold, rate above it) of a rate that is zero below and constant above; None if it is not."""
    above = rate > 0.5 * rate.max()
    flat = np.where(above, rate.max(), 0.0)
    if np.abs(rate - flat).max() > tolerance or not above.any() or (np.diff(above.astype(int)) < 0).any():
        return None
    high = float(levels[np.argmax(above)])
    low = float(levels[max(int(np.argmax(above)) - 1, 0)])
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (low, middle) if at(middle) > 0.5 * rate.max() else (middle, high)
    return low, float(rate.max())
