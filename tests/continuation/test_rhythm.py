"""Rhythmic stimulation against closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from cascades.continuation import Pulse, Rhythm, SymbolicProblem, rhythmic_orbits
from cascades.errors import NoEquilibrium, ProtocolError, UnknownName
from cascades.expression import symbol

TAU = 0.02
RESOLUTION = 1e-6
AT_MESH_POINTS = 0.05 * RESOLUTION  # errors are smaller there than between them


@pytest.fixture(scope="module")
def driven_switch():
    """Calcium c decays with tau between spikes; x switches itself on above a threshold."""
    c, x, tau, k, theta = (symbol(s) for s in ("c", "x", "tau", "k", "theta"))
    drive = k * c**2 * (1 - x) / (theta + c**2)
    feedback = 3 * x**3 * (1 - x) / (0.3 + x**3)
    return SymbolicProblem(
        ("c", "x"),
        ("tau", "k", "theta"),
        [-1 * c / tau, drive + feedback - x],
        default_state=np.zeros(2),
        default_values=np.array([TAU, 5.0, 1.0]),
    )


@pytest.fixture(scope="module")
def frequency_branch(driven_switch):
    rhythm = Rhythm(1.0, (Pulse("c"),))
    return rhythmic_orbits(driven_switch, rhythm, "rate", (1.0, 100.0), resolution=RESOLUTION)


def test_calcium_is_the_closed_form(frequency_branch):
    for rate, orbit in zip(frequency_branch.values, frequency_branch.orbits, strict=True):
        assert_allclose(orbit["c"][0], 1.0 / (1.0 - np.exp(-1.0 / (rate * TAU))), rtol=AT_MESH_POINTS)
        assert np.abs(orbit.multipliers - np.exp(-1.0 / (rate * TAU))).min() < AT_MESH_POINTS


def test_folds_of_the_frequency_curve_are_where_simulations_flip(driven_switch, frequency_branch):
    first, second = frequency_branch.of_kind("fold of cycles")
    assert first.value > second.value
    assert max(point.coefficients["error"] for point in (first, second)) < 1e-6 * second.value

    def after(rate: float) -> float:
        z = np.zeros(2)
        q = driven_switch.default_values
        for _ in range(int(60 * rate)):
            z = z + np.array([1.0, 0.0])
            z = solve_ivp(
                lambda t, z: driven_switch.rates(z, q),
                (0.0, 1.0 / rate),
                z,
                method="LSODA",
                rtol=1e-8,
                atol=1e-10,
            ).y[:, -1]
        return float(z[1])

    assert after(first.value * 0.98) < 0.3
    assert after(first.value * 1.1) > 0.5


def test_a_fold_in_amplitude_is_the_fold_in_frequency(driven_switch, frequency_branch):
    """At the rate at which pulses of size 1 flip the switch, size 1 is the one that does."""
    rate = frequency_branch.of_kind("fold of cycles")[0].value
    branch = rhythmic_orbits(
        driven_switch, Rhythm(rate, (Pulse("c", 0.5),)), "size c", (0.5, 2.0), resolution=RESOLUTION
    )
    fold = branch.of_kind("fold of cycles")[0]
    assert_allclose(fold.value, 1.0, rtol=1e-6)


def test_table(frequency_branch):
    table = frequency_branch.to_dataframe()
    assert list(table.columns[:3]) == ["rate", "period", "is_stable"]
    assert_allclose(table["period"], 1.0 / table["rate"], rtol=1e-9)
    assert (table["largest_multiplier"] < 1.0).equals(table["is_stable"])
    assert frequency_branch.to_xarray().sizes["orbit"] == len(frequency_branch)


def test_timing_of_two_pulses(driven_switch):
    rhythm = Rhythm(3.0, (Pulse("c"), Pulse("x", 0.01, 0.05)))
    branch = rhythmic_orbits(driven_switch, rhythm, "delay x", (0.02, 0.3))
    assert_allclose(branch.values[0], 0.05, rtol=1e-9)
    assert branch.is_stable.all()
    assert_allclose(branch.periods, 1.0 / 3.0, rtol=1e-12)


def test_pulses_that_flip_the_switch_are_reported(driven_switch):
    with pytest.raises(NoEquilibrium, match="ends in a fold"):
        rhythmic_orbits(driven_switch, Rhythm(20.0, (Pulse("c"),)), "size c", (0.5, 3.0))


def test_bad_rhythms(driven_switch):
    with pytest.raises(ProtocolError, match="rate must be positive"):
        Rhythm(0.0, (Pulse("c"),))
    with pytest.raises(ProtocolError, match="within a period"):
        Rhythm(10.0, (Pulse("c", delay=0.2),))
    with pytest.raises(UnknownName, match="state or spike port"):
        rhythmic_orbits(driven_switch, Rhythm(1.0, (Pulse("d"),)), "rate", (1.0, 2.0))
