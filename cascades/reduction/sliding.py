"""A rule that slides: thresholds and rates as functions of slow variables of the biochemistry.

The rule is derived where the model stands.  Then each slow variable is moved alone: the full model is
run again and two rules are fitted again.  The step rule slides its thresholds and rates, the well and
the calcium trace kept, so that a network can slide it; the graded rule (rates at any calcium) slides its
well too.  Between values the numbers, logarithms mostly, are interpolated; the effects of several
variables add up.  The certificate is measured at the values and halfway between them, on held-out
protocols of the full model, beside the rules that do not slide.

A slow variable is a parameter of the model, or one of its states: that is held to derive the rule, and
its own dynamics come from the whole model (`cascades.reduction.slow`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError, UnknownName
from cascades.reduction.batch import jumps_of, replay_cases
from cascades.reduction.certificate import Score, joined, score
from cascades.reduction.cut import clamp
from cascades.reduction.derivation import Derivation
from cascades.reduction.fit import Fit, Objective, fit, fit_from, fit_near
from cascades.reduction.forms import Form, general_form, general_start, hill_form, step_form
from cascades.reduction.ladder import Report
from cascades.reduction.levels import GENERATIONS, RICHER, SEARCH, by_own_separatrix, named
from cascades.reduction.rule import CalciumRule
from cascades.reduction.slow import SlowDynamics, derive_slow_dynamics

if TYPE_CHECKING:
    from cascades.reduction.answers import Answers

SLIDING = ("theta_d", "theta_p", "gamma_d", "gamma_p")
PRICE = 0.005  # of a factor e in one number, in units of the loss
ANCHOR, LEAST_RATE = 5e-4, 1e-4  # of a factor e in all rates; rates [1/s] below which nothing counts


@dataclass(frozen=True, eq=False)
class Axis:
    """One slow variable: its `values`, the step rule at each, the numbers of the graded one, the weights
    of DOWN and UP, and the physical thresholds (folds) there."""

    name: str
    values: tuple[float, ...]
    rules: tuple[CalciumRule, ...]
    numbers: tuple[np.ndarray, ...]
    down: tuple[float, ...]
    up: tuple[float, ...]
    folds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Check:
    """How right the rules are at one place: graded and step rule, sliding and as they stand.

    is_between : whether the place lies between values that were fitted
    """

    at: Mapping[str, float]
    is_between: bool
    sliding: Score
    fixed: Score
    step_sliding: Score
    step_fixed: Score

    def __str__(self) -> str:
        where = ", ".join(f"{k} = {v:.4g}" for k, v in self.at.items())
        scores = (self.sliding, self.fixed, self.step_sliding, self.step_fixed)
        text = "".join(f"{_r2(s):>8.3f}{s.outcome_accuracy:>8.3f}" for s in scores)
        return f"{where + (' (between)' if self.is_between else ''):<34}{text}"


@dataclass(frozen=True, eq=False)
class SlidingRule:
    """A CalciumRule that depends on slow variables.

    rule : the step rule where the model stands
    graded : the graded rule there
    form, numbers : of the graded rule
    standing : the values of the slow variables there
    axes : one per slow variable
    checks : the certificate
    dynamics : of the slow variables that are states of the model, by name
    """

    rule: CalciumRule
    graded: CalciumRule
    form: Form
    numbers: np.ndarray
    standing: Mapping[str, float]
    axes: tuple[Axis, ...]
    checks: tuple[Check, ...]
    dynamics: Mapping[str, SlowDynamics] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def at(self, **values: float) -> CalciumRule:
        """The step rule at these values of the slow variables; those left out stand where the model does.

        Values beyond the derived range are taken at its end.  Raises UnknownName.
        """
        logs = np.log([getattr(self.rule, n) for n in SLIDING])
        for axis, value in self._moved(values):
            columns = np.log([[getattr(r, n) for n in SLIDING] for r in axis.rules])
            logs = logs + self._step(axis, value, columns)
        moved: dict[str, Any] = dict(zip(SLIDING, np.exp(logs).tolist(), strict=True))
        return dataclasses.replace(self.rule, **moved)

    def graded_at(self, **values: float) -> CalciumRule:
        """The graded rule at these values, likewise."""
        numbers = self.numbers
        for axis, value in self._moved(values):
            numbers = numbers + self._step(axis, value, np.array(axis.numbers))
        rule = self.form.build(np.clip(numbers, self.form.low, self.form.high))
        return dataclasses.replace(rule, name=self.graded.name, provenance=self.graded.provenance)

    def _moved(self, values: Mapping[str, float]) -> list[tuple[Axis, float]]:
        known = {axis.name: axis for axis in self.axes}
        for name in values:
            if name not in known:
                raise UnknownName("slow variable", name, known)
        return [(known[name], value) for name, value in values.items()]

    def _step(self, axis: Axis, value: float, columns: np.ndarray) -> np.ndarray:
        """What the columns, shape (values, numbers), change from where the model stands to `value`."""
        places = (value, self.standing[axis.name])
        here, there = (np.array([np.interp(x, axis.values, c) for c in columns.T]) for x in places)
        return np.asarray(here - there)

    @property
    def moved_checks(self) -> list[Check]:
        """The checks where a slow variable is not where the model stands."""
        return [c for c in self.checks if any(self.standing[n] != v for n, v in c.at.items())]

    def verdict(self) -> str:
        """By how much sliding helps where the slow variables are moved."""
        checks = self.moved_checks
        rows = []
        for kind, sliding, fixed in (
            ("graded rule", [c.sliding for c in checks], [c.fixed for c in checks]),
            ("step rule", [c.step_sliding for c in checks], [c.step_fixed for c in checks]),
        ):
            pairs = [(_r2(s), _r2(f)) for s, f in zip(sliding, fixed, strict=True)]
            r2 = "median R2 {:.2f} (not sliding {:.2f})".format(*np.median(pairs, axis=0))
            outcomes = [np.mean([s.outcome_accuracy for s in scores]) for scores in (sliding, fixed)]
            better = sum(s > f for s, f in pairs)
            rows.append(
                f"{kind}: {r2}, higher in {better} of {len(pairs)} places; outcome {outcomes[0]:.3f} "
                f"({outcomes[1]:.3f})"
            )
        return "where slow variables are moved, sliding gives\n  " + "\n  ".join(rows)

    def __str__(self) -> str:
        head = ("theta_d", "theta_p", "gamma_d", "gamma_p", "DOWN", "UP")
        lines = []
        for axis in self.axes:
            lines.append(f"{axis.name:>14}" + "".join(f"{name:>10}" for name in head) + "  folds")
            rows = zip(axis.values, axis.rules, axis.down, axis.up, axis.folds, strict=True)
            for value, rule, down, up, folds in rows:
                numbers = "".join(f"{getattr(rule, n):>10.4g}" for n in SLIDING)
                mark = " *" if value == self.standing[axis.name] else ""
                where = ", ".join(f"{fold:.4g}" for fold in folds)
                lines.append(f"{value:>12.5g}{mark:<2}{numbers}{down:>10.4g}{up:>10.4g}  {where}")
        kinds = ("graded, sliding", "graded, fixed", "step, sliding", "step, fixed")
        lines.append(f"{'held out: R2 and outcome':<34}" + "".join(f"{kind:>16}" for kind in kinds))
        lines += [str(check) for check in self.checks]
        if self.moved_checks:
            lines.append(self.verdict())
        lines += [str(own) for own in self.dynamics.values()]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def slide(
    compiled: CompiledModel,
    calcium: str,
    weight: str,
    along: Mapping[str, Sequence[float]],
    *,
    tolerance: float | None,
    progress: Report | None,
    **settings: Any,
) -> SlidingRule:
    """Derive the rule along each slow variable.  `derive_rule(..., along=...)` calls this.

    Raises UnknownName for a slow variable that is neither parameter nor state, RuleError for fewer than two
    values or if the model has two resting states at none of them.
    """
    watch = progress or (lambda what, done: None)
    for name, values in along.items():
        if name not in compiled.parameter_names + compiled.state_names:
            known = (*compiled.parameter_names, *compiled.state_names)
            raise UnknownName("slow variable (a parameter or state)", name, known)
        if len(values) < 2:
            raise RuleError(name, "at least two values are needed")
    compiled, dynamics = _held(compiled, [n for n in along if n in compiled.state_names], settings)
    standing = {name: compiled.default_values[name] for name in along}
    base = Derivation(
        compiled, calcium, weight, progress=lambda what, done: watch(what, 0.2 * done), **settings
    )
    search = {"generations": GENERATIONS[base.budget], "evaluations": SEARCH, "seed": base.seed}
    step = fit(step_form(base.setting), base.objective, **search)
    watch("graded rule", 0.2)
    graded = _graded(base, step)
    rule = _refit(base, named(base, step.rule, step.form.name), step.x, base)
    settings["drive"] = base.drive.trace if base.is_input else None
    jobs = [(name, sorted({*map(float, values), standing[name]})) for name, values in along.items()]
    total = sum(3 * len(values) for _, values in jobs)
    done, axes, checks, notes = 0, [], [], list(base.notes)
    start = step.x.copy()
    start[:2] = [math.log10(getattr(rule, n) - base.setting.trace.rest) for n in SLIDING[:2]]
    start[2:4] = [math.log10(getattr(rule, n)) for n in SLIDING[2:]]
    for name, values in jobs:
        found: list[tuple[Any, ...]] = []
        for value in values:
            done += 1
            watch(f"{name} = {value:g}", 0.2 + 0.8 * done / total)
            moved = _at(compiled, {name: value}, calcium, weight, settings)
            if not moved.states.is_bistable and base.states.is_bistable:
                notes.append(f"{name} = {value:g} has one resting state and is left out")
                continue
            stands = value == standing[name]
            slid = rule if stands else _refit(moved, rule, start, base)
            numbers = graded.x if stands else _refit_graded(moved, graded).x
            weights = (moved.states.low, moved.states.high)
            found.append((value, slid, numbers, *weights, tuple(moved.folds())))
        if len(found) < 2:
            raise RuleError(name, "the model has two resting states at fewer than two of its values")
        axes.append(Axis(name, *(tuple(column) for column in zip(*found, strict=True))))
    result = SlidingRule(
        rule, named(base, graded.rule, graded.form.name), graded.form, graded.x, standing, tuple(axes), (),
        dynamics, tuple(notes), {"base": base.details()},
    )  # fmt: skip
    for axis in axes:
        for place in _places(axis.values):
            done += 1
            at = {axis.name: place}
            watch(f"check at {axis.name} = {place:g}", min(1.0, 0.2 + 0.8 * done / total))
            is_between = place not in axis.values
            checks.append(_check(_at(compiled, at, calcium, weight, settings), at, is_between, result))
    if len(axes) > 1:
        corner = {axis.name: 0.5 * (axis.values[-1] + standing[axis.name]) for axis in axes}
        checks.append(_check(_at(compiled, corner, calcium, weight, settings), corner, True, result))
    return dataclasses.replace(result, checks=tuple(checks))


def _places(values: Sequence[float]) -> list[float]:
    """The values, and a place between each two."""
    between = [
        float(np.sqrt(low * high)) if low > 0.0 else 0.5 * (low + high) for low, high in pairwise(values)
    ]
    return sorted([*values, *between])


def _held(
    compiled: CompiledModel, states: Sequence[str], settings: Mapping[str, Any]
) -> tuple[CompiledModel, dict[str, SlowDynamics]]:
    """The model with these states held where they rest, and their own dynamics."""
    dynamics, equations = {}, compiled.equations
    for name in states:
        how = {key: settings[key] for key in ("seed", "solver", "rtol") if key in settings}
        dynamics[name] = derive_slow_dynamics(compiled, name, **how)
        equations = clamp(equations, name)
    resting = {name: own.start for name, own in dynamics.items()}
    defaults = tuple(
        resting.get(n, v) for n, v in zip(equations.parameter_names, equations.default_values, strict=True)
    )
    if not states:
        return compiled, {}
    return CompiledModel(dataclasses.replace(equations, default_values=defaults), compiled.model), dynamics


def _at(
    compiled: CompiledModel,
    values: Mapping[str, float],
    calcium: str,
    weight: str,
    settings: Mapping[str, Any],
) -> Derivation:
    equations = compiled.equations
    defaults = tuple(
        values.get(n, v) for n, v in zip(equations.parameter_names, equations.default_values, strict=True)
    )
    moved = CompiledModel(dataclasses.replace(equations, default_values=defaults), compiled.model)
    return Derivation(moved, calcium, weight, progress=lambda what, done: None, **settings)


def _refit(moved: Derivation, rule: CalciumRule, start: np.ndarray, base: Derivation) -> CalciumRule:
    """Thresholds and rates again, the well and the trace kept."""
    form = step_form(base.setting)

    def build(x: np.ndarray) -> CalciumRule:
        return dataclasses.replace(
            form.build(np.append(x, start[4:])), provenance=rule.provenance, name=rule.name
        )

    narrow = Form("sliding step", form.numbers[:4], form.low[:4], form.high[:4], build)
    objective = _Priced(jumps_of(moved.training.cases, rule.calcium), moved.training, moved.rest, rule)
    return fit_near(narrow, objective, start[:4], evaluations=400).rule


def _graded(base: Derivation, step: Fit) -> Fit:
    """The graded rule where the model stands, as the ladder finds it."""
    hill = fit_from(
        hill_form(base.setting), base.objective, [np.append(step.x, [n, n]) for n in (0.4, 0.9)],
        evaluations=RICHER["hill"], seed=base.seed,
    )  # fmt: skip
    start = general_start(base.setting, hill.rule, hill.x)
    form = general_form(base.setting)
    return fit_from(form, base.objective, [start], evaluations=RICHER["general"], seed=base.seed)


def _refit_graded(moved: Derivation, graded: Fit) -> Fit:
    """The graded rule again, from where the model stands."""
    jumps = jumps_of(moved.training.cases, graded.rule.calcium)
    objective = _Anchored(jumps, moved.training, moved.rest, graded.rule)
    return fit_from(graded.form, objective, [graded.x], evaluations=RICHER["general"] // 2, seed=moved.seed)


@dataclass(frozen=True, eq=False)
class _Anchored(Objective):
    """A price on leaving the rates of `rule`, so that rates no train tells about do not wander."""

    rule: CalciumRule

    def residuals(self, rule: CalciumRule) -> np.ndarray:
        moved = []
        for rates in zip(rule.rates_at(self._calcium), self.rule.rates_at(self._calcium), strict=True):
            here, there = (np.log(np.maximum(rate, LEAST_RATE)) for rate in rates)
            moved.append(math.sqrt(ANCHOR / self._calcium.size) * (here - there))
        return np.concatenate([super().residuals(rule), *moved])

    @property
    def _calcium(self) -> np.ndarray:
        table = self.rule.rates
        if table is None:
            raise RuleError("sliding rule", "only graded rates are anchored")
        return np.array(table.calcium[1 :: len(table.calcium) // 8])


@dataclass(frozen=True, eq=False)
class _Priced(Objective):
    """The loss, and a price on leaving `rule`: what random trains do not tell stays where it was."""

    rule: CalciumRule

    def of_rule(self, rule: CalciumRule) -> float:
        moves = [math.log(getattr(rule, n) / getattr(self.rule, n)) for n in SLIDING]
        return super().of_rule(rule) + PRICE * sum(move * move for move in moves)


def _check(moved: Derivation, at: Mapping[str, float], is_between: bool, result: SlidingRule) -> Check:
    whole: Answers = joined(list(moved.held_out.values()))
    star = moved.states.rho_star
    usual = bool(np.nanmean(whole.final > star) > 0.5)
    scores = []
    for rule in (result.graded_at(**at), result.graded, result.at(**at), result.rule):
        end, final = replay_cases(rule, jumps_of(whole.cases, rule.calcium), moved.rest)
        scores.append(score(whole, end, by_own_separatrix(final, rule, star), star, usual))
    return Check(dict(at), is_between, *scores)


def _r2(score: Score) -> float:
    return float("nan") if score.r2 is None else score.r2
