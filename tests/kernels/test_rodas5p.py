"""The coefficients of Rodas5P: consistency, order conditions, and convergence of the driver's steps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.kernels.rodas5p import GAMMA, NODES, SLOPES, STAGES, A, C, H

ROUNDING = 2e-12  # sixteen digits of coefficients as large as 165, inverted


def matrices():
    """alpha and Gamma of the usual form, from the coefficients of the form without products."""
    a, c = np.zeros((STAGES, STAGES)), np.zeros((STAGES, STAGES))
    for i, row in enumerate(A, 1):
        a[i, :i] = row
    a[6], a[7] = a[5], a[5]
    a[6, 5] = a[7, 5] = a[7, 6] = 1.0
    for i, row in enumerate(C, 1):
        c[i, :i] = row
    inverse = np.eye(STAGES) / GAMMA - c
    gamma = np.linalg.inv(inverse)
    m = a[7].copy()
    m[7] = 1.0
    return a @ gamma, gamma, m @ gamma


def test_nodes_and_slopes_are_row_sums():
    alpha, gamma, _ = matrices()
    assert_allclose(alpha.sum(axis=1), NODES, atol=ROUNDING)
    assert_allclose(gamma.sum(axis=1), SLOPES, atol=ROUNDING)


def test_order_conditions_of_linear_problems():
    """b^T B^k 1 = 1/(k + 1)! up to order 5 (Hairer & Wanner 1996, section IV.7)."""
    alpha, gamma, b = matrices()
    vector = np.ones(STAGES)
    factorial = 1.0
    for k in range(1, 6):
        factorial *= k
        assert_allclose(b @ vector, 1.0 / factorial, atol=ROUNDING)
        vector = (alpha + gamma) @ vector


def test_order_conditions_of_quadrature():
    _, _, b = matrices()
    for k in range(1, 5):
        assert_allclose(b @ np.array(NODES) ** k, 1.0 / (k + 1), atol=ROUNDING)


def test_stiffly_accurate_and_damped():
    alpha, gamma, b = matrices()
    assert_allclose((alpha + gamma)[7], b, atol=ROUNDING)  # the last stage is the step
    z = -1e8
    growth = 1 + z * b @ np.linalg.solve(np.eye(STAGES) - z * (alpha + gamma), np.ones(STAGES))
    assert abs(growth) < 1e-6  # R(infinity) = 0


@pytest.mark.parametrize("place", [0.2, 0.5, 0.85])
def test_dense_output_is_of_fourth_order_on_linear_problems(place):
    alpha, gamma, b = matrices()
    h = np.array(H) @ gamma  # weights of k_1 .. k_3 in the usual stages
    weights = place * b + place * (1 - place) * (h[0] + place * (h[1] + place * h[2]))
    vector, factorial = np.ones(STAGES), 1.0
    for k in range(1, 5):
        factorial *= k
        assert_allclose(weights @ vector, place**k / factorial, atol=ROUNDING)
        vector = (alpha + gamma) @ vector
