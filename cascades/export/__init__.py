"""A rule, or a network that learns with it, for other simulators.

Each target is one file here; `TARGETS` names them all.  `run_on_nest` runs a network in NEST, on any number
of ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cascades.errors import OutputExists, UnknownName
from cascades.export import arbor, brian2, json, nestml, neuron
from cascades.export.on_nest import run_on_nest
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

TARGETS: dict[str, Callable[[CalciumRule | Network], dict[str, str]]] = {
    "brian2": brian2.files,
    "nestml": nestml.files,
    "neuron": neuron.files,
    "arbor": arbor.files,
    "json": json.files,
}


def export(
    network_or_rule: Network | CalciumRule, target: str, folder: str | Path, *, force: bool = False
) -> list[Path]:
    """Write the files of one target into `folder`; returns their paths.

    Parameters
    ----------
    network_or_rule : CalciumRule or Network
        What is to be run elsewhere.
    target : str
        One of `TARGETS`.
    folder : path
        Made if it does not exist.
    force : bool
        Whether files that exist are overwritten.

    Raises
    ------
    UnknownName
        No such target.
    ExportError
        The target cannot express something; nothing is written.
    OutputExists
        A file is there already.
    """
    if target not in TARGETS:
        raise UnknownName("export target", target, TARGETS)
    texts = TARGETS[target](network_or_rule)
    folder = Path(folder)
    paths = [folder / name for name in texts]
    for path in paths:
        if path.exists() and not force:
            raise OutputExists(path)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, texts.values()):
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    return paths


__all__ = ["TARGETS", "export", "run_on_nest"]
