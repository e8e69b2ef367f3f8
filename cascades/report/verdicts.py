"""Which claims of a model hold, remembered between runs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cascades import __version__
from cascades.claims import ClaimResult, check_claims
from cascades.compiler.build import cache_folder
from cascades.library import root


def verdicts(name: str, *, fresh: bool = False) -> list[ClaimResult]:
    """Every claim of a shipped model with what the model gives.

    They are computed if they have not been for these very files, or if `fresh`.  Raises UnknownName.
    """
    path = _path(name)
    if not fresh:
        try:
            return [ClaimResult(**_tuples(entry)) for entry in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            pass  # not there, or not whole: computed below
    results = check_claims(name)
    _write(path, json.dumps([asdict(result) for result in results]))
    return results


def are_known(name: str) -> bool:
    """Whether `verdicts` answers at once."""
    return _path(name).is_file()


def _path(name: str) -> Path:
    digest = hashlib.sha256(__version__.encode())
    for file in ("model.toml", "model.xml"):
        digest.update((root() / name / file).read_bytes())
    return cache_folder() / "claims" / f"{name}-{digest.hexdigest()[:16]}.json"


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a folder that cannot be written to only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        pass
