"""What each state, parameter and observable of a model is measured in."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cascades.dimensions import Dimensions, of_amount, of_size, of_symbol, of_unit, text
from cascades.model import Model, Species

_TIMES = {1e-3: "ms", 1.0: "s", 60.0: "min", 3600.0: "h"}


def unit_names(model: Model, names: Iterable[str]) -> dict[str, str]:
    """The unit of each name for which the model says one ("uM", "1/s", "zmol", ...)."""
    texts: dict[Dimensions, str] = {}
    found = {}
    for name in names:
        dimensions = _of(model, name)
        if dimensions is not None:
            if dimensions not in texts:
                texts[dimensions] = text(dimensions)
            found[name] = texts[dimensions]
    return found


def time_unit_name(model: Model) -> str:
    """Seconds unless the model says otherwise."""
    dimensions = of_unit(model, model.time_unit or "second") or Dimensions()
    if dimensions.bases == (("second", 1.0),):
        for factor, name in _TIMES.items():
            if math.isclose(factor, dimensions.factor):
                return name
    return text(dimensions)


def _of(model: Model, name: str) -> Dimensions | None:
    if name in model.by_id:
        return of_symbol(model, name)
    base, _, what = name.rstrip("_").rpartition("_")
    species = model.by_id.get(base)
    if not isinstance(species, Species) or what not in ("amount", "concentration", "delayed", "total"):
        return None
    if what in ("delayed", "total"):
        return of_symbol(model, base)
    amount = of_amount(model, species)
    if what == "amount" or amount is None:
        return amount
    size = of_size(model, model.by_id[species.compartment])
    return None if size is None else amount / size
