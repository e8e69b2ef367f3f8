"""The levels of the ladder, most faithful first, each judged on protocols that it has not seen."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cascades.errors import RuleError
from cascades.reduction import forms
from cascades.reduction.answers import Answers
from cascades.reduction.batch import STEPS, Jumps, replay_cases
from cascades.reduction.block import block_of
from cascades.reduction.certificate import Certificate, Score, joined, score
from cascades.reduction.derivation import Derivation
from cascades.reduction.exact import exact_rule
from cascades.reduction.few import Replay, few_equations
from cascades.reduction.fit import Fit, fit, fit_from
from cascades.reduction.ladder import Level
from cascades.reduction.manifold import slow_manifold
from cascades.reduction.profile import profile_interval
from cascades.reduction.rule import CalciumRule
from cascades.reduction.snapshots import observability, snapshots

STEP, TABLE = "step thresholds, cubic well", "step thresholds, tabulated well"
CORRECTIONS = (1, 0)  # coordinates beside the curve, of the few-equation levels
# evaluations of each fit
GENERATIONS = {"full": 40, "quick": 16}  # of the global search for the simplest form
SEARCH = 1400
# what the memory after the rest counts in the fit of smooth one-variable rules: with more, they give up the
# efficacy at the end for single memories (chosen on the validation protocols)
SMOOTH_FINAL_WEIGHT, SMOOTH = 0.2, ("hill", "general")
RICHER = {"table": 500, "hill": 700, "general": 1400, "two": 1400}

Judge = Callable[[Answers], tuple[np.ndarray, np.ndarray]]


def levels_of(known: Derivation) -> tuple[tuple[Level, ...], dict[str, Fit]]:
    """All levels, and the fits that some of them are."""
    known.validation, known.held_out  # noqa: B018  (their progress comes before that of the fits)
    exact = _exact(known)
    few = _few_equations(known) if known.budget == "full" and not exact else []
    fits = _fits(known)
    fitted = [_fitted_level(known, found) for found in fits.values()]
    return (*exact, *few, *reversed(fitted), _graded(known)), fits


def _exact(known: Derivation) -> list[Level]:
    """The rule that the model is, if it is one."""
    found = exact_rule(
        known.clamped, known.calcium, known.weight, known.states, known.drive.trace, known.highest
    )
    if found is None:
        if known.clamped.state_names == (known.weight,):
            known.notes.append(
                "the model is one equation, but no rule: its rates are not affine in the efficacy, or are "
                "negative somewhere; rules are fitted to it instead"
            )
        return []
    known.notes.append("the model is a calcium rule; the exact level is read off its equations")
    return [_level(known, "exact", found, 0, None)]


def _few_equations(known: Derivation) -> list[Level]:
    """Slow manifolds, if the model has a block that is found without knowing its molecules."""
    known.progress("slow manifold", 0.42)
    how: dict[str, Any] = {"solver": known.solver, "rtol": known.rtol}
    found: list[Level] = []
    try:
        if not known.states.is_bistable:
            raise RuleError("slow manifold", "the model has one resting state; the curve needs two")
        block = block_of(known.clamped, known.calcium, known.weight, known.states)
        every = snapshots(known.drive, known.clamped, known.states, known.training.cases, known.rest, **how)
        rows = np.array([known.clamped.state_index[name] for name in block.inside])
        gramian = observability(known.clamped, known.calcium, known.states, every, rows, block.slope)
        for corrections in CORRECTIONS:
            manifold = slow_manifold(
                known.clamped, known.calcium, block, known.states, every, gramian, known.highest_anywhere,
                corrections,
            )  # fmt: skip
            replay = few_equations(manifold, known.drive.trace.tau)
            replay(_first(known.objective.jumps), known.rest)  # compiled before it is timed
            notes = (
                f"equations: {known.weight}, {corrections} beside its curve, {', '.join(manifold.kept)}",
                f"{manifold.neglected:.1%} of the Hankel singular values beside the curve are neglected",
            )
            certificate, seconds = _certificate(known, _judge_by(known, replay), None, notes)
            name = f"slow manifold, {manifold.size} equations"
            found.append(Level(name, manifold, certificate, seconds, 0))
    except RuleError as error:
        known.notes.append(f"no few-equation level: {error.reason}")
    return found


def _judge_by(known: Derivation, replay: Replay) -> Judge:
    return lambda answer: replay(known.jumps(answer), known.rest)


def _fits(known: Derivation) -> dict[str, Fit]:
    """Simplest form first; the richer ones begin where the simpler ones ended.  The quick budget has the
    simplest only, and so has a model with one resting state, for which a double well would be a fiction."""
    setting, objective, seed = known.setting, known.objective, known.seed
    share = iter(np.linspace(0.45, 0.85, 5))
    fits: dict[str, Fit] = {}

    def begin(form: forms.Form) -> forms.Form:
        known.progress(f"fit: {form.name}", float(next(share)))
        return form

    search = {"generations": GENERATIONS[known.budget], "evaluations": SEARCH, "seed": seed}
    if not known.states.is_bistable:
        form = begin(forms.step_table_form(setting))
        return {form.name: fit(form, objective, **search)}
    form = begin(forms.step_form(setting))
    step = fits[form.name] = fit(form, objective, **search)
    if known.budget == "quick":
        return fits

    def richer(form: forms.Form, starts: list[np.ndarray], key: str) -> Fit:
        begin(form)
        aim = dataclasses.replace(objective, final_weight=SMOOTH_FINAL_WEIGHT) if key in SMOOTH else objective
        fits[form.name] = fit_from(form, aim, starts, evaluations=RICHER[key], seed=seed)
        return fits[form.name]

    richer(forms.step_table_form(setting), [step.x[:4]], "table")
    hill = richer(forms.hill_form(setting), [np.append(step.x, [n, n]) for n in (0.4, 0.9)], "hill")
    richer(forms.general_form(setting), [forms.general_start(setting, hill.rule, hill.x)], "general")
    richer(forms.filter_form(setting), forms.filter_starts(setting, seed=seed), "two")
    return fits


def _fitted_level(known: Derivation, found: Fit) -> Level:
    stopped = f"the optimiser stopped after {found.evaluations} evaluations, not converged"
    few = f"fitted to {len(known.training.cases)} trains only: its numbers vary with the seed"
    notes = (() if found.converged else (stopped,)) + ((few,) if known.budget == "quick" else ())
    return _level(known, found.form.name, found.rule, len(found.form.numbers), found.converged, notes)


def _graded(known: Derivation) -> Level:
    """The Omega / eta rule of constant calcium: nothing is fitted to a protocol."""
    runs = known.constant
    up, down = runs.potentiation, runs.depression
    rule = CalciumRule(
        theta_d=_half(runs.calcium, down), theta_p=_half(runs.calcium, up), gamma_d=float(down.max()),
        gamma_p=float(up.max()), tau=known.cubic[0],
        rho_star=float(np.clip(known.states.rho_star, 1e-3, 1.0 - 1e-3)), calcium=known.drive.trace,
        rates=runs.table(), well="table", well_table=known.well,
    )  # fmt: skip
    error = np.sqrt(np.mean(runs.rmse**2))
    note = f"rates at constant calcium fit the runs with an rms error of {error:.3f}"
    return _level(known, "graded drift (Omega, eta)", rule, 0, None, (note,))


# --- judging ------------------------------------------------------------------------------------


def _level(
    known: Derivation,
    name: str,
    rule: CalciumRule,
    fitted: int,
    converged: bool | None,
    notes: tuple[str, ...] = (),
) -> Level:
    """A rule with its certificate; the errors become part of its provenance."""

    def judge(answer: Answers) -> tuple[np.ndarray, np.ndarray]:
        end, final = replay_cases(rule, known.jumps(answer), known.rest, steps=2 * STEPS)
        return end, by_own_separatrix(final, rule, known.states.rho_star)

    replay_cases(rule, _first(known.objective.jumps), known.rest)  # compiled before it is timed
    certificate, seconds = _certificate(known, judge, converged, notes)
    overall = certificate.overall
    errors = {"r2": overall.r2, "rmse": overall.rmse, "outcome_accuracy": overall.outcome_accuracy}
    rule = named(known, rule, name)
    rule = dataclasses.replace(rule, provenance={**rule.provenance, "held_out": errors})
    return Level(name, rule, certificate, seconds, fitted)


def _certificate(
    known: Derivation, judge: Judge, converged: bool | None, notes: tuple[str, ...]
) -> tuple[Certificate, float]:
    """Scores of a level that answers with efficacies, and its seconds of computing per held-out run."""
    star = known.states.rho_star
    usual = bool(np.nanmean(known.training.final > star) > 0.5)
    for answer in known.held_out.values():
        known.jumps(answer)  # what every level is given, so not part of its cost
    clock = time.process_time()
    said = {name: judge(answer) for name, answer in known.held_out.items()}
    runs = (2 if known.states.is_bistable else 1) * sum(len(a.cases) for a in known.held_out.values())
    seconds = (time.process_time() - clock) / max(1, runs)
    families = {name: score(answer, *said[name], star, usual) for name, answer in known.held_out.items()}
    return Certificate(
        families, _together(known.held_out, said, star, usual),
        score(known.training, *judge(known.training), star, usual),
        _together(known.validation, {n: judge(a) for n, a in known.validation.items()}, star, usual),
        known.domain(), converged, notes,
    ), seconds  # fmt: skip


def _together(
    answers: Mapping[str, Answers],
    said: Mapping[str, tuple[np.ndarray, np.ndarray]],
    star: float,
    usual: bool,
) -> Score:
    end, final = (np.concatenate([said[name][i] for name in answers]) for i in range(2))
    return score(joined(list(answers.values())), end, final, star, usual)


def by_own_separatrix(final: np.ndarray, rule: CalciumRule, rho_star: float) -> np.ndarray:
    """Outcomes by the rule's own separatrix, on the scale of the model's."""
    own = rho_star if rule.well == "table" else rule.rho_star
    return np.where(final > own, np.maximum(final, rho_star + 1e-9), np.minimum(final, rho_star - 1e-9))


def named(known: Derivation, rule: CalciumRule, name: str) -> CalciumRule:
    """The rule with its name and where it comes from."""
    import cma
    import scipy

    import cascades

    provenance = {
        "model": known.compiled.name,
        "equations": known.compiled.equations.content_hash,
        "calcium": known.calcium,
        "weight": known.weight,
        "level": name,
        "down": known.states.low,
        "up": known.states.high,
        "training": f"{len(known.training.cases)} random trains, seed {known.seed}",
        "budget": known.budget,
        "rest": known.rest,
        "solver": known.solver if isinstance(known.solver, str) else known.solver.name,
        "rtol": known.rtol,
        "versions": {
            "cascades": cascades.__version__, "numpy": np.__version__, "scipy": scipy.__version__,
            "cma": cma.__version__,
        },
    }  # fmt: skip
    return dataclasses.replace(rule, name=name, provenance=provenance)


# --- beside the levels ----------------------------------------------------------------------------


def thresholds_of(known: Derivation, fits: Mapping[str, Fit]) -> dict[str, Any]:
    """Effective thresholds of the step rule, with 95 % profile intervals, beside the folds at constant
    calcium, which are the physical ones."""
    entry: dict[str, Any] = {}
    found = fits.get(STEP) or fits.get(TABLE)
    if found is not None:
        for i, number in enumerate(("theta_d", "theta_p")):
            entry[f"effective {number}"] = getattr(found.rule, number)
            if known.budget == "full":
                known.progress(f"profile: {number}", 0.9 + 0.04 * i)
                ends = profile_interval(found, number, known.objective)
                entry[f"effective {number}, 95 %"] = tuple(known.setting.threshold(x) for x in ends)
    known.progress("folds", 0.98)
    entry["physical (folds)"] = tuple(known.folds())
    return entry


def _half(calcium: np.ndarray, rate: np.ndarray) -> float:
    """The least calcium at which a rate has half of its maximum."""
    return float(calcium[np.argmax(rate >= 0.5 * rate.max())]) if rate.max() > 0.0 else float("inf")


def _first(jumps: Jumps) -> Jumps:
    n = int(jumps.offset[1])
    return Jumps(jumps.times[:n], jumps.sizes[:n], jumps.offset[:2], jumps.end[:1])
