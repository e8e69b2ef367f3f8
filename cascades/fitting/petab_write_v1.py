"""A fit problem as PEtab version 1 files, the version that every tool reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascades.errors import ExportError
from cascades.expression import Expr, substitute, symbol, to_text
from cascades.fitting.petab_files import write_folder
from cascades.fitting.problem import PREEQUILIBRATION, Experiment, FitProblem, Observable

if TYPE_CHECKING:
    import pandas


def write_v1(problem: FitProblem, folder: str | Path) -> Path:
    """Write the problem into a new folder; the path of its yaml file.

    Raises
    ------
    ExportError
        For experiments with more than a pre-equilibration and one period from time 0, and for features.
    OutputExists
        The folder is there already.
    """
    if problem.features:
        raise ExportError("PEtab 1", f"features ({len(problem.features)})", "write version 2")
    conditions, pairs = _conditions(problem.experiments)
    tables = {
        "parameters": _parameters(problem),
        "conditions": conditions,
        "observables": _observables(problem.observables),
        "measurements": _measurements(problem, pairs),
    }
    return write_folder(Path(folder), problem.model, tables, _YAML)


_YAML = """\
format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
"""


def _parameters(problem: FitProblem) -> pandas.DataFrame:
    import pandas

    rows: list[dict[str, Any]] = []
    for p in problem.parameters:
        row: dict[str, Any] = {
            "parameterId": p.id,
            "parameterScale": p.scale,
            "lowerBound": p.lower,
            "upperBound": p.upper,
            "nominalValue": p.nominal,
            "estimate": int(p.is_estimated),
        }
        if p.prior:
            kind = p.prior.kind
            row["objectivePriorType"] = (
                f"parameterScale{kind[0].upper()}{kind[1:]}" if p.prior.is_scaled else kind
            )
            row["objectivePriorParameters"] = ";".join(repr(a) for a in p.prior.arguments)
        rows.append(row)
    return pandas.DataFrame(rows)


def _conditions(
    experiments: tuple[Experiment, ...],
) -> tuple[pandas.DataFrame, dict[str, tuple[str | None, str]]]:
    """The condition table, and the pre-equilibration and simulation condition of each experiment."""
    import pandas

    rows: list[dict[str, Any]] = []
    pairs: dict[str, tuple[str | None, str]] = {}
    for i, experiment in enumerate(experiments):
        starts = [period.start for period in experiment.periods]
        if starts not in ([0.0], [PREEQUILIBRATION, 0.0]):
            listed = ", ".join(f"{s:g}" for s in starts)
            raise ExportError("PEtab 1", f"experiment {experiment.id!r}", f"its periods start at {listed}")
        names = [f"condition_{i}_{k}" for k in range(len(starts))]
        for name, period in zip(names, experiment.periods, strict=True):
            rows.append({"conditionId": name, **_cells(period.settings)})
        pairs[experiment.id] = (names[0] if len(names) == 2 else None, names[-1])
    return pandas.DataFrame(rows), pairs


def _cells(settings: Mapping[str, Expr]) -> dict[str, Any]:
    return {name: f.value if f.is_number else to_text(f) for name, f in settings.items()}


def _observables(observables: tuple[Observable, ...]) -> pandas.DataFrame:
    import pandas

    rows = []
    for one in observables:
        renamed = {
            name: symbol(f"{kind}Parameter{i + 1}_{one.id}")
            for kind in ("observable", "noise")
            for i, name in enumerate(getattr(one, f"{kind}_placeholders"))
        }
        formula, noise = _renamed(one.formula, renamed), _renamed(one.noise, renamed)
        rows.append(
            {
                "observableId": one.id,
                "observableFormula": to_text(formula),
                "noiseFormula": to_text(noise),
                "observableTransformation": one.transformation,
                "noiseDistribution": one.distribution,
            }
        )
    return pandas.DataFrame(rows)


def _renamed(formula: Expr, names: Mapping[str, Expr]) -> Expr:
    return substitute([formula], names)[0]


def _measurements(problem: FitProblem, pairs: Mapping[str, tuple[str | None, str]]) -> pandas.DataFrame:
    import pandas

    rows: list[dict[str, Any]] = []
    for m in problem.measurements:
        before, during = pairs[m.experiment]
        rows.append(
            {
                "observableId": m.observable,
                "preequilibrationConditionId": before,
                "simulationConditionId": during,
                "time": "inf" if math.isinf(m.time) else m.time,
                "measurement": m.value,
                "observableParameters": ";".join(to_text(a) for a in m.observable_arguments),
                "noiseParameters": ";".join(to_text(a) for a in m.noise_arguments),
            }
        )
    table = pandas.DataFrame(rows)
    return table.dropna(axis="columns", how="all")
