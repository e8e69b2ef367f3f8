"""Canonical units, physical constants with their source, and conversion at the boundary.

Inside the package numbers are bare floats in these units; every docstring says which.
"""

from __future__ import annotations

from functools import cache

CANONICAL = {
    "time": "s",
    "concentration": "uM",
    "volume": "fL",
    "amount": "zmol",  # uM * fL = 1e-21 mol, 602.2 molecules
    "voltage": "mV",
    "current": "pA",
    "conductance": "nS",
    "rate": "Hz",
}

# SI Brochure, 9th edition (2019), section 2.2: exact by definition.
AVOGADRO = 6.02214076e23  # 1/mol
ELEMENTARY_CHARGE = 1.602176634e-19  # C
BOLTZMANN = 1.380649e-23  # J/K
FARADAY = AVOGADRO * ELEMENTARY_CHARGE  # C/mol
GAS = AVOGADRO * BOLTZMANN  # J/(mol K)
ZERO_CELSIUS = 273.15  # K

MOLECULES_PER_ZMOL = AVOGADRO * 1e-21

# SBML Level 3 Version 2 core, section 4.2.2: the base units and the factors they have in SI.
SI_FACTORS: dict[str, tuple[str, float]] = {
    "s": ("time", 1.0), "ms": ("time", 1e-3), "min": ("time", 60.0), "h": ("time", 3600.0),
    "M": ("concentration", 1.0), "mM": ("concentration", 1e-3), "uM": ("concentration", 1e-6),
    "nM": ("concentration", 1e-9), "pM": ("concentration", 1e-12),
    "L": ("volume", 1.0), "mL": ("volume", 1e-3), "uL": ("volume", 1e-6), "pL": ("volume", 1e-12),
    "fL": ("volume", 1e-15), "um3": ("volume", 1e-15),
    "mol": ("amount", 1.0), "mmol": ("amount", 1e-3), "umol": ("amount", 1e-6), "nmol": ("amount", 1e-9),
    "zmol": ("amount", 1e-21), "molecules": ("amount", 1.0 / AVOGADRO),
    "V": ("voltage", 1.0), "mV": ("voltage", 1e-3),
    "A": ("current", 1.0), "nA": ("current", 1e-9), "pA": ("current", 1e-12),
    "S": ("conductance", 1.0), "uS": ("conductance", 1e-6), "nS": ("conductance", 1e-9),
    "pS": ("conductance", 1e-12),
    "Hz": ("rate", 1.0), "kHz": ("rate", 1e3), "1/s": ("rate", 1.0), "1/ms": ("rate", 1e3),
    "1/min": ("rate", 1.0 / 60.0), "1/h": ("rate", 1.0 / 3600.0),
}  # fmt: skip


@cache
def factor(unit: str, to: str) -> float:
    """What a number in `unit` is multiplied with to be in `to`.

    Raises UnitError if either is unknown or they measure different things.
    """
    from cascades.errors import UnitError, UnknownName

    for name in (unit, to):
        if name not in SI_FACTORS:
            raise UnknownName("unit", name, SI_FACTORS)
    (kind, size), (kind_to, size_to) = SI_FACTORS[unit], SI_FACTORS[to]
    if kind != kind_to:
        raise UnitError("conversion", [f"{unit} is a {kind}, {to} is a {kind_to}"])
    return size / size_to
