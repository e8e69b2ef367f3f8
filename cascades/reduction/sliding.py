"""A rule that slides: thresholds and rates as functions of slow variables of the biochemistry.

The rule is derived where the model stands.  Then each slow variable is moved alone: the full model is
run again and the thresholds and rates are fitted again, the well and the calcium trace kept, so that a
network can slide them.  Between values, logarithms are interpolated; the effects of several variables
add up.  The certificate is measured halfway between the values, against the full model, beside the
rule that does not slide.

A slow variable is a parameter of the model, or one of its states: that is held to derive the rule, and
its own dynamics come from the whole model (`cascades.reduction.slow`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError, UnknownName
from cascades.reduction.batch import jumps_of, replay_cases
from cascades.reduction.certificate import Score, joined, score
from cascades.reduction.cut import clamp
from cascades.reduction.derivation import Derivation
from cascades.reduction.fit import Objective, fit, fit_near
from cascades.reduction.forms import Form, step_form
from cascades.reduction.ladder import Report
from cascades.reduction.levels import GENERATIONS, SEARCH, by_own_separatrix, named
from cascades.reduction.rule import CalciumRule
from cascades.reduction.slow import SlowDynamics, derive_slow_dynamics

if TYPE_CHECKING:
    from cascades.reduction.answers import Answers

SLIDING = ("theta_d", "theta_p", "gamma_d", "gamma_p")
PRICE = 0.005  # of a factor e in one number, in units of the loss


@dataclass(frozen=True, eq=False)
class Axis:
    """One slow variable: its `values`, the rule at each, the weights of DOWN and UP, and the physical
    thresholds (folds) there."""

    name: str
    values: tuple[float, ...]
    rules: tuple[CalciumRule, ...]
    down: tuple[float, ...]
    up: tuple[float, ...]
    folds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Check:
    """Halfway between two values: how right the interpolated rule is, and the one that does not slide."""

    at: Mapping[str, float]
    sliding: Score
    fixed: Score


@dataclass(frozen=True, eq=False)
class SlidingRule:
    """A CalciumRule that depends on slow variables.

    rule : the rule where the model stands
    standing : the values of the slow variables there
    axes : one per slow variable
    checks : the certificate
    dynamics : of the slow variables that are states of the model, by name
    """

    rule: CalciumRule
    standing: Mapping[str, float]
    axes: tuple[Axis, ...]
    checks: tuple[Check, ...]
    dynamics: Mapping[str, SlowDynamics] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def at(self, **values: float) -> CalciumRule:
        """The rule at these values of the slow variables; those left out stand where the model does.

        Values beyond the derived range are taken at its end.  Raises UnknownName.
        """
        known = {axis.name: axis for axis in self.axes}
        logs = {n: np.log(getattr(self.rule, n)) for n in SLIDING}
        for name, value in values.items():
            if name not in known:
                raise UnknownName("slow variable", name, known)
            axis = known[name]
            for n in SLIDING:
                column = np.log([getattr(r, n) for r in axis.rules])
                here = np.interp([value, self.standing[name]], axis.values, column)
                logs[n] += here[0] - here[1]
        moved: dict[str, Any] = {n: float(np.exp(log)) for n, log in logs.items()}
        return dataclasses.replace(self.rule, **moved)

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
        lines.append(f"{'held out, halfway between values':<40}{'sliding':>24}{'not sliding':>24}")
        for check in self.checks:
            where = ", ".join(f"{k} = {v:.4g}" for k, v in check.at.items())
            pair = "".join(
                f"   rmse {s.rmse:.3f} outcome {s.outcome_accuracy:.3f}" for s in (check.sliding, check.fixed)
            )
            lines.append(f"{where:<40}{pair}")
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
    settings = {**settings, "budget": "quick"}
    standing = {name: compiled.default_values[name] for name in along}
    base = Derivation(
        compiled, calcium, weight, progress=lambda what, done: watch(what, 0.2 * done), **settings
    )
    search = {"generations": GENERATIONS["quick"], "evaluations": SEARCH, "seed": base.seed}
    step = fit(step_form(base.setting), base.objective, **search)
    rule = _refit(base, named(base, step.rule, step.form.name), step.x, base)
    settings["drive"] = base.drive.trace if base.is_input else None
    jobs = [(name, sorted({*map(float, values), standing[name]})) for name, values in along.items()]
    total = sum(2 * len(values) for _, values in jobs)
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
            slid = rule if value == standing[name] else _refit(moved, rule, start, base)
            found.append((value, slid, moved.states.low, moved.states.high, tuple(moved.folds())))
        if len(found) < 2:
            raise RuleError(name, "the model has two resting states at fewer than two of its values")
        axes.append(Axis(name, *(tuple(column) for column in zip(*found, strict=True))))
    result = SlidingRule(rule, standing, tuple(axes), (), dynamics, tuple(notes), {"base": base.details()})
    for axis in axes:
        for low, high in zip(axis.values[:-1], axis.values[1:], strict=True):
            done += 1
            middle = {axis.name: float(np.sqrt(low * high)) if low > 0.0 else 0.5 * (low + high)}
            watch(f"check at {axis.name} = {middle[axis.name]:g}", min(1.0, 0.2 + 0.8 * done / total))
            checks.append(_check(_at(compiled, middle, calcium, weight, settings), middle, result))
    if len(axes) > 1:
        corner = {axis.name: 0.5 * (axis.values[-1] + standing[axis.name]) for axis in axes}
        checks.append(_check(_at(compiled, corner, calcium, weight, settings), corner, result))
    return dataclasses.replace(result, checks=tuple(checks))


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


@dataclass(frozen=True, eq=False)
class _Priced(Objective):
    """The loss, and a price on leaving `rule`: what random trains do not tell stays where it was."""

    rule: CalciumRule

    def of_rule(self, rule: CalciumRule) -> float:
        moves = [math.log(getattr(rule, n) / getattr(self.rule, n)) for n in SLIDING]
        return super().of_rule(rule) + PRICE * sum(move * move for move in moves)


def _check(moved: Derivation, at: Mapping[str, float], result: SlidingRule) -> Check:
    whole: Answers = joined(list(moved.held_out.values()))
    star = moved.states.rho_star
    usual = bool(np.nanmean(whole.final > star) > 0.5)
    scores = []
    for rule in (result.at(**at), result.rule):
        end, final = replay_cases(rule, jumps_of(whole.cases, rule.calcium), moved.rest)
        scores.append(score(whole, end, by_own_separatrix(final, rule, star), star, usual))
    return Check(dict(at), *scores)
