"""PEtab version 2 (draft of 2025): experiments with periods, explicit placeholders, no scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cascades.expression import Expr, substitute, symbol
from cascades.fitting.petab_extension import read_extension
from cascades.fitting.problem import (
    PREEQUILIBRATION,
    Experiment,
    FitParameter,
    FitProblem,
    Measurement,
    Observable,
    Period,
    Prior,
)
from cascades.fitting.tables import Defects, FitError, is_empty

# distribution in the table -> (distribution, transformation) of an observable
_NOISE = {
    "normal": ("normal", "lin"),
    "laplace": ("laplace", "lin"),
    "log-normal": ("normal", "log"),
    "log-laplace": ("laplace", "log"),
}


def read_v2(yaml_file: Path, content: dict[str, Any]) -> FitProblem:
    """The problem of a version-2 yaml file, read by the petab library.

    Raises FitError for what the library or this package cannot read.
    """
    from petab.v2 import Problem

    from cascades.library import load_model

    try:
        source = Problem.from_yaml(str(yaml_file))
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise FitError(str(yaml_file), [str(error)]) from error
    defects = Defects(str(yaml_file))
    if len(source.config.model_files) != 1:
        defects.found.append("exactly one model is supported")
        defects.raise_if_any()
    entry = next(iter(source.config.model_files.values()))
    model = load_model(yaml_file.parent / str(entry.location))
    aliases = {m.petab_id: symbol(m.model_id) for m in source.mappings if m.model_id}
    observables = tuple(_observable(o, aliases) for o in source.observables)
    conditions = {condition.id: condition for condition in source.conditions}
    experiments = [_experiment(e, conditions, aliases, defects) for e in source.experiments]
    measurements = tuple(_measurement(m, aliases) for m in source.measurements)
    known = {experiment.id for experiment in experiments}
    if any(m.experiment not in known for m in measurements):
        experiments.append(Experiment("", (Period(0.0),)))
    unscaled = tuple(_parameter(p) for p in source.parameters)
    parameters, features = read_extension(content, yaml_file.parent, unscaled, defects)
    defects.raise_if_any()
    return FitProblem(
        yaml_file.stem, model, parameters, observables, tuple(experiments), measurements, features
    )


def _expr(formula: Any, aliases: dict[str, Expr]) -> Expr:
    from cascades.expression import from_sympy

    return substitute(from_sympy(formula), aliases)[0]


def _observable(source: Any, aliases: dict[str, Expr]) -> Observable:
    from petab.v2 import NoiseDistribution

    distribution, transformation = _NOISE[NoiseDistribution(source.noise_distribution).value]
    return Observable(
        source.id,
        _expr(source.formula, aliases),
        _expr(source.noise_formula, aliases),
        distribution,
        transformation,
        tuple(str(s) for s in source.observable_placeholders),
        tuple(str(s) for s in source.noise_placeholders),
    )


def _experiment(
    source: Any, conditions: dict[str, Any], aliases: dict[str, Expr], defects: Defects
) -> Experiment:
    periods = []
    for period in sorted(source.periods, key=lambda p: p.time):
        settings: dict[str, Expr] = {}
        for name in period.condition_ids:
            if name not in conditions:
                defects.found.append(f"experiments: {source.id}: no condition named {name!r}")
                continue
            for change in conditions[name].changes:
                target = aliases.get(change.target_id)
                target_name = target.name if target is not None else change.target_id
                settings[target_name] = _expr(change.target_value, aliases)
        periods.append(Period(float(period.time), settings))
    if not periods or periods[-1].start == PREEQUILIBRATION:
        periods.append(Period(0.0))
    return Experiment(source.id, tuple(periods))


def _measurement(source: Any, aliases: dict[str, Expr]) -> Measurement:
    return Measurement(
        source.observable_id,
        source.experiment_id or "",
        float(source.time),
        float(source.measurement),
        tuple(_expr(a, aliases) for a in source.observable_parameters),
        tuple(_expr(a, aliases) for a in source.noise_parameters),
    )


def _parameter(source: Any) -> FitParameter:
    lower = -np.inf if source.lb is None else float(source.lb)
    upper = np.inf if source.ub is None else float(source.ub)
    nominal = np.nan if is_empty(source.nominal_value) else float(source.nominal_value)
    prior = None
    if source.prior_distribution:
        prior = Prior(source.prior_distribution, tuple(source.prior_parameters))
    return FitParameter(source.id, nominal, lower, upper, "lin", bool(source.estimate), prior)
