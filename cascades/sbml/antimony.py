"""Antimony, the language in which the shipped models are written."""

from __future__ import annotations

import threading
from pathlib import Path

from cascades.errors import ModelError
from cascades.model import Model
from cascades.sbml.guard import check_size
from cascades.sbml.read import read_text

_LOCK = threading.Lock()  # the antimony library keeps its models in globals


def to_sbml(text: str, source: str = "antimony") -> str:
    """The SBML of an Antimony text, as the antimony library writes it.

    Raises ModelError with the library's message and the line.
    """
    import antimony

    with _LOCK:
        antimony.clearPreviousLoads()
        antimony.freeAll()
        try:
            if antimony.loadAntimonyString(text) < 0:
                raise ModelError(source, [antimony.getLastError().strip()])
            sbml = antimony.getSBMLString(antimony.getMainModuleName())
        finally:
            antimony.clearPreviousLoads()
            antimony.freeAll()
    return sbml


def read_antimony(path: Path) -> Model:
    """The model in an Antimony file.  Raises as `read_text` does."""
    check_size(path.stat().st_size, path.name)
    return read_text(to_sbml(path.read_text(encoding="utf-8"), path.name), path.name)
