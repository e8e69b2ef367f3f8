"""Branches of large models: sparse LU of the bordered Jacobian, and the eigenvalues nearest to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from cascades.continuation.arclength import Linear
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Scaled
from cascades.continuation.symbolic import SymbolicProblem

FROM = 100  # states; below it dense LU is faster
NEAREST = 8


@dataclass(frozen=True, eq=False)
class Sparse(Linear):
    """F, shape (n,), the entries of the scaled Jacobian and its last column, dF/dtheta."""

    residual: np.ndarray
    entries: np.ndarray
    column: np.ndarray
    pattern: tuple[np.ndarray, np.ndarray]

    @property
    def states(self) -> Any:
        """The Jacobian of the states, shape (n, n)."""
        n = self.residual.size
        return scipy.sparse.csc_array((self.entries, self.pattern), shape=(n, n))

    def newton(self, row: np.ndarray, gap: float) -> tuple[np.ndarray, float]:
        return self._solve(row, np.append(self.residual, gap))

    def tangent(self, guide: np.ndarray) -> tuple[np.ndarray, float]:
        right = np.zeros(guide.size)
        right[-1] = 1.0
        return self._solve(guide, right)

    def _solve(self, row: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
        n = self.residual.size
        rows = np.concatenate([self.pattern[0], np.arange(n), np.full(n + 1, n)])
        columns = np.concatenate([self.pattern[1], np.full(n, n), np.arange(n + 1)])
        values = np.concatenate([self.entries, self.column, row])
        matrix = scipy.sparse.csc_array((values, (rows, columns)), shape=(n + 1, n + 1))
        if not np.isfinite(values).all():
            return np.full(n + 1, np.nan), 0.0
        try:
            lu = scipy.sparse.linalg.splu(matrix)
        except RuntimeError:  # exactly singular
            return np.full(n + 1, np.nan), 0.0
        odd = np.count_nonzero(lu.U.diagonal() < 0.0) + _is_odd(lu.perm_r) + _is_odd(lu.perm_c)
        return lu.solve(right), -1.0 if odd % 2 else 1.0


def is_large(problem: Problem) -> bool:
    """Whether sparse linear algebra pays: many states, and their pattern is known."""
    return isinstance(problem, SymbolicProblem) and len(problem.state_names) >= FROM


def linearise(scaled: Scaled, u: np.ndarray) -> Sparse:
    """The equations of a large problem linearised at u = (z, theta)."""
    problem = scaled.problem
    if not isinstance(problem, SymbolicProblem):
        raise TypeError("sparse linear algebra needs a problem made of formulas")
    x, q = scaled.unpack(u)
    axis = scaled.axes[0]
    rows, columns = problem.sparsity
    entries = problem.jacobian_values(x, q) * (scaled.size[columns] / scaled.size[rows])
    column = problem.parameter_derivative(x, q, axis.k) * (axis.slope(q[axis.k]) / scaled.size)
    return Sparse(problem.rates(x, q) / scaled.size, entries, column, (rows, columns))


def sparse_jacobian(problem: Problem, x: np.ndarray, q: np.ndarray) -> Any:
    """df/dx of a large problem as a csc array."""
    if not isinstance(problem, SymbolicProblem):
        raise TypeError("sparse linear algebra needs a problem made of formulas")
    n = x.size
    return scipy.sparse.csc_array((problem.jacobian_values(x, q), problem.sparsity), shape=(n, n))


def nearest_eigenvalues(states: Any) -> np.ndarray:
    """The `NEAREST` eigenvalues nearest to zero of a sparse matrix; NaN where they could not be found."""
    start = np.ones(states.shape[0])
    try:
        found = scipy.sparse.linalg.eigs(
            states, k=NEAREST, sigma=0.0, v0=start, return_eigenvectors=False, tol=1e-6
        )
    except (RuntimeError, scipy.sparse.linalg.ArpackError):
        return np.full(NEAREST, np.nan + 0j)
    return np.asarray(found)


def _is_odd(permutation: np.ndarray) -> int:
    """Whether a permutation is odd: its length minus the number of its cycles."""
    seen = np.zeros(permutation.size, bool)
    cycles = 0
    for i in range(permutation.size):
        if not seen[i]:
            cycles += 1
            while not seen[i]:
                seen[i] = True
                i = int(permutation[i])
    return (permutation.size - cycles) % 2
