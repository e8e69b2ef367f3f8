"""Conversion at the boundary."""

from __future__ import annotations

import pytest

from cascades.errors import UnitError, UnknownName
from cascades.units import MOLECULES_PER_ZMOL, factor


def test_factors():
    assert factor("ms", "s") == pytest.approx(1e-3)
    assert factor("nM", "uM") == pytest.approx(1e-3)
    assert factor("um3", "fL") == 1.0
    assert factor("molecules", "zmol") == pytest.approx(1.0 / MOLECULES_PER_ZMOL)
    assert pytest.approx(602.214076) == MOLECULES_PER_ZMOL


def test_refusals():
    with pytest.raises(UnitError, match="time"):
        factor("ms", "uM")
    with pytest.raises(UnknownName, match="uM"):
        factor("uMol", "M")
