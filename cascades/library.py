"""The shipped models, and `load_model`."""

from __future__ import annotations

import dataclasses
import tomllib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from cascades.errors import ModelError, UnknownName
from cascades.model import Model, Port


def root() -> Traversable:
    """`cascades/sbml_models` in a wheel, `sbml_models` beside `cascades` in a checkout."""
    package = resources.files("cascades")
    inside = package / "sbml_models"
    return inside if inside.is_dir() else Path(str(package)).parent / "sbml_models"


def model_names() -> tuple[str, ...]:
    """The names of all shipped models, sorted."""
    folders = (entry for entry in root().iterdir() if entry.is_dir())
    return tuple(sorted(entry.name for entry in folders if (entry / "model.toml").is_file()))


def load_model(source: str | Path) -> Model:
    """A shipped model by name, or the model of an SBML (.xml, .sbml) or Antimony (.ant) file.

    Raises
    ------
    UnknownName
        No shipped model and no file has this name.
    ModelError, UnsupportedFeature
        The file is broken, or uses something that is not supported; everything is named at once.
    """
    path = Path(source)
    if path.suffix in (".xml", ".sbml", ".ant"):
        if not path.is_file():
            raise UnknownName("model file", str(source), [])
        return _read(path)
    name = str(source)
    if name not in model_names():
        raise UnknownName("model", name, model_names())
    return _shipped(name)


@cache
def description(name: str) -> dict[str, Any]:
    """The `model.toml` of a shipped model.  Raises UnknownName."""
    if name not in model_names():
        raise UnknownName("model", name, model_names())
    return tomllib.loads((root() / name / "model.toml").read_text(encoding="utf-8"))


@cache
def _shipped(name: str) -> Model:
    from cascades.sbml.read import read_text

    folder = root() / name
    model = read_text((folder / "model.xml").read_bytes(), f"{name}/model.xml")
    return dataclasses.replace(model, ports=ports(description(name), name))


def ports(table: dict[str, Any], source: str) -> tuple[Port, ...]:
    """The ports of a `model.toml`.  Raises ModelError naming every port that is not well formed."""
    found, problems = [], []
    for name, entry in table.get("ports", {}).items():
        unknown = sorted(entry.keys() - {"kind", "symbol", "jump", "unit", "description"})
        if unknown:
            problems.append(f"port {name}: unknown entry {', '.join(unknown)}")
        elif entry.get("kind") not in ("spike", "input", "output"):
            problems.append(f"port {name}: kind is {entry.get('kind')!r}; it can be spike, input or output")
        else:
            found.append(Port(name=name, **{"symbol": name} | entry))
    if problems:
        raise ModelError(f"{source}/model.toml", problems)
    return tuple(found)


def _read(path: Path) -> Model:
    if path.suffix == ".ant":
        from cascades.sbml.antimony import read_antimony

        model = read_antimony(path)
    else:
        from cascades.sbml.read import read_file

        model = read_file(path)
    beside = path.with_name("model.toml")
    if path.stem != "model" or not beside.is_file():
        return model
    table = tomllib.loads(beside.read_text(encoding="utf-8"))
    return dataclasses.replace(model, ports=ports(table, path.parent.name))
