"""A fit problem's model and formulas made ready: what experiments set becomes a plain parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cascades.compiler.compiled import CompiledModel, compile_model
from cascades.expression import Expr, as_expr, free_symbols, substitute, symbol
from cascades.fitting.formula import Formula
from cascades.fitting.likelihood import Data
from cascades.fitting.problem import SCALES, FitProblem, Measurement, Observable, Period
from cascades.fitting.tables import FitError
from cascades.model import Compartment, Model, Parameter


@dataclass(frozen=True, eq=False)
class Group:
    """Measurements of one observable with the same arguments in one experiment.

    rows : positions among all measurements;  times : of these, shape (rows,)
    """

    formula: Formula
    noise: Formula
    rows: np.ndarray
    times: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """One experiment: its periods, with the settings as closed formulas, and what is read from it.
    A missing setting leaves a quantity as it is."""

    id: str
    periods: tuple[tuple[float, Mapping[str, Formula]], ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """`plans` are the experiments with measurements; `bare` all experiments, with nothing to read;
    `values` are the model's own parameters, `initial` the formulas of the states at time 0: a fit parameter
    that rules or events change is a state, and begins with its fitted value."""

    compiled: CompiledModel
    values: np.ndarray
    initial: tuple[Formula, ...]
    defaults: Mapping[str, Formula]
    plans: tuple[Plan, ...]
    bare: Mapping[str, Plan]
    data: Data


def prepare(problem: FitProblem) -> Prepared:
    """Raises FitError naming everything that a formula or setting refers to in vain."""
    targets = {name for e in problem.experiments for period in e.periods for name in period.settings}
    ours = {parameter.id for parameter in problem.parameters}
    model, defaults = _freed(problem.model, targets | ours)
    compiled = compile_model(model)
    defects = [f"no quantity named {name!r} to set" for name in sorted(targets - _settable(compiled))]
    if any(event.delay is not None for event in compiled.equations.events):
        several = [e.id for e in problem.experiments if len(e.periods) > 1]
        defects += [f"experiment {name!r}: events with delay in several periods" for name in several]
    known = ours | set(compiled.state_names) | set(compiled.parameter_names) | {"time"}
    close = Closing(compiled)
    plans, bare = [], {}
    for experiment in problem.experiments:
        taken = [(i, m) for i, m in enumerate(problem.measurements) if m.experiment == experiment.id]
        plan = Plan(
            experiment.id,
            tuple((period.start, _settings(period, close)) for period in experiment.periods),
            tuple(_groups(problem, taken, close)),
        )
        defects += _unknown(plan, known)
        bare[plan.id] = replace(plan, groups=())
        if taken:
            plans.append(plan)
    defects += _unknown_in_features(problem, close, known)
    if defects:
        raise FitError(problem.name, sorted(set(defects)))
    closed_defaults = {name: Formula(close(formula)) for name, formula in defaults.items()}
    states = zip(compiled.state_names, compiled.equations.initial, strict=True)
    initial = tuple(Formula(symbol(name) if name in ours else formula) for name, formula in states)
    values = compiled.parameter_array()[0]
    return Prepared(compiled, values, initial, closed_defaults, tuple(plans), bare, _data(problem))


def _settable(compiled: CompiledModel) -> set[str]:
    return set(compiled.state_names) | set(compiled.parameter_names)


def _freed(model: Model, names: set[str]) -> tuple[Model, dict[str, Expr]]:
    """The model in which the initial assignments of `names` (parameters and compartments) are plain
    values, and those assignments as formulas."""
    fixed = {e.id for e in model.parameters} | {e.id for e in model.compartments}
    freed = {a.symbol: a.formula for a in model.initial_assignments if a.symbol in names & fixed}
    if not freed:
        return model, {}
    kept = tuple(a for a in model.initial_assignments if a.symbol not in freed)

    def with_value(element: Parameter) -> Parameter:
        return replace(element, value=1.0) if element.id in freed else element

    def with_size(element: Compartment) -> Compartment:
        return replace(element, size=1.0) if element.id in freed else element

    changed = replace(
        model,
        initial_assignments=kept,
        parameters=tuple(map(with_value, model.parameters)),
        compartments=tuple(map(with_size, model.compartments)),
    )
    return changed, freed


class Closing:
    """Formulas over the model's quantities to formulas over states, parameters and fit parameters."""

    def __init__(self, compiled: CompiledModel):
        self.observables = dict(compiled.equations.observables)

    def __call__(self, formula: Expr) -> Expr:
        return substitute([formula], self.observables)[0]


def _settings(period: Period, close: Closing) -> dict[str, Formula]:
    return {name: Formula(close(as_expr(formula))) for name, formula in period.settings.items()}


def _groups(problem: FitProblem, taken: list[tuple[int, Measurement]], close: Closing) -> list[Group]:
    by_id = {observable.id: observable for observable in problem.observables}
    together: dict[tuple[object, ...], list[tuple[int, float]]] = {}
    for i, m in taken:
        key = (m.observable, m.observable_arguments, m.noise_arguments)
        together.setdefault(key, []).append((i, m.time))
    groups = []
    for (name, observed, noisy), rows in together.items():
        observable = by_id[str(name)]
        formula, noise = _filled(observable, observed, noisy)  # type: ignore[arg-type]
        positions, times = zip(*rows, strict=True)
        groups.append(
            Group(Formula(close(formula)), Formula(close(noise)), np.array(positions), np.array(times, float))
        )
    return groups


def _filled(observable: Observable, observed: tuple[Expr, ...], noisy: tuple[Expr, ...]) -> tuple[Expr, Expr]:
    """Formula and noise with the placeholders replaced; the noise may refer to the observable."""
    given = dict(zip(observable.observable_placeholders, observed, strict=True))
    given |= dict(zip(observable.noise_placeholders, noisy, strict=True))
    formula, noise = substitute([observable.formula, observable.noise], given)
    return formula, substitute([noise], {observable.id: formula})[0]


def _unknown(plan: Plan, known: set[str]) -> list[str]:
    formulas = [f for _, settings in plan.periods for f in settings.values()]
    formulas += [f for group in plan.groups for f in (group.formula, group.noise)]
    missing = free_symbols(*(f.root for f in formulas)) - known
    return [f"experiment {plan.id!r}: no quantity named {name!r}" for name in missing]


def _unknown_in_features(problem: FitProblem, close: Closing, known: set[str]) -> list[str]:
    """Experiments and names that the features refer to in vain."""
    experiments = {experiment.id for experiment in problem.experiments}
    defects = []
    for feature in problem.features:
        if feature.experiment not in experiments:
            defects.append(f"feature {feature.id!r}: no experiment named {feature.experiment!r}")
        used = free_symbols(*(close(formula) for formula in feature.formulas)) | set(feature.quantity.names)
        defects += [f"feature {feature.id!r}: no quantity named {n!r}" for n in used - known]
    return defects


def _data(problem: FitProblem) -> Data:
    by_id = {observable.id: observable for observable in problem.observables}
    observables = [by_id[m.observable] for m in problem.measurements]
    return Data(
        np.array([m.value for m in problem.measurements], float),
        np.array([SCALES.index(o.transformation) for o in observables], int),
        np.array([o.distribution == "laplace" for o in observables], bool),
    )
