"""PEtab version 1: tables to a `FitProblem`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from cascades.expression import Expr, free_symbols
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
from cascades.model import Model

_PLACEHOLDER = re.compile(r"(observable|noise)Parameter(\d+)_")
_PLACE = "(file and row)"
_INDEX = {
    "parameters": "parameterId", "conditions": "conditionId", "observables": "observableId",
    "measurements": None,
}  # fmt: skip
_TEXT = dict.fromkeys(
    ("parameterId", "conditionId", "observableId", "simulationConditionId", "preequilibrationConditionId",
     "observableParameters", "noiseParameters"), str,
)  # fmt: skip
_REQUIRED: dict[str, tuple[str, ...]] = {
    "conditions": (),
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
    entries = {
        "parameters": content.get("parameter_file"),
        **{name: part.get(f"{name[:-1]}_files") for name in ("conditions", "observables", "measurements")},
    }
    tables = {name: _read(name, one_file(files, folder), defects) for name, files in entries.items()}
    sbml = one_file(part.get("sbml_files"), folder)
    for file in sbml or [folder / "sbml_files"]:
        if not file.is_file():
            defects.found.append(f"{file.name}: there is no such file")
    defects.raise_if_any()
    model = load_model(sbml[0])
    parameters = _parameters(tables["parameters"], defects)
    observables = _observables(tables["observables"], defects)
    measurements, pairs = _measurements(tables["measurements"], observables, defects)
    settings = _conditions(tables["conditions"], defects)
    problem = FitProblem(yaml_file.stem, model, parameters, observables, (), measurements)
    _check_names(model, tables, problem, settings, defects)
    defects.raise_if_any()
    return replace(problem, experiments=_experiments(pairs, settings))


def _read(name: str, files: list[Path], defects: Defects) -> Any:
    """The rows of all files of a table, indexed by their id; `_PLACE` says where each row stands."""
    import pandas

    frames = []
    if not files:
        defects.found.append(f"{name}: the yaml file names none")
    for file in files:
        try:
            frame = pandas.read_csv(file, sep="\t", dtype=_TEXT)
        except (OSError, ValueError) as error:
            defects.found.append(f"{file.name}: {error if file.is_file() else 'there is no such file'}")
            continue
        for column in (*filter(None, [_INDEX[name]]), *_REQUIRED[name]):
            if column not in frame.columns:
                defects.found.append(f"{file.name}: the column {column} is missing")
        frame[_PLACE] = [(file.name, row) for row in range(2, len(frame) + 2)]
        frames.append(frame)
    table = pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame()
    index = _INDEX[name]
    if index is None or index not in table.columns:
        return table
    for (file_name, row), again in zip(table[_PLACE], table[index].duplicated(), strict=True):
        if again:
            defects.add(file_name, row, index, "this id stands in a row above")
    return table.set_index(index, drop=True)


def _place(cells: Any) -> tuple[str, int]:
    """The file and the row of a table's row."""
    file, row = cells[_PLACE]
    return str(file), int(row)


def _parameters(table: Any, defects: Defects) -> tuple[FitParameter, ...]:
    found = []
    for name, cells in table.iterrows():
        where = _place(cells)
        estimate = real(cells["estimate"], defects, *where, "estimate") == 1.0
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
    for name, cells in table.iterrows():
        where = _place(cells)
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
    for _, cells in table.iterrows():
        where = _place(cells)
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


def _experiments(pairs: list[tuple[str | None, str]], conditions: Any) -> tuple[Experiment, ...]:
    found = []
    for before, during in pairs:
        periods = [] if before is None else [Period(PREEQUILIBRATION, conditions[before])]
        found.append(
            Experiment(_experiment_name((before, during)), (*periods, Period(0.0, conditions[during])))
        )
    return tuple(found)


def _conditions(table: Any, defects: Defects) -> dict[str, dict[str, Expr]]:
    """The settings of every condition."""
    columns = [c for c in table.columns if c not in ("conditionName", _PLACE)]
    return {
        str(name): {
            c: formula(cells[c], defects, *_place(cells), c) for c in columns if not is_empty(cells[c])
        }
        for name, cells in table.iterrows()
    }


def _check_names(
    model: Model, tables: Mapping[str, Any], problem: FitProblem, settings: Mapping[str, dict[str, Expr]],
    defects: Defects,
) -> None:  # fmt: skip
    """Every name that a formula, a condition or a measurement uses in vain."""
    ours = {parameter.id for parameter in problem.parameters}
    theirs = {s.id for s in model.species} | {p.id for p in model.parameters}
    theirs |= {c.id for c in model.compartments}
    known = ours | theirs | {reaction.id for reaction in model.reactions} | {"time"}
    for target in tables["conditions"].columns:
        if target not in theirs | {"conditionName", _PLACE}:
            defects.found.append(f"conditions, column {target}: the model has nothing of that name")
    for name, cells in tables["conditions"].iterrows():
        for column, cell in settings[str(name)].items():
            _refuse_unknown(cell, known, defects, _place(cells), column)
    for one, (_, cells) in zip(problem.observables, tables["observables"].iterrows(), strict=True):
        own = known | {*one.observable_placeholders, *one.noise_placeholders, one.id}
        _refuse_unknown(one.formula, own, defects, _place(cells), "observableFormula")
        _refuse_unknown(one.noise, own, defects, _place(cells), "noiseFormula")
    for _, cells in tables["measurements"].iterrows():
        for column in ("simulationConditionId", "preequilibrationConditionId"):
            condition = cells.get(column)
            if not is_empty(condition) and str(condition) not in settings:
                defects.add(*_place(cells), column, f"no condition named {condition!r}")
        for column in ("observableParameters", "noiseParameters"):
            for argument in split(cells.get(column)):
                _refuse_unknown(
                    formula(argument, defects, *_place(cells), column), ours, defects, _place(cells), column
                )


def _refuse_unknown(
    root: Expr, known: set[str], defects: Defects, place: tuple[str, int], column: str
) -> None:
    for name in sorted(free_symbols(root) - known):
        near = get_close_matches(name, known, 1)
        defects.add(
            *place, column, f"nothing is named {name!r}" + (f"; did you mean {near[0]}?" if near else "")
        )
