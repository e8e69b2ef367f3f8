"""Which quantity of a model is its calcium, and which is the weight that remembers."""

from __future__ import annotations

from cascades.errors import ModelError, UnknownName
from cascades.model import Model, Port

CALCIUM, WEIGHT = ("Ca", "calcium"), ("phosphorylation", "efficacy", "S", "W")


def readouts(model: Model, calcium: str | None = None, weight: str | None = None) -> tuple[str, str]:
    """The names given, or the symbols of the model's ports: calcium is the port of that name, the weight is
    the first of the usual outputs, or the first output that is not calcium.

    Raises ModelError if a name is missing and no port says it, UnknownName if one does not exist.
    """
    known = {*model.by_id, *(port.name for port in model.ports)}
    for name in (calcium, weight):
        if name is not None and name not in known:
            raise UnknownName("quantity", name, known)
    problems = []
    found = calcium or _symbol(model, CALCIUM)
    outputs = [port for port in model.ports if port.kind == "output" and port.symbol != found]
    read = weight or _symbol(model, WEIGHT) or (outputs[0].symbol if outputs else None)
    if found is None:
        problems.append("no port is its calcium; name the quantity with --calcium")
    if read is None:
        problems.append("no port is an output; name the quantity that remembers with --weight")
    if found is None or read is None:
        raise ModelError(model.id, problems)
    return found, read


def _symbol(model: Model, names: tuple[str, ...]) -> str | None:
    ports: dict[str, Port] = {port.name: port for port in model.ports}
    return next((ports[name].symbol for name in names if name in ports), None)
