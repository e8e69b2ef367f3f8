"""The shipped models, and `load_model`."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from cascades.compose import assemble, extend, patch
from cascades.errors import ModelError, UnknownName
from cascades.model import Model, Port

RECIPE = "composition.toml"  # beside the model.toml of a composed model, in place of model.ant


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
    if path.is_file():
        what = "is neither SBML (.xml, .sbml) nor Antimony (.ant); an archive has to be unpacked first"
        raise ModelError(str(source), [what])
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
    return _with_ports(model, description(name), name)


def _with_ports(model: Model, table: dict[str, Any], source: str) -> Model:
    """The model with the ports of its `model.toml`.  Raises ModelError for a symbol it does not have."""
    found = ports(table, source)
    problems = [
        f"port {port.name}: the model has no {symbol}"
        for port in found
        for symbol in (port.symbol, port.jump)
        if isinstance(symbol, str) and symbol not in model.by_id
    ]
    if problems:
        raise ModelError(f"{source}/model.toml", problems)
    return dataclasses.replace(model, ports=found)


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


def annotated(model: Model, table: dict[str, Any]) -> Model:
    """The model with title, SBO terms and annotations of its `model.toml`.

    Raises ModelError naming every entry for something that the model does not have.
    """
    constants = {p.id for p in model.parameters} | {c.id for c in model.compartments}
    known = {
        "species": {s.id for s in model.species},
        "reactions": {r.id for r in model.reactions},
        "parameters": constants,
        "variables": constants,
    }
    problems = [
        f"[{kind}.{name}]: the model has none of this name"
        for kind, ids in known.items()
        for name in table.get(kind, {}).keys() - ids
    ]
    if problems:
        raise ModelError(f"{model.id}/model.toml", sorted(problems))
    terms = {id_: entry for kind in known for id_, entry in table.get(kind, {}).items()}
    return dataclasses.replace(
        model,
        name=table.get("title", model.name),
        annotations=tuple(table.get("annotations", ())),
        compartments=tuple(_with_terms(one, terms) for one in model.compartments),
        species=tuple(_with_terms(one, terms) for one in model.species),
        parameters=tuple(_with_terms(one, terms) for one in model.parameters),
        reactions=tuple(_with_terms(one, terms) for one in model.reactions),
    )


def _with_terms(element: Any, terms: dict[str, Any]) -> Any:
    entry = terms.get(element.id, {})
    changes: dict[str, Any] = {"sbo": entry.get("sbo", element.sbo)}
    if hasattr(element, "annotations"):
        changes["annotations"] = tuple(entry.get("annotations", ()))
    return dataclasses.replace(element, **changes)


def is_source(folder: Path) -> bool:
    """Whether a folder has what its `model.xml` is written from."""
    return (
        any((folder / name).is_file() for name in ("model.ant", RECIPE)) and (folder / "model.toml").is_file()
    )


def composed(folder: Path) -> Model:
    """The model that a folder's `composition.toml` describes.

    It names parts (a shipped `model`, with the `changes` of an Antimony file in `parts/` and without
    what `remove` lists), connections (`connect`), ids (`names`), numbers (`values`) and
    initial values (`start`) as `compose.assemble` takes them.  Raises as `load_model` and `assemble` do.
    """
    recipe = tomllib.loads((folder / RECIPE).read_text(encoding="utf-8"))
    parts = {label: _part(folder, entry) for label, entry in recipe["parts"].items()}
    given = {key: recipe.get(key) for key in ("names", "values", "start")}
    return assemble(parts, connect=recipe["connect"], id=folder.name, **given)


def _part(folder: Path, entry: dict[str, Any]) -> Model:
    from cascades.sbml.antimony import read_antimony

    base = load_model(entry["model"]) if "model" in entry else None
    changes = read_antimony(folder / "parts" / entry["changes"]) if "changes" in entry else None
    if base is None or changes is None:
        model = base or changes
    else:
        model = extend(base, changes)
    if model is None:
        raise ModelError(f"{folder.name}/{RECIPE}", ["a part has neither a model nor changes"])
    return patch(model, remove=entry.get("remove", ()))


def generated(folder: Path) -> str:
    """The SBML text that belongs to a folder's `model.toml` and its `model.ant` or `composition.toml`.

    Raises as `load_model` does.
    """
    from cascades.sbml.antimony import read_antimony
    from cascades.sbml.write import to_sbml

    table = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
    is_composed = (folder / RECIPE).is_file()
    model = composed(folder) if is_composed else read_antimony(folder / "model.ant")
    return _dimensionless(to_sbml(annotated(dataclasses.replace(model, id=folder.name), table)))


def _dimensionless(text: str) -> str:
    """The SBML text with its literal numbers declared dimensionless, as all are in shipped models:
    libsbml can then check every unit."""
    namespace = re.compile(r'<sbml xmlns="([^"]+)"')
    text = namespace.sub(r'<sbml xmlns="\1" xmlns:sbml="\1"', text, count=1)
    return re.sub(r"<cn(?=[ >])", '<cn sbml:units="dimensionless"', text)


def regenerate(folder: Path) -> bool:
    """Write `model.xml` anew if it is not in step with its sources; whether it was not."""
    text = generated(folder)
    target = folder / "model.xml"
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return False
    temporary = folder / "model.xml.tmp"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
    return True


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
    return _with_ports(model, table, path.parent.name)


if __name__ == "__main__":  # python -m cascades.library: every shipped model.xml in step with its source
    for shipped in sorted(Path(str(root())).iterdir()):
        if is_source(shipped):
            regenerate(shipped)
