"""Exact answers: first-passage sums, the master equation, and their agreement."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.errors import UnknownName
from cascades.noise import mean_first_passage_time, stationary_distribution
from cascades.noise.master import lattice, mean_first_passage_times, stationary

EXACT = 1e-8

# Schloegl model with c = 3e-7, 1e-4, 1e-3, 3.5 and N = 1e5, 2e5: one-step sums
PASSAGES = [
    (84, 248, 23385.858395),
    (84, 569, 50307.864442),
    (569, 248, 95291.197836),
    (569, 84, 178099.512079),
]


def birth(n):
    return 0.5 * 3e-7 * 1e5 * n * (n - 1) + 1e-3 * 2e5


def death(n):
    return 1e-4 / 6.0 * n * (n - 1) * (n - 2) + 3.5 * n


@pytest.mark.parametrize(("start", "target", "time"), PASSAGES)
def test_schloegl_first_passage_times(start, target, time):
    assert_allclose(mean_first_passage_time(birth, death, start, target), time, rtol=EXACT)


@pytest.mark.parametrize(("start", "target", "time"), PASSAGES)
def test_master_equation_gives_the_same_times(schloegl, start, target, time):
    space = lattice(schloegl, {"X": 1500})
    times = mean_first_passage_times(space, space.where(lambda n: n["X"] == target))
    assert_allclose(times[space.counts[:, 0] == start], time, rtol=EXACT)


def test_stationary_distributions_agree(schloegl):
    space = lattice(schloegl, {"X": 1500})
    p, leak = stationary(space)
    order = np.argsort(space.counts[:, 0])
    assert_allclose(p[order], stationary_distribution(birth, death, 1500), atol=1e-9)
    assert leak < 1e-50


def test_poisson_distribution():
    p = stationary_distribution(lambda n: np.full_like(n, 7.0), lambda n: n, 60)
    assert_allclose(p @ np.arange(61), 7.0, rtol=1e-12)
    assert_allclose(p[7], np.exp(-7.0) * 7.0**7 / 5040.0, rtol=1e-12)


def test_two_species_lattice(dimer):
    """A + A <-> B with 20 A in all: 11 states, and the total never changes."""
    space = lattice(dimer, {})
    assert len(space) == 11
    assert (space.counts @ [1, 2] == 20).all()
    assert (space.escape == 0.0).all()


def test_bad_input(schloegl):
    with pytest.raises(ValueError, match="outside of the limits"):
        lattice(schloegl, {"X": 10})
    with pytest.raises(ValueError, match="more than 100 states"):
        lattice(schloegl, {"X": 1500}, most=100)
    with pytest.raises(ValueError, match="never reached"):
        mean_first_passage_time(lambda n: 0.0 * n, death, 1, 5)
    with pytest.raises(ValueError, match="not negative"):
        mean_first_passage_time(lambda n: -n, death, 1, 5)
    with pytest.raises(UnknownName, match="did you mean c1"):
        schloegl.values({"c11": 1.0})
