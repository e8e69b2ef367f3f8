"""Jump processes with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.expression import number, symbol
from cascades.noise import JumpProcess

n = symbol("X")


@pytest.fixture(scope="session")
def schloegl():
    """Schloegl (1972) Z. Phys. 253:147; one count, two wells at 84 and 569."""
    c1, c2, c3, c4, N1, N2 = (symbol(s) for s in ("c1", "c2", "c3", "c4", "N1", "N2"))
    return JumpProcess(
        name="schloegl",
        species=("X",),
        parameter_names=("c1", "c2", "c3", "c4", "N1", "N2"),
        reactions=("up2", "down3", "up0", "down1"),
        changes=np.array([[1], [-1], [1], [-1]]),
        propensities=(0.5 * c1 * N1 * n * (n - 1), c2 / 6 * n * (n - 1) * (n - 2), c3 * N2, c4 * n),
        default_counts=np.array([84.0]),
        default_values=np.array([3e-7, 1e-4, 1e-3, 3.5, 1e5, 2e5]),
    )


@pytest.fixture(scope="session")
def birth_death():
    """Made at rate k, lost at rate g each: Poisson numbers around k / g."""
    k, g = symbol("k"), symbol("g")
    return JumpProcess(
        name="birth_death",
        species=("X",),
        parameter_names=("k", "g"),
        reactions=("make", "lose"),
        changes=np.array([[1], [-1]]),
        propensities=(k, g * n),
        default_counts=np.array([0.0]),
        default_values=np.array([50.0, 1.0]),
    )


@pytest.fixture(scope="session")
def dimer():
    A, B = symbol("A"), symbol("B")
    return JumpProcess(
        name="dimer",
        species=("A", "B"),
        parameter_names=("k",),
        reactions=("bind", "part"),
        changes=np.array([[-2, 1], [2, -1]]),
        propensities=(symbol("k") * A * (A - 1), number(1.0) * B),
        default_counts=np.array([20.0, 0.0]),
        default_values=np.array([0.1]),
    )
