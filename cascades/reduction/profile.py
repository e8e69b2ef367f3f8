"""Profile-likelihood intervals of a fitted number: how far the others can make up for it."""

from __future__ import annotations

import numpy as np

from cascades.reduction.fit import Fit, Objective, crew

DROP = 3.84  # of -2 log L, for 95 % with one degree of freedom
STEPS, HALVINGS = 8, 3  # outwards, each twice as far, and then back
FIRST = 0.005  # step outwards, in units of the number
EVALUATIONS = 80  # of the other numbers, at each place


def profile_interval(found: Fit, number: str, objective: Objective) -> tuple[float, float]:
    """The 95 % interval of one number of a fit, the others fitted again at each of its values.

    Residuals are taken as independent and normal: -2 log L = n log(loss), and the interval is where
    that is within 3.84 of the best.  An end at a bound of the form is returned as that bound.
    """
    i = found.form.numbers.index(number)
    allowed = found.loss * np.exp(DROP / max(1, objective.size))
    with crew() as both:
        low, high = both.map(lambda sign: _end(found, i, sign, allowed, objective), (-1.0, 1.0))
    return float(low), float(high)


def _end(found: Fit, i: int, sign: float, allowed: float, objective: Objective) -> float:
    """The farthest value in one direction at which the loss is allowed."""
    low, high = np.array(found.form.low), np.array(found.form.high)
    inside, others, outside = float(found.x[i]), np.delete(found.x, i), None
    step = FIRST
    for _ in range(STEPS):
        value = float(np.clip(inside + sign * step, low[i], high[i]))
        loss, at = _others(found, i, value, others, objective)
        if loss > allowed:
            outside = value
            break
        inside, others, step = value, at, 2.0 * step
        if value in (low[i], high[i]):
            return value
    if outside is None:
        return inside
    for _ in range(HALVINGS):
        value = 0.5 * (inside + outside)
        loss, at = _others(found, i, value, others, objective)
        if loss <= allowed:
            inside, others = value, at
        else:
            outside = value
    return 0.5 * (inside + outside)


def _others(
    found: Fit, i: int, value: float, start: np.ndarray, objective: Objective
) -> tuple[float, np.ndarray]:
    """The least loss with number i at `value`, and the other numbers there."""
    from scipy.optimize import minimize

    low, high = np.array(found.form.low), np.array(found.form.high)

    def loss(rest: np.ndarray) -> float:
        return objective.of_rule(found.form.build(np.clip(np.insert(rest, i, value), low, high)))

    best = minimize(loss, start, method="Nelder-Mead", options={"maxfev": EVALUATIONS, "adaptive": True})
    return float(best.fun), best.x
