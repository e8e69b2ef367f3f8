"""Fitted levels: rules whose few numbers are chosen so that random trains come out right.

The loss is the mean squared error of the efficacy (clipped to 0..1) when a protocol ends, plus half
of that after the rest.  For the simplest form differential evolution (Storn & Price 1997, J. Global
Optim. 11:341) finds the basin; richer forms start from the simpler one that they contain.  CMA-ES
(Hansen & Ostermeier 2001, Evol. Comput. 9:159) finds the bottom.  A fit whose search ended because its
evaluations were spent says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.reduction.answers import Answers
from cascades.reduction.batch import Jumps, replay_cases
from cascades.reduction.forms import Form
from cascades.reduction.rule import CalciumRule

FINAL_WEIGHT = 0.5
SMALL_GAIN = 1e-3  # relative, of a simplex that is at the bottom
DIFFERENCE = 0.02  # of a number, in a derivative
STEP = 0.05  # the first of CMA-ES, of the range of each number
SPREAD, FLAT = 2e-3, 1e-5  # of the numbers and of the loss, at which a search has converged


@dataclass(frozen=True, eq=False)
class Fit:
    """The best rule of a form."""

    form: Form
    x: np.ndarray
    rule: CalciumRule
    loss: float
    converged: bool
    evaluations: int


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a rule on the training set."""

    jumps: Jumps
    answer: Answers
    rest: float

    def residuals(self, rule: CalciumRule) -> np.ndarray:
        """Whose squares sum to the loss; runs in which the full model failed count nothing."""
        end, final = replay_cases(rule, self.jumps, self.rest)
        parts = []
        for said, true, weight in ((end, self.answer.end, 1.0), (final, self.answer.final, FINAL_WEIGHT)):
            error = np.clip(said, 0.0, 1.0) - np.clip(true, 0.0, 1.0)
            known = np.isfinite(error)
            parts.append(np.where(known, error, 0.0).ravel() * np.sqrt(weight / max(1, int(known.sum()))))
        return np.concatenate(parts)

    def of_rule(self, rule: CalciumRule) -> float:
        return float(np.sum(self.residuals(rule) ** 2))

    @property
    def size(self) -> int:
        return int(np.isfinite(self.answer.end).sum())


def fit(form: Form, objective: Objective, *, generations: int, evaluations: int, seed: int) -> Fit:
    """The rule of this form with the least loss anywhere: differential evolution, then CMA-ES."""
    from scipy.optimize import differential_evolution

    box = list(zip(form.low, form.high, strict=True))
    anywhere = differential_evolution(
        lambda x: objective.of_rule(form.build(x)), box, seed=seed, maxiter=generations, popsize=8, tol=1e-4,
        polish=False, init="sobol",
    )  # fmt: skip
    found = _search(form, objective, anywhere.x, evaluations, seed)
    return Fit(form, found.x, found.rule, found.loss, found.converged, found.evaluations + int(anywhere.nfev))


def fit_from(
    form: Form, objective: Objective, starts: Sequence[np.ndarray], *, evaluations: int, seed: int
) -> Fit:
    """The least loss near the best of the starts: least squares first, as the loss is smooth except where
    memories are lost, then CMA-ES."""
    low, high = np.array(form.low), np.array(form.high)
    inside = [np.clip(start, low + 1e-6, high - 1e-6) for start in starts]
    first = min(inside, key=lambda x: objective.of_rule(form.build(x)))
    x, spent = _least_squares(form, objective, first, evaluations // 3)
    found = _search(form, objective, x, max(evaluations - spent, 50), seed)
    return Fit(
        form, found.x, found.rule, found.loss, found.converged, found.evaluations + spent + len(starts)
    )


def _search(form: Form, objective: Objective, start: np.ndarray, evaluations: int, seed: int) -> Fit:
    """CMA-ES from `start` in the box of the form; the best place that it saw, the start included."""
    import cma

    low, high = np.array(form.low), np.array(form.high)
    span = high - low
    best: list[tuple[float, np.ndarray]] = []

    def loss(u: np.ndarray) -> float:
        x = low + span * np.asarray(u)
        value = objective.of_rule(form.build(x))
        if not best or value < best[0][0]:
            best[:] = [(value, x)]
        return value

    options = {
        "bounds": [0.0, 1.0], "seed": seed + 1, "maxfevals": evaluations, "verbose": -9, "tolx": SPREAD,
        "tolfun": FLAT, "tolflatfitness": 5,
    }  # fmt: skip
    begin = np.clip((start - low) / span, 1e-6, 1.0 - 1e-6)
    loss(begin)
    strategy = cma.CMAEvolutionStrategy(begin, STEP, options)
    while not strategy.stop():
        places = strategy.ask()
        strategy.tell(places, [loss(u) for u in places])
    value, x = best[0]
    converged = "maxfevals" not in strategy.stop()
    return Fit(form, x, form.build(x), value, converged, int(strategy.countevals) + 1)


def _least_squares(
    form: Form, objective: Objective, start: np.ndarray, evaluations: int
) -> tuple[np.ndarray, int]:
    """A better place near `start`, and the evaluations it took."""
    from scipy.optimize import least_squares

    low, high = np.array(form.low), np.array(form.high)
    count = [0]

    def residuals(x: np.ndarray) -> np.ndarray:
        count[0] += 1
        return objective.residuals(form.build(np.clip(x, low, high)))

    def jacobian(x: np.ndarray) -> np.ndarray:
        here, columns = residuals(x), []
        for i in range(x.size):
            step = np.zeros(x.size)
            step[i] = DIFFERENCE if x[i] + DIFFERENCE <= high[i] else -DIFFERENCE
            columns.append((residuals(x + step) - here) / step[i])
        return np.array(columns).T

    rounds = max(2, evaluations // (low.size + 2))
    found = least_squares(
        residuals, start, jac=jacobian, bounds=(low, high), max_nfev=rounds, ftol=1e-4, xtol=1e-4
    )
    better = objective.of_rule(form.build(found.x)) <= objective.of_rule(form.build(start))
    return (found.x if better else start), count[0]


def fit_near(form: Form, objective: Objective, start: np.ndarray, *, evaluations: int, spent: int = 0) -> Fit:
    """The least loss near `start`: simplices, each set up anew at the bottom of the one before."""
    from scipy.optimize import minimize

    low, high = np.array(form.low), np.array(form.high)

    def loss(x: np.ndarray) -> float:
        return objective.of_rule(form.build(np.clip(x, low, high)))

    x = np.clip(np.asarray(start, dtype=float), low, high)
    best, left, converged = loss(x), evaluations, False
    while left > 0 and not converged:
        options = {"maxfev": left, "xatol": 1e-3, "fatol": 1e-6, "adaptive": low.size > 8}
        polish = minimize(
            loss, x, method="Nelder-Mead", bounds=list(zip(low, high, strict=True)), options=options
        )
        left -= int(polish.nfev)
        gain = best - float(polish.fun)
        if gain > 0.0:
            x, best = np.clip(polish.x, low, high), float(polish.fun)
        converged = bool(polish.success) and gain < SMALL_GAIN * best
    return Fit(form, x, form.build(x), best, converged, spent + evaluations - left)
