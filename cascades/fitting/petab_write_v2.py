"""A fit problem as PEtab version 2 files: experiments with any number of periods, and the extension."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascades.errors import ExportError
from cascades.expression import Expr, mul, to_text
from cascades.fitting.petab_extension import extension_of, feature_table
from cascades.fitting.petab_files import write_folder
from cascades.fitting.problem import Experiment, FitParameter, FitProblem, Observable

if TYPE_CHECKING:
    import pandas

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")
_PRIORS = {
    "logNormal": "log-normal", "logLaplace": "log-laplace", "logUniform": "log-uniform",
    "chiSquared": "chi-squared", "chisquared": "chi-squared",
}  # fmt: skip


def write_v2(problem: FitProblem, folder: str | Path) -> Path:
    """Write the problem into a new folder; the path of its yaml file.

    Raises
    ------
    ExportError
        For priors on a logarithmic scale, which version 2 does not have.
    OutputExists
        The folder is there already.
    """
    import pandas
    import yaml

    names = _experiment_names(problem.experiments)
    experiments, conditions = _periods(problem.experiments, names)
    tables = {
        "parameters": pandas.DataFrame([_parameter(p) for p in problem.parameters]),
        "experiments": pandas.DataFrame(experiments, columns=["experimentId", "time", "conditionId"]),
        "conditions": pandas.DataFrame(conditions, columns=["conditionId", "targetId", "targetValue"]),
        "observables": pandas.DataFrame([_observable(o) for o in problem.observables], columns=_OBSERVABLE),
        "measurements": _measurements(problem, names),
    }
    content: dict[str, Any] = {
        "format_version": "2.0.0",
        "model_files": {"model": {"location": "model.xml", "language": "sbml"}},
        **{f"{name[:-1]}_files": [f"{name}.tsv"] for name in tables},
    }
    if problem.features:
        tables["features"] = feature_table(problem.features, names)
    if extension := extension_of(problem):
        content["extensions"] = {"cascades": extension}
    return write_folder(Path(folder), problem.model, tables, yaml.safe_dump(content, sort_keys=False))


def _experiment_names(experiments: tuple[Experiment, ...]) -> dict[str, str]:
    """Identifiers; an experiment keeps its name where it is one."""
    return {
        e.id: e.id if _IDENTIFIER.match(e.id) else f"experiment_{i}" for i, e in enumerate(experiments)
    }  # fmt: skip


def _periods(
    experiments: tuple[Experiment, ...], names: Mapping[str, str]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    rows, conditions = [], []
    for experiment in experiments:
        for k, period in enumerate(experiment.periods):
            condition = f"{names[experiment.id]}_{k}" if period.settings else ""
            rows.append((names[experiment.id], _number(period.start), condition))
            conditions += [(condition, target, _text(f)) for target, f in period.settings.items()]
    return rows, conditions


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else ("inf" if value > 0.0 else "-inf")


def _text(formula: Expr) -> str:
    return _number(formula.value) if formula.is_number else to_text(formula)


def _parameter(p: FitParameter) -> dict[str, Any]:
    row: dict[str, Any] = {
        "parameterId": p.id,
        "lowerBound": p.lower,
        "upperBound": p.upper,
        "nominalValue": p.nominal,
        "estimate": str(p.is_estimated).lower(),
        "priorDistribution": "",
        "priorParameters": "",
    }
    if p.prior:
        if p.prior.is_scaled and p.scale != "lin":
            raise ExportError("PEtab 2", f"parameter {p.id!r}", f"its prior is on the {p.scale} scale")
        row["priorDistribution"] = _PRIORS.get(p.prior.kind, p.prior.kind)
        row["priorParameters"] = ";".join(repr(a) for a in p.prior.arguments)
    return row


_OBSERVABLE = [
    "observableId", "observableFormula", "noiseFormula", "noiseDistribution", "observablePlaceholders",
    "noisePlaceholders",
]  # fmt: skip


def _observable(one: Observable) -> tuple[str, ...]:
    """Noise of decadic logarithms becomes that of natural ones, ln(10) times as large."""
    factor = math.log(10.0) if one.transformation == "log10" else 1.0
    prefix = "" if one.transformation == "lin" else "log-"
    return (
        one.id, _text(one.formula), _text(mul(factor, one.noise)), prefix + one.distribution,
        ";".join(one.observable_placeholders), ";".join(one.noise_placeholders),
    )  # fmt: skip


def _measurements(problem: FitProblem, names: Mapping[str, str]) -> pandas.DataFrame:
    import pandas

    columns = (
        "observableId", "experimentId", "time", "measurement", "observableParameters", "noiseParameters",
    )  # fmt: skip
    rows = [
        (
            m.observable, names.get(m.experiment, ""), _number(m.time), m.value,
            ";".join(map(_text, m.observable_arguments)), ";".join(map(_text, m.noise_arguments)),
        )
        for m in problem.measurements
    ]  # fmt: skip
    return pandas.DataFrame(rows, columns=list(columns))
