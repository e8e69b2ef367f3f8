"""PEtab version 1: tables to a `FitProblem`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from cascades.expression import Expr
from cascades.fitting.problem import (
    PREEQUILIBRATION,
    SCALES,
    Experiment,
    FitParameter,
    FitProblem,
    Measurement,
    Observable,
    Period,
    Prior,
)
from cascades.fitting.tables import Defects, formula, is_empty, one_file, real, split

_PLACEHOLDER = re.compile(r"(observable|noise)Parameter(\d+)_")
_REQUIRED = {
    "parameters": ("parameterScale", "nominalValue", "estimate"),
    "observables": ("observableFormula", "noiseFormula"),
    "measurements": ("observableId", "simulationConditionId", "time", "measurement"),
}


def read_v1(yaml_file: Path, content: dict[str, Any]) -> FitProblem:
    """The problem of a version-1 yaml file.  Raises FitError with everything that is wrong."""
    from cascades.library import load_model

    folder = yaml_file.parent
    defects = Defects(str(yaml_file))
    if len(content.get("problems", [])) != 1:
        defects.found.append("exactly one entry under problems is supported")
        defects.raise_if_any()
    part = content["problems"][0]
    tables = {
        "parameters": _read(one_file(content["parameter_file"], folder), "parameterId"),
        "conditions": _read(one_file(part["condition_files"], folder), "conditionId"),
        "observables": _read(one_file(part["observable_files"], folder), "observableId"),
        "measurements": _read(one_file(part["measurement_files"], folder), None),
    }
    for name, columns in _REQUIRED.items():
        for column in columns:
            if column not in tables[name].columns:
                defects.found.append(f"{name}: the column {column} is missing")
    defects.raise_if_any()
    model = load_model(one_file(part["sbml_files"], folder)[0])
    parameters = _parameters(tables["parameters"], defects)
    observables = _observables(tables["observables"], defects)
    measurements, pairs = _measurements(tables["measurements"], observables, defects)
    experiments = _experiments(pairs, tables["conditions"], defects)
    _check_names(measurements, parameters, defects)
    defects.raise_if_any()
    return FitProblem(yaml_file.stem, model, parameters, observables, experiments, measurements)


def _read(files: list[Path], index: str | None) -> Any:
    import pandas

    frames = [pandas.read_csv(file, sep="\t") for file in files]
    table = pandas.concat(frames, ignore_index=True)
    return table.set_index(index, drop=True) if index and index in table.columns else table


def _parameters(table: Any, defects: Defects) -> tuple[FitParameter, ...]:
    found = []
    for row, (name, cells) in enumerate(table.iterrows(), start=2):
        where = ("parameters", row)
        estimate = bool(int(cells["estimate"]))
        scale = cells["parameterScale"]
        if scale not in SCALES:
            defects.add(*where, "parameterScale", f"{scale!r} is none of {', '.join(SCALES)}")
            continue
        nominal = real(cells.get("nominalValue"), defects, *where, "nominalValue")
        lower = real(cells.get("lowerBound"), defects, *where, "lowerBound", default=-np.inf)
        upper = real(cells.get("upperBound"), defects, *where, "upperBound", default=np.inf)
        if estimate:
            _check_bounds(name, lower, nominal, upper, scale, defects, where)
        found.append(FitParameter(str(name), nominal, lower, upper, scale, estimate, _prior(cells)))
    return tuple(found)


def _check_bounds(
    name: str,
    lower: float,
    nominal: float,
    upper: float,
    scale: str,
    defects: Defects,
    where: tuple[str, int],
) -> None:
    if lower > upper:
        defects.add(*where, "lowerBound", f"{name}: the bounds {lower:g} and {upper:g} are reversed")
    elif not lower <= nominal <= upper:
        defects.add(*where, "nominalValue", f"{name}: {nominal:g} is outside of [{lower:g}, {upper:g}]")
    if scale != "lin" and lower <= 0.0:
        defects.add(*where, "lowerBound", f"{name}: {lower:g} has no logarithm")


def _prior(cells: Any) -> Prior | None:
    kind, arguments = cells.get("objectivePriorType"), cells.get("objectivePriorParameters")
    if is_empty(kind) or is_empty(arguments):
        return None
    scaled = str(kind).startswith("parameterScale")
    name = re.sub(r"^parameterScale", "", str(kind))
    return Prior(name[0].lower() + name[1:], tuple(float(a) for a in split(arguments)), scaled)


def _observables(table: Any, defects: Defects) -> tuple[Observable, ...]:
    found = []
    for row, (name, cells) in enumerate(table.iterrows(), start=2):
        where = ("observables", row)
        transformation = cells.get("observableTransformation")
        transformation = "lin" if is_empty(transformation) else transformation
        distribution = cells.get("noiseDistribution")
        distribution = "normal" if is_empty(distribution) else distribution
        if transformation not in SCALES:
            defects.add(*where, "observableTransformation", f"{transformation!r} is not supported")
        if distribution not in ("normal", "laplace"):
            defects.add(*where, "noiseDistribution", f"{distribution!r} is not supported")
        texts = {column: str(cells[column]) for column in ("observableFormula", "noiseFormula")}
        formulas = {c: formula(cells[c], defects, *where, c) for c in texts}
        found.append(
            Observable(
                str(name),
                formulas["observableFormula"],
                formulas["noiseFormula"],
                distribution,
                transformation,
                _placeholders("observable", name, " ".join(texts.values())),
                _placeholders("noise", name, " ".join(texts.values())),
            )
        )
    return tuple(found)


def _placeholders(kind: str, observable: str, text: str) -> tuple[str, ...]:
    numbers = re.findall(rf"\b{kind}Parameter(\d+)_{re.escape(str(observable))}\b", text)
    return tuple(f"{kind}Parameter{i + 1}_{observable}" for i in range(max(map(int, numbers), default=0)))


def _measurements(
    table: Any, observables: tuple[Observable, ...], defects: Defects
) -> tuple[tuple[Measurement, ...], list[tuple[str | None, str]]]:
    by_id = {observable.id: observable for observable in observables}
    pairs: dict[tuple[str | None, str], None] = {}
    found = []
    for row, (_, cells) in enumerate(table.iterrows(), start=2):
        where = ("measurements", row)
        observable = by_id.get(str(cells["observableId"]))
        if observable is None:
            defects.add(*where, "observableId", f"no observable named {cells['observableId']!r}")
            continue
        before = cells.get("preequilibrationConditionId")
        pair = (None if is_empty(before) else str(before), str(cells["simulationConditionId"]))
        pairs[pair] = None
        arguments = {}
        for kind in ("observable", "noise"):
            column = f"{kind}Parameters"
            given = [_argument(cell, defects, *where, column) for cell in split(cells.get(column))]
            wanted = getattr(observable, f"{kind}_placeholders")
            if len(given) != len(wanted):
                defects.add(*where, column, f"{len(given)} given, {observable.id} needs {len(wanted)}")
            arguments[kind] = tuple(given)
        found.append(
            Measurement(
                observable.id,
                _experiment_name(pair),
                real(cells["time"], defects, *where, "time"),
                real(cells["measurement"], defects, *where, "measurement"),
                arguments["observable"],
                arguments["noise"],
            )
        )
    return tuple(found), list(pairs)


def _argument(cell: str, defects: Defects, file: str, row: int, column: str) -> Expr:
    return formula(cell, defects, file, row, column)


def _experiment_name(pair: tuple[str | None, str]) -> str:
    return pair[1] if pair[0] is None else f"{pair[0]}__{pair[1]}"


def _experiments(
    pairs: list[tuple[str | None, str]], conditions: Any, defects: Defects
) -> tuple[Experiment, ...]:
    columns = [c for c in conditions.columns if c != "conditionName"]
    settings: dict[str, dict[str, Expr]] = {}
    for row, (name, cells) in enumerate(conditions.iterrows(), start=2):
        filled = [c for c in columns if not is_empty(cells[c])]
        settings[str(name)] = {c: formula(cells[c], defects, "conditions", row, c) for c in filled}
    found = []
    for pair in pairs:
        missing = [name for name in pair if name is not None and name not in settings]
        for name in missing:
            defects.found.append(f"measurements: no condition named {name!r}")
        if missing:
            continue
        periods = [] if pair[0] is None else [Period(PREEQUILIBRATION, settings[pair[0]])]
        found.append(Experiment(_experiment_name(pair), (*periods, Period(0.0, settings[pair[1]]))))
    return tuple(found)


def _check_names(
    measurements: tuple[Measurement, ...], parameters: tuple[FitParameter, ...], defects: Defects
) -> None:
    known = {parameter.id for parameter in parameters}
    for i, measurement in enumerate(measurements):
        for argument in (*measurement.observable_arguments, *measurement.noise_arguments):
            if argument.is_symbol and argument.name not in known:
                defects.add("measurements", i + 2, "parameters", f"no parameter named {argument.name!r}")
