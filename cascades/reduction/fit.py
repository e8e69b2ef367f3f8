"""Fitted levels: rules whose few numbers are chosen so that random trains come out right.

The loss is the mean squared error of the efficacy (clipped to 0..1) when a protocol ends, plus half
of that after the rest.  For the simplest form differential evolution (Storn & Price 1997, J. Global
Optim. 11:341) finds the basin; richer forms start from the simpler one that they contain, or from several
places.  There the first part of the loss is smooth and least squares go far; the second jumps where a
memory is lost, so that CMA-ES (Hansen & Ostermeier 2001, Evol. Comput. 9:159) finds the bottom.  Rules are
tried in threads; a fit is the same whatever their number.  A fit whose search ended because its evaluations
were spent says so.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from cascades.reduction.answers import Answers
from cascades.reduction.batch import Jumps, replay_cases
from cascades.reduction.forms import Form
from cascades.reduction.rule import CalciumRule

FINAL_WEIGHT = 0.5
SMALL_GAIN = 1e-3  # relative, of a simplex that is at the bottom
DIFFERENCE = 0.02  # of a number, in a derivative
WIDE, NARROW = 0.05, 0.02  # the first steps of CMA-ES, of the range of each number
SPREAD, FLAT = 2e-3, 1e-5  # of the numbers and of the loss, at which a search has converged
ROUND = 700  # evaluations of one search around the best place so far
NOTHING_BETTER = 0.01  # relative gain of a whole round, below which the fit has converged
ROUNDS_END, ROUNDS_ALL = 15, 10  # of least squares, on the smooth part of the loss and on all of it


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
    final_weight: float = field(default=FINAL_WEIGHT, kw_only=True)

    def residuals(self, rule: CalciumRule) -> np.ndarray:
        """Whose squares sum to the loss; runs in which the full model failed count nothing."""
        end, final = replay_cases(rule, self.jumps, self.rest)
        parts = []
        for said, true, weight in (
            (end, self.answer.end, 1.0),
            (final, self.answer.final, self.final_weight),
        ):
            error = np.clip(said, 0.0, 1.0) - np.clip(true, 0.0, 1.0)
            known = np.isfinite(error)
            parts.append(np.where(known, error, 0.0).ravel() * np.sqrt(weight / max(1, int(known.sum()))))
        return np.concatenate(parts)

    def of_rule(self, rule: CalciumRule) -> float:
        return float(np.sum(self.residuals(rule) ** 2))

    def of_end(self) -> Objective:
        """The part of the loss that is smooth: without the rest."""
        return dataclasses.replace(self, rest=0.0, final_weight=0.0)

    @property
    def size(self) -> int:
        return int(np.isfinite(self.answer.end).sum())


def fit(form: Form, objective: Objective, *, generations: int, evaluations: int, seed: int) -> Fit:
    """The rule of this form with the least loss anywhere: differential evolution, then its bottom."""
    from scipy.optimize import differential_evolution

    box = list(zip(form.low, form.high, strict=True))
    with crew() as threads:
        anywhere = differential_evolution(
            lambda x: objective.of_rule(form.build(x)), box, seed=seed, maxiter=generations, popsize=8,
            tol=1e-4, polish=False, init="sobol", updating="deferred", workers=threads.map,
        )  # fmt: skip
    x = np.asarray(anywhere.x)
    place = Fit(form, x, form.build(x), float(anywhere.fun), False, int(anywhere.nfev))
    return _bottom(place, objective, evaluations, seed)


def fit_from(
    form: Form, objective: Objective, starts: Sequence[np.ndarray], *, evaluations: int, seed: int
) -> Fit:
    """The least loss near the best of the places that least squares reach from the starts."""
    reached = [_descended(form, objective, start) for start in starts]
    best = min(reached, key=lambda found: found.loss)
    spent = sum(found.evaluations for found in reached)
    return _bottom(dataclasses.replace(best, evaluations=spent), objective, evaluations, seed)


def _bottom(place: Fit, objective: Objective, evaluations: int, seed: int) -> Fit:
    """Rounds of CMA-ES and least squares around the best place so far, until a whole one gains nothing."""
    best, spent, left, converged, step = place, place.evaluations, evaluations, False, WIDE
    while left > 0 and not converged:
        found = _search(best, objective, step, min(left, ROUND), seed + left)
        better = _least_squares(best.form, objective, found.x, ROUNDS_ALL)
        is_whole = found.converged or found.evaluations >= ROUND
        gained = best.loss - min(found.loss, better.loss)
        converged = is_whole and gained < NOTHING_BETTER * best.loss
        best = min(best, found, better, key=lambda one: one.loss)
        left, spent, step = left - found.evaluations, spent + found.evaluations + better.evaluations, NARROW
    return dataclasses.replace(best, converged=converged, evaluations=spent)


def crew() -> ThreadPoolExecutor:
    """Threads that try rules: one for each processor that we may use."""
    return ThreadPoolExecutor(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )


def _descended(form: Form, objective: Objective, start: np.ndarray) -> Fit:
    """Least squares on the end of the trains, then on all; the better of that and the start."""
    smooth = _least_squares(form, objective.of_end(), start, ROUNDS_END)
    places = [_least_squares(form, objective, x, ROUNDS_ALL) for x in (smooth.x, start)]
    best = min(places, key=lambda found: found.loss)
    return dataclasses.replace(
        best, evaluations=smooth.evaluations + sum(found.evaluations for found in places)
    )


def _search(place: Fit, objective: Objective, step: float, evaluations: int, seed: int) -> Fit:
    """CMA-ES around a place, in the box of its form; the best that it saw, the place included."""
    import cma

    form = place.form
    low, high = np.array(form.low), np.array(form.high)
    span = high - low

    def loss(u: np.ndarray) -> float:
        return objective.of_rule(form.build(low + span * np.asarray(u)))

    options = {
        "bounds": [0.0, 1.0], "seed": seed + 1, "maxfevals": evaluations, "verbose": -9, "tolx": SPREAD,
        "tolfun": FLAT, "tolflatfitness": 5,
    }  # fmt: skip
    at = np.clip((place.x - low) / span, 1e-6, 1.0 - 1e-6)
    best = loss(at)
    strategy = cma.CMAEvolutionStrategy(at, step, options)
    with crew() as threads:
        while not strategy.stop():
            places = strategy.ask()
            values = list(threads.map(loss, places))
            strategy.tell(places, values)
            if min(values) < best:
                best, at = min(values), np.asarray(places[int(np.argmin(values))])
    x = low + span * at
    converged = "maxfevals" not in strategy.stop()
    return Fit(form, x, form.build(x), best, converged, int(strategy.countevals) + 1)


def _least_squares(form: Form, objective: Objective, start: np.ndarray, rounds: int) -> Fit:
    """The place that least squares reach from `start`, or the start if that is better."""
    from scipy.optimize import least_squares

    low, high = np.array(form.low), np.array(form.high)
    begin = np.clip(start, low + 1e-6, high - 1e-6)
    count = 0

    def residuals(x: np.ndarray) -> np.ndarray:
        return objective.residuals(form.build(np.clip(x, low, high)))

    with crew() as threads:

        def jacobian(x: np.ndarray) -> np.ndarray:
            nonlocal count
            steps = np.where(x + DIFFERENCE <= high, DIFFERENCE, -DIFFERENCE)
            here, *moved = threads.map(residuals, [x, *(x + np.diag(steps))])
            count += len(moved) + 1
            return np.array([(there - here) / step for there, step in zip(moved, steps, strict=True)]).T

        found = least_squares(
            residuals, begin, jac=jacobian, bounds=(low, high), max_nfev=rounds, ftol=1e-4, xtol=1e-4
        )
    return Fit(form, found.x, form.build(found.x), 2.0 * float(found.cost), False, count + int(found.nfev))


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
