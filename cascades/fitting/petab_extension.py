"""The PEtab extension "cascades": scales of parameters, and a table of features.

PEtab has no place for fold positions, switching times, outcomes or margins.  A problem with features
marks the extension as required, so that another tool refuses it rather than fit half of the data; scales
only steer the optimiser and are not required.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cascades.expression import Expr, as_expr, to_text
from cascades.fitting.features import (
    Between,
    Feature,
    FoldPosition,
    Margin,
    Measured,
    Quantity,
    ReadingAt,
    SwitchingTime,
)
from cascades.fitting.problem import SCALES, FitParameter, FitProblem
from cascades.fitting.tables import Defects, formula, is_empty, one_file, real

if TYPE_CHECKING:
    import pandas

VERSION = "1.0.0"
COLUMNS = (
    "featureId", "experimentId", "quantity", "target", "rangeLow", "rangeHigh", "ends", "orEnd", "level",
    "time", "measurement", "scale", "lower", "upper", "noiseFormula",
)  # fmt: skip
QUANTITIES = ("fold", "switching time", "reading", "margin")


# --- writing ------------------------------------------------------------------------------------


def extension_of(problem: FitProblem) -> dict[str, Any]:
    """The entry of the yaml file; empty if nothing is needed."""
    scales = {p.id: p.scale for p in problem.parameters if p.scale != "lin"}
    if not scales and not problem.features:
        return {}
    entry: dict[str, Any] = {"version": VERSION, "required": bool(problem.features), "scales": scales}
    if problem.features:
        entry["feature_files"] = ["features.tsv"]
    return entry


def feature_table(features: Sequence[Feature], names: Mapping[str, str]) -> pandas.DataFrame:
    import pandas

    rows = [
        {
            "featureId": f.id,
            "experimentId": names[f.experiment],
            **_quantity_cells(f.quantity),
            **_statement_cells(f.statement),
        }
        for f in features
    ]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def _quantity_cells(quantity: Quantity) -> dict[str, Any]:
    if isinstance(quantity, FoldPosition):
        return {
            "quantity": "fold", "target": quantity.parameter, "rangeLow": quantity.low,
            "rangeHigh": quantity.high, "ends": quantity.ends, "orEnd": int(quantity.or_end),
        }  # fmt: skip
    if isinstance(quantity, SwitchingTime):
        return {
            "quantity": "switching time", "target": to_text(quantity.formula), "level": _text(quantity.level),
            "time": quantity.horizon,
        }  # fmt: skip
    if isinstance(quantity, ReadingAt):
        return {"quantity": "reading", "target": to_text(quantity.formula), "time": quantity.time}
    return {"quantity": "margin", "target": quantity.towards, "time": quantity.time}


def _statement_cells(statement: Measured | Between) -> dict[str, Any]:
    cells: dict[str, Any] = {"noiseFormula": _text(statement.sigma)}
    if isinstance(statement, Measured):
        scale = "log" if statement.is_log else "lin"
        return {**cells, "measurement": statement.value, "scale": scale}
    return {**cells, "lower": _text(statement.low), "upper": _text(statement.high)}


def _text(formula: Expr) -> str:
    return repr(formula.value) if formula.is_number else to_text(formula)


# --- reading ------------------------------------------------------------------------------------


def read_extension(
    content: Mapping[str, Any], folder: Path, parameters: tuple[FitParameter, ...], defects: Defects
) -> tuple[tuple[FitParameter, ...], tuple[Feature, ...]]:
    """The parameters with their scales, and the features.  Other extensions that are required are
    defects."""
    entries = dict(content.get("extensions") or {})
    own = entries.pop("cascades", {})
    for name, entry in entries.items():
        if isinstance(entry, Mapping) and entry.get("required"):
            defects.found.append(f"{defects.source}: the extension {name!r} is required and not known")
    scales = own.get("scales") or {}
    wrong = {name: scale for name, scale in scales.items() if scale not in SCALES}
    for name, scale in wrong.items():
        defects.found.append(
            f"{defects.source}: the scale {scale!r} of {name} is none of {', '.join(SCALES)}"
        )
    scaled = tuple(
        replace(p, scale=scales[p.id]) if p.id in scales and p.id not in wrong else p for p in parameters
    )
    features: list[Feature] = []
    for file in one_file(own.get("feature_files"), folder):
        features += _read_features(file, defects)
    return scaled, tuple(features)


def _read_features(file: Path, defects: Defects) -> list[Feature]:
    import pandas

    table = pandas.read_csv(file, sep="\t")
    missing = [column for column in COLUMNS if column not in table.columns]
    for column in missing:
        defects.found.append(f"{file.name}: the column {column} is missing")
    if missing:
        return []
    found = []
    for row, (_, cells) in enumerate(table.iterrows(), start=2):
        reader = _Cells(cells, defects, file.name, row)
        quantity = reader.quantity()
        if quantity is not None:
            found.append(
                Feature(str(cells["featureId"]), str(cells["experimentId"]), quantity, reader.statement())
            )
    return found


class _Cells:
    """One row of the table."""

    def __init__(self, cells: Any, defects: Defects, file: str, row: int):
        self.cells, self.defects, self.file, self.row = cells, defects, file, row

    def number(self, column: str) -> float:
        return real(self.cells[column], self.defects, self.file, self.row, column)

    def formula(self, column: str) -> Expr:
        try:
            return as_expr(float(self.cells[column]))
        except ValueError:
            return formula(self.cells[column], self.defects, self.file, self.row, column)

    def quantity(self) -> Quantity | None:
        kind, target = self.cells["quantity"], str(self.cells["target"])
        if kind == "fold":
            ends = str(self.cells["ends"])
            if ends not in ("lower", "upper"):
                self.defects.add(self.file, self.row, "ends", f"{ends!r} is neither 'lower' nor 'upper'")
            or_end = not is_empty(self.cells["orEnd"]) and bool(int(self.cells["orEnd"]))
            low, high = self.number("rangeLow"), self.number("rangeHigh")
            return FoldPosition(target, low, high, "upper" if ends == "upper" else "lower", or_end)
        if kind == "switching time":
            return SwitchingTime(self.formula("target"), self.formula("level"), self.number("time"))
        if kind == "reading":
            return ReadingAt(self.formula("target"), self.number("time"))
        if kind == "margin":
            return Margin(self.number("time"), target)
        self.defects.add(
            self.file, self.row, "quantity", f"{kind!r} is not known (known: {', '.join(QUANTITIES)})"
        )
        return None

    def statement(self) -> Measured | Between:
        sigma = self.formula("noiseFormula")
        if is_empty(self.cells["measurement"]):
            return Between(self.formula("lower"), self.formula("upper"), sigma)
        return Measured(self.number("measurement"), sigma, self.cells["scale"] == "log")
