"""What the units of a model measure: a factor and powers of base units, and their names for people."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cascades.model import Compartment, Model, Parameter, Reaction, Species

_SHORT = {
    "second": "s", "mole": "mol", "litre": "L", "metre": "m", "volt": "V", "ampere": "A", "siemens": "S",
    "item": "molecules", "hertz": "Hz", "gram": "g", "kilogram": "kg", "kelvin": "K",
    "coulomb": "C", "farad": "F", "joule": "J", "newton": "N", "ohm": "ohm",
}  # fmt: skip
_PREFIX = {-24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "u", -3: "m"}
_PREFIX |= {0: "", 3: "k", 6: "M", 9: "G"}


@dataclass(frozen=True)
class Dimensions:
    """`factor` times the product of base units with their exponents."""

    factor: float = 1.0
    bases: tuple[tuple[str, float], ...] = ()

    def __truediv__(self, other: Dimensions) -> Dimensions:
        bases = dict(self.bases)
        for kind, exponent in other.bases:
            bases[kind] = bases.get(kind, 0.0) - exponent
        return Dimensions(self.factor / other.factor, _sorted(bases))

    def agrees(self, other: Dimensions) -> bool:
        """The same base units and, to rounding, the same factor."""
        return self.bases == other.bases and math.isclose(self.factor, other.factor, rel_tol=1e-9)


def of_unit(model: Model, unit: str | None) -> Dimensions | None:
    """Of a unit by its id in the model or in SBML; None for no unit."""
    if unit is None:
        return None
    factor = 1.0
    bases: dict[str, float] = {}
    for kind, exponent, scale, multiplier in model.units.get(unit, ((unit, 1.0, 0, 1.0),)):
        factor *= _power(multiplier, scale, exponent)
        if kind != "dimensionless":
            bases[kind] = bases.get(kind, 0.0) + exponent
    return Dimensions(factor, _sorted(bases))


def _power(multiplier: float, scale: int, exponent: float) -> float:
    if multiplier <= 0.0:
        return math.nan
    return 10.0 ** min((math.log10(multiplier) + scale) * exponent, 300.0)


def of_symbol(model: Model, name: str) -> Dimensions | None:
    """Of what a symbol is in formulas; None where the model does not say."""
    element = model.by_id.get(name)
    if isinstance(element, Parameter):
        return of_unit(model, element.unit)
    if isinstance(element, Compartment):
        return of_size(model, element)
    if isinstance(element, Species):
        amount = of_amount(model, element)
        compartment: Compartment = model.by_id[element.compartment]
        if element.is_amount or compartment.dimensions == 0.0:
            return amount
        return _over(amount, of_size(model, compartment))
    if isinstance(element, Reaction):
        return _over(of_unit(model, model.extent_unit), of_unit(model, model.time_unit))
    return None


def of_amount(model: Model, species: Species) -> Dimensions | None:
    return of_unit(model, species.unit or model.substance_unit)


def of_size(model: Model, compartment: Compartment) -> Dimensions | None:
    return of_unit(model, compartment.unit or size_unit(model, compartment))


def size_unit(model: Model, compartment: Compartment) -> str | None:
    """The model's unit for sizes of this many dimensions."""
    by_dimension = {3.0: model.volume_unit, 2.0: model.area_unit, 1.0: model.length_unit}
    return by_dimension.get(compartment.dimensions or 0.0)


def _over(above: Dimensions | None, below: Dimensions | None) -> Dimensions | None:
    return None if above is None or below is None else above / below


def _sorted(bases: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted((kind, exponent) for kind, exponent in bases.items() if exponent != 0.0))


def text(dimensions: Dimensions) -> str:
    """As people write it: uM, 1/s, 1/(uM s), pA; a factor without a prefix stands in front."""
    exponents = dict(dimensions.bases)
    parts: list[tuple[str, float]] = []
    molar = exponents.get("mole", 0.0)
    if molar and exponents.get("litre", 0.0) == -molar:
        del exponents["mole"], exponents["litre"]
        parts.append(("M", molar))
    parts += [(_SHORT.get(kind, kind), exponent) for kind, exponent in exponents.items()]
    factor = dimensions.factor
    if not parts:
        return "dimensionless" if factor == 1.0 else f"{factor:g}"
    lead = next((i for i, (_, exponent) in enumerate(parts) if exponent > 0), 0)
    name, exponent = parts[lead]
    prefix = _prefix(factor, exponent) if name != "molecules" else None
    if prefix is not None:
        parts[lead] = (prefix + name, exponent)
        return _fraction(parts)
    return _fraction(parts) if factor == 1.0 else f"{factor:g} {_fraction(parts)}"


def _prefix(factor: float, exponent: float) -> str | None:
    if factor <= 0.0:
        return None
    power = math.log10(factor) / exponent
    nearest = round(power)
    return _PREFIX.get(nearest) if abs(power - nearest) < 1e-9 else None


def _fraction(parts: list[tuple[str, float]]) -> str:
    above = [_raised(name, e) for name, e in parts if e > 0]
    below = [_raised(name, -e) for name, e in parts if e < 0]
    numerator = " ".join(above) or "1"
    if not below:
        return numerator
    return f"{numerator}/{below[0]}" if len(below) == 1 else f"{numerator}/({' '.join(below)})"


def _raised(name: str, exponent: float) -> str:
    return name if exponent == 1.0 else f"{name}^{exponent:g}"
