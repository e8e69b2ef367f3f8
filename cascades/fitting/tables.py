"""Cells of PEtab tables: formulas, lists, numbers that may be names, and the problems found in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cascades.errors import CascadesError
from cascades.expression import Expr, from_sympy, number


class FitError(CascadesError, ValueError):
    """A fit problem that is not well formed; `problems` names file, row and column of each defect."""

    def __init__(self, source: str, problems: list[str]):
        self.source, self.problems = source, problems
        super().__init__(f"{source}: {len(problems)} problem(s)" + "".join(f"\n  {p}" for p in problems))


@dataclass
class Defects:
    """Collects what is wrong, so that everything can be said at once."""

    source: str
    found: list[str] = field(default_factory=list)

    def add(self, file: str, row: Any, column: str, what: str) -> None:
        self.found.append(f"{file}, row {row}, column {column}: {what}")

    def raise_if_any(self) -> None:
        if self.found:
            raise FitError(self.source, self.found)


def formula(cell: Any, defects: Defects, file: str, row: Any, column: str) -> Expr:
    """A PEtab math cell; zero (and a defect) if it cannot be read."""
    from petab.v1.math import sympify_petab

    try:
        return from_sympy(sympify_petab(cell))[0]
    except (ValueError, TypeError) as error:
        defects.add(file, row, column, f"{cell!r} is not a formula ({error})")
        return number(0.0)


def split(cell: Any) -> list[str]:
    """The entries of a semicolon list; none for an empty cell."""
    if is_empty(cell):
        return []
    return [part.strip() for part in str(cell).split(";") if part.strip()]


def is_empty(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def real(
    cell: Any, defects: Defects, file: str, row: Any, column: str, *, default: float | None = None
) -> float:
    """A number; `default` for an empty cell; NaN and words are defects."""
    if is_empty(cell) and default is not None:
        return default
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value):
        defects.add(file, row, column, f"{cell!r} is not a number")
    return value


def one_file(names: Any, folder: Path) -> list[Path]:
    """A yaml entry that is a file or a list of files."""
    listed = [names] if isinstance(names, str) else list(names or [])
    return [folder / name for name in listed]
