"""A composed model as its recipe says: parts, connections, ids and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from cascades.compose.join import compose
from cascades.compose.patch import patch
from cascades.compose.rename import rename
from cascades.errors import UnknownName
from cascades.model import Model


def assemble(
    parts: Mapping[str, Model],
    *,
    connect: Mapping[str, str],
    names: Mapping[str, str] | None = None,
    values: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    id: str = "composed",
) -> Model:
    """The parts joined by `compose`, with short ids.

    Parameters
    ----------
    parts : label -> model
    connect : as for `compose`, with labels: {"camkii.Ca": "calcium.Ca"}
    names : "label.id" -> the id in the composed model.  Without one an element keeps its id where no
        other part has an element of that id, and has its label in front where one has.
    values : numbers of the composed model that differ from its parts', by id in the composed model
    start : initial values of species and of variables with a rate rule, as they are once joined

    Raises
    ------
    UnknownName
        A part, port, id or number that does not exist.
    UnitError, ModelError
        As `compose` does.
    """
    labelled = [replace(model, id=label) for label, model in parts.items()]
    joined = compose(*labelled, connect=connect, id=id)
    short = rename(joined, _short(joined, parts, names or {}))
    return _started(patch(short, values=values), start or {})


def _started(model: Model, start: Mapping[str, float]) -> Model:
    """The model with other initial values; unlike a patch, this leaves the rules of what begins there."""
    changed = patch(model, values=start)
    return replace(
        model,
        species=changed.species,
        parameters=changed.parameters,
        initial_assignments=changed.initial_assignments,
    )


def _short(joined: Model, parts: Mapping[str, Model], names: Mapping[str, str]) -> dict[str, str]:
    """Ids that `compose` made -> ids without the label, or those given."""
    chosen = {}
    for place, new in names.items():
        label, _, old = place.partition(".")
        long = f"{label}_{old}"
        if label not in parts or long not in joined.by_id:
            known = [f"{other}.{name}" for other, model in parts.items() for name in model.by_id]
            raise UnknownName("element to name", place, known)
        chosen[long] = new
    bare = {
        long: long.removeprefix(f"{label}_")
        for label, model in parts.items()
        for name in model.by_id
        if (long := f"{label}_{name}") in joined.by_id and long not in chosen
    }
    taken = Counter([*bare.values(), *chosen.values(), *(n for n in joined.by_id if n not in bare)])
    return chosen | {long: name for long, name in bare.items() if taken[name] == 1}
