"""An element with the id `time`, which formulas could not tell from time itself."""

from __future__ import annotations

from typing import Any

_TIME = "time"


def rename_time(document: Any, model: Any) -> None:
    """Give the element the id `time_` (with more underscores if that is taken), wherever it is used."""
    element = model.getElementBySId(_TIME)
    if element is None:
        return
    name = f"{_TIME}_"
    while model.getElementBySId(name) is not None:
        name += "_"
    every = document.getListOfAllElements()
    for i in range(every.getSize()):
        every.get(i).renameSIdRefs(_TIME, name)
    element.setId(name)
