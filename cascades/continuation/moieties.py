"""Weighted sums of states that never change, found from the equations themselves.

Reactions tell them exactly; a model written as differential equations hides them.  A vector w with
w' J = 0 at several unrelated states, and w' f = 0 there, is one.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from cascades.continuation.problem import Problem

STATES = 4
SMALL = 1e-11


def hidden_moieties(problem: Problem, q: np.ndarray) -> np.ndarray:
    """Weights of conserved sums, shape (sums, n), in reduced echelon form: the last state of each sum
    has weight 1 and is in no other sum.  Empty if there are none."""
    rng = np.random.default_rng(7)
    n = len(problem.state_names)
    size = problem.scale
    columns = []
    for _ in range(STATES):
        x = size * rng.uniform(0.1, 1.0, n)
        with np.errstate(all="ignore"):
            matrix = np.column_stack([problem.jacobian(x, q) * size, problem.rates(x, q)]) / size[:, None]
        if not np.isfinite(matrix).all():
            return np.empty((0, n))
        columns.append(matrix / max(np.linalg.norm(matrix), 1e-300))
    left, s, _ = np.linalg.svd(np.hstack(columns))
    null = left[:, s < SMALL * s[0]].T
    return _echelon(null / size)


def _echelon(weights: np.ndarray) -> np.ndarray:
    """Rows combined so that each has a state of its own with weight 1; small numbers made exact."""
    if weights.shape[0] == 0:
        return weights
    order = scipy.linalg.qr(weights, pivoting=True, mode="r")[1][: weights.shape[0]]
    reduced = np.linalg.solve(weights[:, order], weights)
    rounded = np.round(reduced * 12.0) / 12.0
    return np.where(np.abs(reduced - rounded) < 1e-7, rounded, reduced)
