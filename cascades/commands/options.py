"""Arguments and options that several verbs share, and how their text is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascades.errors import ProtocolError, UnknownName
from cascades.protocols import EXPERIMENTS, Protocol, hfs, lfs, pairing, poisson, pulse_train, theta_burst

if TYPE_CHECKING:
    from cascades.model import Model

MODEL = Annotated[str, typer.Argument(help="A library name, or a .ant or .xml file.", show_default=True)]
OUT = Annotated[Path | None, typer.Option("--out", help="Write the results into this folder.")]
FORCE = Annotated[bool, typer.Option("--force", help="Overwrite what is in the folder already.")]
JSON = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON on stdout.")]
SEED = Annotated[int, typer.Option("--seed", min=0, help="Of everything random; same seed, same result.")]
SET = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; may be given several times."),
]

PROTOCOLS: dict[str, Callable[..., Protocol]] = {
    "pulse_train": pulse_train,
    "lfs": lfs,
    "hfs": hfs,
    "theta_burst": theta_burst,
    "pairing": pairing,
    "poisson": poisson,
    **EXPERIMENTS,
}


def read_values(settings: Iterable[str] | None) -> dict[str, float]:
    """`["Ca=0.1"]` as `{"Ca": 0.1}`."""
    values = {}
    for text in settings or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{text!r} should be NAME=VALUE", param_hint="--set")
        values[name.strip()] = _number(value, text)
    return values


def read_protocol(text: str) -> Protocol:
    """`"hfs"` or `"pairing:delay=0.01,count=60"` as a protocol.

    Raises UnknownName for a protocol or argument that does not exist, ProtocolError if one is missing.
    """
    name, _, listed = text.partition(":")
    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, PROTOCOLS)
    make = PROTOCOLS[name]
    known = inspect.signature(make, eval_str=True).parameters
    arguments: dict[str, Any] = {}
    for item in filter(None, listed.split(",")):
        key, _, value = item.partition("=")
        if key not in known:
            raise UnknownName(f"argument of {name}", key, known)
        kind = known[key].annotation
        arguments[key] = (
            value if kind is str else int(_number(value, text)) if kind is int else _number(value, text)
        )
    missing = [
        key for key, p in known.items() if p.default is inspect.Parameter.empty and key not in arguments
    ]
    if missing:
        raise ProtocolError(name, text, f"say {' and '.join(missing)}, as in {name}:{missing[0]}=...")
    return make(**arguments)


def treated(
    model: Model,
    name: str,
    values: dict[str, float],
    drugs: Iterable[str] | None,
    tones: Iterable[str] | None,
    patches: Iterable[str] | None,
    temperature: float | None,
) -> tuple[dict[str, float], Protocol]:
    """Values and stimuli that drugs, tones, patches and temperature stand for; `values` come last.

    Raises UnknownName, ProtocolError and ModelError as `cascades.pharmacology` does.
    """
    from cascades.card import model_card
    from cascades.pharmacology import at_temperature, combined, drug, together, tone

    card = model_card(name)
    patched = combined(card, patches or ())
    listed = [drug(card, which, **numbers) for which, numbers in map(_with_numbers, drugs or ())]
    listed += [tone(card, which, **numbers) for which, numbers in map(_with_numbers, tones or ())]
    treatment = together(model, listed, patched)
    if temperature is not None:
        numbers = {p.id: p.value for p in model.parameters if p.value is not None}
        for constant, factor in at_temperature(card, temperature).items():
            patched[constant] = factor * patched.get(constant, numbers[constant])
    return {**patched, **values}, treatment


def _with_numbers(text: str) -> tuple[str, dict[str, float]]:
    """`"AP5:dose=50,stop=3600"` as a name and numbers."""
    name, _, listed = text.partition(":")
    numbers = {}
    for item in filter(None, listed.split(",")):
        key, _, value = item.partition("=")
        if key not in ("dose", "level", "start", "stop"):
            raise UnknownName(f"argument of {name}", key, ("dose", "level", "start", "stop"))
        numbers[key] = _number(value, text)
    return name, numbers


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} in {whole!r} is not a number") from None
