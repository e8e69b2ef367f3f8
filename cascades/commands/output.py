"""Files and text that a verb leaves behind: whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from cascades.errors import OutputExists


@contextmanager
def output_folder(out: Path, force: bool) -> Iterator[Path]:
    """A temporary folder whose files move to `out` when the block ends without an error.

    With `force` files of the same name in `out` are replaced, and others stay.  Raises OutputExists
    without it if `out` is there already.
    """
    check_free(out, force)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield temporary
        if out.is_dir():
            for path in sorted(temporary.iterdir()):
                os.replace(path, out / path.name)
        else:
            temporary.chmod(0o755)
            os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_free(out: Path, force: bool) -> None:
    """Raise OutputExists if `out` is a file, or a folder that may not be overwritten.  An empty one may."""
    if out.exists() and (not out.is_dir() or (not force and any(out.iterdir()))):
        raise OutputExists(out)


def plain(value: Any) -> Any:
    """The same for JSON: arrays as lists, records as objects, numbers that are not finite as null."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def to_json(value: Any) -> str:
    return json.dumps(plain(value), indent=2, ensure_ascii=False)


def print_json(value: Any) -> None:
    sys.stdout.write(to_json(value) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Numbers are right-aligned with six digits."""
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
    )
    for i, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[i], (int, float, np.number)) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe gets whole rows
        console = Console(highlight=False, width=200)
    console.print(table)


def text(cell: Any) -> str:
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.6g}"
    return "" if cell is None else str(cell)
