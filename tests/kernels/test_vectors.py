"""Vectors of lanes against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_array_equal

from cascades.kernels import vectors
from cascades.kernels.vectors import aligned_rows, lane_tuple

LAST_PLACES = 2.0  # units in the last place of exp and log
LANES = (1, 2, 4, 8)


@njit
def elementary(lanes, x, y, out, n):
    for i in range(n):
        a, b = vectors.load(lanes, x, i), vectors.load(lanes, y, i)
        vectors.store(out, i, vectors.exponential(b))
        vectors.store(out, n + i, vectors.logarithm(a))
        vectors.store(out, 2 * n + i, vectors.power(a, b))


def numbers(lanes):
    rng = np.random.default_rng(3)
    n = 500
    x, y = aligned_rows(n, lanes), aligned_rows(n, lanes)
    x[:], y[:] = np.exp(rng.normal(0.0, 5.0, x.shape)), rng.normal(0.0, 20.0, x.shape)
    x[:6, 0] = [0.0, -1.0, np.inf, np.nan, 5e-324, -2.0]
    y[:6, 0] = [2.0, 3.0, 1.0, 1.0, 1.0, 2.5]
    y[6:13, 0] = [np.nan, np.inf, -np.inf, 709.7, 710.5, -745.0, -750.0]
    return x, y, n


@pytest.mark.parametrize("lanes", LANES)
def test_exp_log_pow(lanes):
    x, y, n = numbers(lanes)
    out = aligned_rows(3 * n, lanes)
    elementary(lane_tuple(lanes), x, y, out, n)
    with np.errstate(all="ignore"):
        wanted = np.stack([np.exp(y), np.log(x), np.power(x, y)])
        size = np.abs(y * np.log(np.abs(x)))
    places = np.stack([np.ones_like(x), np.ones_like(x), 1.0 + np.where(np.isfinite(size), size, 0.0)])
    out = out.reshape(3, n, lanes)
    special = ~np.isfinite(wanted)
    assert_array_equal(out[special], wanted[special])
    normal = ~special & (np.abs(np.where(special, 0.0, wanted)) > 1e-300)
    error = np.abs(out[normal] - wanted[normal]) / np.abs(wanted[normal]) / np.finfo(float).eps
    assert (error <= LAST_PLACES * places[normal]).all()


@njit
def moved(lanes, x, y, table, out):
    a, b = vectors.load(lanes, x, 0), vectors.load(lanes, y, 0)
    vectors.store(out, 0, (a + b * 2.0 - 1.0) / b)
    vectors.store(out, 1, vectors.choose(b - 0.5, a, b))
    vectors.store(out, 2, vectors.gather(lanes, x, table, 0))
    vectors.store(out, 3, vectors.larger(a, b))
    vectors.store(out, 4, vectors.combine(a, (2.0, 3.0), y, 0, 1))


@pytest.mark.parametrize("lanes", LANES)
def test_arithmetic_selection_and_gathering(lanes):
    rng = np.random.default_rng(1)
    x, y, out = (aligned_rows(8, lanes) for _ in range(3))
    x[:], y[:] = rng.uniform(0.1, 1.0, x.shape), rng.uniform(0.1, 1.0, y.shape)
    table = rng.integers(0, x.size, lanes).astype(np.int32)
    moved(lane_tuple(lanes), x, y, table, out)
    np.testing.assert_allclose(out[0], (x[0] + 2 * y[0] - 1) / y[0], rtol=1e-15)
    assert_array_equal(out[1], np.where(y[0] > 0.5, x[0], y[0]))
    assert_array_equal(out[2], x.reshape(-1)[table])
    assert_array_equal(out[3], np.maximum(x[0], y[0]))
    np.testing.assert_allclose(out[4], x[0] + 2 * y[0] + 3 * y[1], rtol=1e-15)


def test_rows_are_aligned():
    for lanes in LANES:
        assert aligned_rows(3, lanes).ctypes.data % vectors.ALIGNMENT == 0
