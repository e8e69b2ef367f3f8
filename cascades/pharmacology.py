"""Drugs, tones, temperature and patches of a model, as its `model.toml` describes them.

A drug leaves a share of what a port stands for, `1 / (1 + dose / half)`; a tone moves inputs from
their values at rest towards those at full tone; temperature scales rates by Q10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cascades.card import ModelCard
from cascades.errors import ModelError, ProtocolError, UnknownName
from cascades.protocols import Protocol, Setting, overlay, setting

if TYPE_CHECKING:
    from cascades.model import Model


def drug(
    card: ModelCard, name: str, *, dose: float | None = None, start: float = 0.0, stop: float | None = None
) -> Protocol:
    """`dose` [uM] of a drug (its usual dose if None) from `start` [s] until `stop` [s], for good if None.

    Raises UnknownName with the nearest drugs, ProtocolError for a dose out of range.
    """
    if name not in card.drugs:
        raise UnknownName(f"drug of {card.name}", name, card.drugs)
    known = card.drugs[name]
    amount = known.usual if dose is None else float(dose)
    if not 0.0 <= amount <= known.highest:
        raise ProtocolError(name, amount, f"the dose must lie between 0 and {known.highest:g} uM")
    left = 1.0 / (1.0 + amount / known.half)
    return replace(setting(known.port, left, start=start, stop=stop), name=f"{amount:g} uM {name}")


def tone(
    card: ModelCard, name: str, *, level: float = 0.5, start: float = 0.0, stop: float | None = None
) -> Protocol:
    """A neuromodulator at `level`, 0 none to 1 full, from `start` [s] until `stop` [s].

    Raises UnknownName with the nearest tones, ProtocolError for a level out of range.
    """
    if name not in card.tones:
        raise UnknownName(f"tone of {card.name}", name, card.tones)
    if not 0.0 <= level <= 1.0:
        raise ProtocolError(name, level, "the level of a tone must lie between 0 and 1")
    known = card.tones[name]
    moved = {i: known.rest[i] + level * (full - known.rest[i]) for i, full in known.full.items()}
    settings = [setting(target, value, start=start, stop=stop) for target, value in moved.items()]
    return replace(overlay(settings), name=f"{name} at {level:g}")


def at_temperature(card: ModelCard, celsius: float) -> dict[str, float]:
    """A factor for every constant that temperature changes: `patch(model, scale=...)` takes them.

    Raises ProtocolError for a temperature out of the model's range, UnknownName if it has none.
    """
    scale = card.temperature
    if scale is None:
        raise UnknownName("temperature dependence", card.name, [])
    if not scale.lowest <= celsius <= scale.highest:
        raise ProtocolError(
            "temperature", celsius, f"it must lie between {scale.lowest:g} and {scale.highest:g} degrees C"
        )
    factors: dict[str, float] = {}
    for group in scale.groups.values():
        faster = group.q10 ** ((celsius - scale.reference) / 10.0)
        factors |= dict.fromkeys(group.rates, faster) | dict.fromkeys(group.times, 1.0 / faster)
    return factors


def combined(card: ModelCard, names: Iterable[str]) -> dict[str, float]:
    """The values of several patches or sets together.

    Raises UnknownName with the nearest, ModelError for two that give one parameter different values.
    """
    values: dict[str, float] = {}
    given: dict[str, str] = {}
    problems = []
    for name in names:
        for parameter, value in card.values(name).items():
            if values.setdefault(parameter, value) != value:
                problems.append(
                    f"{parameter} is {values[parameter]:g} in {given[parameter]} and {value:g} in {name}: "
                    "choose one of the two"
                )
            given.setdefault(parameter, name)
    if problems:
        raise ModelError(f"patches of {card.name}", problems)
    return values


def together(
    model: Model, treatments: Iterable[Protocol], patched: Mapping[str, float] | None = None
) -> Protocol:
    """Drugs and tones at once.

    Raises ProtocolError for two that act on one input at one time, or for one that undoes a patch.
    """
    listed = list(treatments)
    symbols = {port.name: port.symbol for port in model.ports}
    windows: dict[str, list[tuple[float, float, float, str]]] = {}
    for treatment in listed:
        for target, start, stop, value in _windows(treatment):
            symbol = symbols.get(target, target)
            if symbol in (patched or {}):
                raise ProtocolError(
                    treatment.name, value, f"a patch sets {symbol} already; choose one of the two"
                )
            for begin, end, other, name in windows.setdefault(symbol, []):
                if start < end and begin < stop and other != value:
                    raise ProtocolError(
                        treatment.name, value, f"{name} sets {target} to {other:g} at the same time"
                    )
            windows[symbol].append((start, stop, value, treatment.name))
    return overlay(listed)


def _windows(treatment: Protocol) -> list[tuple[str, float, float, float]]:
    """(target, start, stop, value) of every setting; infinite where none ends it."""
    settings = [s for s in treatment.stimuli if isinstance(s, Setting)]
    found = []
    for one in settings:
        if one.value is not None:
            later = [s.time for s in settings if s.target == one.target and s.time > one.time]
            found.append((one.target, one.time, min(later, default=float("inf")), one.value))
    return found
