"""Periodic orbits against integrations at tolerance 1e-13 and AUTO-07p."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import SymbolicProblem, continuation
from cascades.continuation.orbits import orbit_from_simulation, periodic_orbits
from cascades.errors import NoEquilibrium
from cascades.expression import symbol

PERIOD_DIGITS = 1e-8
FOLD_DIGITS = 1e-6

# DOP853 at 1e-13 with the variational equation
BRUSSELATOR = {2.5: (6.577284341908, 0.03189974), 3.0: (7.156919921180, 2.5163758e-4)}
SMALLEST_MULTIPLIER = 5.13e-12  # at B = 4, the same source


@pytest.mark.parametrize("B", BRUSSELATOR)
def test_brusselator_period_and_multiplier(brusselator, B):
    simulated = orbit_from_simulation(brusselator, values={"B": B}, settle=100.0)
    orbit = periodic_orbits(brusselator, simulated, "B", (1.0, B + 0.01)).orbits[0]
    period, multiplier = BRUSSELATOR[B]
    assert_allclose(orbit.period, period, rtol=PERIOD_DIGITS)
    assert_allclose(orbit.multipliers[0], 1.0, atol=1e-7)
    assert_allclose(orbit.multipliers[1], multiplier, rtol=1e-4)


def test_small_multipliers_keep_their_digits(brusselator):
    simulated = orbit_from_simulation(brusselator, values={"B": 4.0}, settle=100.0)
    orbit = periodic_orbits(brusselator, simulated, "B", (1.0, 4.01), intervals=100).orbits[0]
    assert_allclose(orbit.multipliers[1], SMALLEST_MULTIPLIER, rtol=2e-3)


def test_brusselator_orbits_are_born_at_the_hopf_point(brusselator):
    (hopf,) = continuation(brusselator, "B", (1.0, 4.0)).of_kind("hopf")
    branch = periodic_orbits(brusselator, hopf, "B", (1.0, 3.0))
    assert_allclose(branch.periods[0], 2.0 * np.pi, rtol=1e-3)
    assert branch.is_stable.all()
    assert "upper end" in branch.stopped_because


MORRIS_LECAR_FOLDS = [
    88.29325054,  # AUTO-07p
    216.89980138941,  # 80 intervals, from either Hopf point: 216.899801389408
]


@pytest.fixture(scope="module")
def morris_lecar_hopf(morris_lecar):
    return continuation(morris_lecar, "I", (0.0, 300.0)).of_kind("hopf")


def test_morris_lecar_folds_of_cycles(morris_lecar, morris_lecar_hopf):
    branch = periodic_orbits(morris_lecar, morris_lecar_hopf[0], "I", (0.0, 300.0))
    folds = branch.of_kind("fold of cycles")
    assert_allclose([fold.value for fold in folds], MORRIS_LECAR_FOLDS, rtol=FOLD_DIGITS)
    for fold, exact in zip(folds, MORRIS_LECAR_FOLDS, strict=True):
        assert abs(fold.value - exact) <= fold.coefficients["error"] + 5e-9  # and the printed digits
    assert "Hopf" in branch.stopped_because
    assert branch.dropped == () and len(branch.special_points) == 2
    assert not branch.is_stable[1] and branch.is_stable[len(branch) // 2]


def test_what_a_coarse_mesh_makes_up_is_dropped(morris_lecar, morris_lecar_hopf):
    """On six intervals there are folds and period doublings that no finer mesh knows."""
    branch = periodic_orbits(morris_lecar, morris_lecar_hopf[0], "I", (0.0, 300.0), intervals=6)
    assert branch.special_points == ()
    assert len(branch.dropped) > 2
    assert all("finer mesh" in sentence for sentence in branch.dropped)


def test_bautin_fold_of_cycles(bautin_form):
    """r' = r (b1 + b2 r**2 - r**4): the fold of cycles is at b2**2 = -4 b1."""
    hopf = continuation(bautin_form, "b1", (-0.5, 0.5)).of_kind("hopf")[0]
    (fold,) = periodic_orbits(bautin_form, hopf, "b1", (-0.5, 0.5)).of_kind("fold of cycles")
    assert_allclose(fold.value, -(0.5**2) / 4.0, rtol=FOLD_DIGITS)


def test_roessler_period_doubling():
    """The first period doubling for a = b = 0.2 lies at c = 2.83 (Roessler 1976; Strogatz 1994)."""
    x, y, z, a, b, c = (symbol(s) for s in "xyzabc")
    roessler = SymbolicProblem(
        ("x", "y", "z"),
        ("a", "b", "c"),
        [-1 * y - z, x + a * y, b + z * (x - c)],
        default_state=np.array([1.0, 1.0, 0.1]),
        default_values=np.array([0.2, 0.2, 2.5]),
        scale=np.array([5.0, 5.0, 5.0]),
    )
    simulated = orbit_from_simulation(roessler, settle=300.0)
    branch = periodic_orbits(roessler, simulated, "c", (2.0, 3.5))
    (doubling,) = branch.of_kind("period doubling")
    assert 2.82 < doubling.value < 2.84
    assert_allclose(np.abs(doubling.eigenvalues + 1.0).min(), 0.0, atol=1e-6)


def test_langford_torus():
    """Langford (1979) SIAM J. Appl. Math. 37:22 with rotational symmetry: the orbit z = b loses its
    stability to a torus at a = b**2 + e r**2 with r**2 = (c + a b - b**3 / 3) / (1 + e b)."""
    x, y, z, a, b, c, d, e = (symbol(s) for s in "xyzabcde")
    r2 = x * x + y * y
    langford = SymbolicProblem(
        ("x", "y", "z"),
        ("a", "b", "c", "d", "e"),
        [
            (z - b) * x - d * y,
            d * x + (z - b) * y,
            c + a * z - z**3 / 3 - r2 * (1 + e * z),
        ],
        default_state=np.array([0.8, 0.1, 0.7]),
        default_values=np.array([0.6, 0.7, 0.6, 3.5, 0.25]),
    )
    simulated = orbit_from_simulation(langford, settle=400.0)
    branch = periodic_orbits(langford, simulated, "a", (0.5, 0.9), intervals=20)
    (torus,) = branch.of_kind("neimark-sacker")
    share = 0.25 / (1.0 + 0.25 * 0.7)
    exact = (0.49 + share * (0.6 - 0.343 / 3.0)) / (1.0 - share * 0.7)
    assert_allclose(torus.value, exact, rtol=1e-7)


def test_no_orbit_to_be_found(brusselator):
    with pytest.raises(NoEquilibrium, match="does not come back"):
        orbit_from_simulation(brusselator, values={"B": 1.0}, settle=100.0)
