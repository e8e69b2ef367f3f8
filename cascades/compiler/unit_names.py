"""The names of units, for people: what each state, parameter and observable is measured in."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cascades.model import Compartment, Model, Parameter, Reaction, Species

Dimensions = tuple[float, tuple[tuple[str, float], ...]]  # a factor, and base units with exponents
_SHORT = {
    "second": "s", "mole": "mol", "litre": "L", "metre": "m", "volt": "V", "ampere": "A", "siemens": "S",
    "item": "molecules", "hertz": "Hz", "dimensionless": "", "gram": "g", "kilogram": "kg", "kelvin": "K",
    "coulomb": "C", "farad": "F", "joule": "J", "newton": "N", "ohm": "ohm",
}  # fmt: skip
_PREFIX = {
    -24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G",
}  # fmt: skip


def unit_names(model: Model, names: Iterable[str]) -> dict[str, str]:
    """The unit of each name for which the model says one ("uM", "1/s", "zmol", ...)."""
    found = {}
    memo: dict[str | None, str] = {}
    concentrations: dict[tuple[str | None, str], str] = {}
    for name in names:
        text = _unit_of(model, name, memo, concentrations)
        if text is not None:
            found[name] = text
    return found


def time_unit_name(model: Model) -> str:
    """ "s" unless the model says otherwise."""
    named = {"second": "s", "": "s"}
    text = _text(_dimensions(model, model.time_unit or "second"))
    known = {1e-3: "ms", 60.0: "min", 3600.0: "h", 1.0: "s"}
    factor, bases = _dimensions(model, model.time_unit or "second") or (1.0, (("second", 1.0),))
    if bases == (("second", 1.0),):
        for size, label in known.items():
            if math.isclose(factor, size):
                return label
    return named.get(text or "", text or "s")


def _unit_of(
    model: Model,
    name: str,
    memo: dict[str | None, str],
    concentrations: dict[tuple[str | None, str], str],
) -> str | None:
    element = model.by_id.get(name)
    if isinstance(element, Parameter):
        return _named(model, element.unit, memo)
    if isinstance(element, Compartment):
        return _named(model, element.unit or _size_unit(model, element), memo)
    if isinstance(element, Species):
        amount = element.unit or model.substance_unit
        compartment = model.by_id[element.compartment]
        if element.is_amount or compartment.dimensions == 0.0:
            return _named(model, amount, memo)
        key = (amount, element.compartment)
        if key not in concentrations:
            size = compartment.unit or _size_unit(model, compartment)
            concentrations[key] = _text(_over(_dimensions(model, amount), _dimensions(model, size))) or ""
        return concentrations[key] or None
    if isinstance(element, Reaction):
        amount, time = _dimensions(model, model.extent_unit), _dimensions(model, model.time_unit)
        return _text(_over(amount, time))
    for ending in ("_amount", "_concentration"):
        base = name.rstrip("_").removesuffix(ending)
        if isinstance(model.by_id.get(base), Species):
            return _alternate(model, model.by_id[base], ending, memo)
    return None


def _alternate(model: Model, species: Species, ending: str, memo: dict[str | None, str]) -> str | None:
    amount = species.unit or model.substance_unit
    if ending == "_amount":
        return _named(model, amount, memo)
    compartment = model.by_id[species.compartment]
    size = compartment.unit or _size_unit(model, compartment)
    return _text(_over(_dimensions(model, amount), _dimensions(model, size)))


def _size_unit(model: Model, compartment: Compartment) -> str | None:
    by_dimension = {3.0: model.volume_unit, 2.0: model.area_unit, 1.0: model.length_unit}
    return by_dimension.get(compartment.dimensions or 0.0)


def _named(model: Model, unit: str | None, memo: dict[str | None, str]) -> str | None:
    if unit is None:
        return None
    if unit not in memo:
        memo[unit] = _text(_dimensions(model, unit)) or ""
    return memo[unit] or None


def _dimensions(model: Model, unit: str | None) -> Dimensions | None:
    """None for what is not known."""
    if unit is None:
        return None
    factor, bases = 1.0, {}
    for kind, exponent, scale, multiplier in model.units.get(unit, ((unit, 1.0, 0, 1.0),)):
        factor *= (multiplier * 10.0**scale) ** exponent
        if kind != "dimensionless":
            bases[kind] = bases.get(kind, 0.0) + exponent
    return factor, tuple(sorted((k, e) for k, e in bases.items() if e != 0.0))


def _over(above: Dimensions | None, below: Dimensions | None) -> Dimensions | None:
    if above is None or below is None:
        return None
    bases = dict(above[1])
    for kind, exponent in below[1]:
        bases[kind] = bases.get(kind, 0.0) - exponent
    return above[0] / below[0], tuple(sorted((k, e) for k, e in bases.items() if e != 0.0))


def _text(dimensions: Dimensions | None) -> str | None:
    """As people write it: uM, 1/s, 1/(uM s), pA; a factor that has no prefix stands in front."""
    if dimensions is None:
        return None
    factor, bases = dimensions
    exponents = dict(bases)
    parts: list[tuple[str, float]] = []
    molar = _molar(exponents)
    if molar:
        parts.append(("M", molar))
    for kind, exponent in exponents.items():
        parts.append((_SHORT.get(kind, kind), exponent))
    if not parts:
        return "dimensionless" if factor == 1.0 else f"{factor:g}"
    lead = next((i for i, (_, e) in enumerate(parts) if e > 0), 0)
    name, exponent = parts[lead]
    power = math.log10(factor) / exponent if factor > 0 else math.nan
    if (
        power == power
        and abs(power - round(power)) < 1e-9
        and round(power) in _PREFIX
        and name != "molecules"
    ):
        parts[lead] = (_PREFIX[round(power)] + name, exponent)
        return _fraction(parts)
    return f"{factor:g} {_fraction(parts)}"


def _molar(exponents: dict[str, float]) -> float:
    """Take mole/litre out of the exponents; the power of it that was found."""
    n = exponents.get("mole", 0.0)
    if n == 0.0 or exponents.get("litre", 0.0) != -n:
        return 0.0
    del exponents["mole"], exponents["litre"]
    return n


def _fraction(parts: list[tuple[str, float]]) -> str:
    above = [_raised(name, e) for name, e in parts if e > 0]
    below = [_raised(name, -e) for name, e in parts if e < 0]
    text = " ".join(above) or "1"
    if not below:
        return text
    return f"{text}/{below[0]}" if len(below) == 1 else f"{text}/({' '.join(below)})"


def _raised(name: str, exponent: float) -> str:
    return name if exponent == 1.0 else f"{name}^{exponent:g}"
