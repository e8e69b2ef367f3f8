"""Folds (saddle-node points) by a minimally augmented system.

The Jacobian J is singular where g vanishes in  [J b; c' 0] [v; g] = [0; 1].  With w from the
transposed system dg = -w' dJ v, so Newton and two-parameter continuation are exact (Govaerts 2000,
Numerical Methods for Bifurcations of Dynamical Equilibria, chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs

from cascades.continuation.arclength import Curve, Dense
from cascades.continuation.scaled import Scaled, outside


@dataclass(frozen=True, eq=False)
class FoldSystem(Curve):
    """f = 0 and g = 0 over u = (z, thetas).  One axis: a square system.  Two: a curve."""

    scaled: Scaled
    b: np.ndarray
    c: np.ndarray

    def vectors(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """v and w with c.v = b.w = 1, and g."""
        return self._vectors(self.scaled.state_jacobian(u))

    def _vectors(self, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        n = self.scaled.n
        matrix = np.empty((n + 1, n + 1), order="F")
        matrix[:n, :n] = jacobian
        matrix[:n, n] = self.b
        matrix[n, :n] = self.c
        matrix[n, n] = 0.0
        last = np.zeros(n + 1)
        last[n] = 1.0
        lu, pivots, _ = dgetrf(matrix, overwrite_a=1)
        right = dgetrs(lu, pivots, last)[0]
        left = dgetrs(lu, pivots, last, trans=1)[0]
        return right[:n], left[:n], float(right[n])

    def residual_and_jacobian(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        jacobian = self.scaled.jacobian(u)
        v, w, g = self._vectors(jacobian[:, : self.scaled.n])
        return np.append(self.scaled.rates(u), g), np.vstack([jacobian, -self.scaled.contraction(u, w, v)])

    def linearise(self, u: np.ndarray) -> Dense:
        return Dense(*self.residual_and_jacobian(u))

    def in_range(self, u: np.ndarray) -> str:
        return outside(self.scaled, u)

    def refreshed(self, u: np.ndarray) -> FoldSystem:
        """The same with borders that fit `u`; their signs continue."""
        v, w, _ = self.vectors(u)
        return replace(self, b=w / np.linalg.norm(w), c=v / np.linalg.norm(v))


def fold_system(scaled: Scaled, u: np.ndarray) -> FoldSystem:
    """Borders from the singular vectors at `u`."""
    left, _, right = np.linalg.svd(scaled.state_jacobian(u))
    return FoldSystem(scaled, left[:, -1], right[-1])


def fold_coefficient(scaled: Scaled, u: np.ndarray) -> float:
    """a = w.D2f[v, v] / 2 with v.v = w.v = 1 (Kuznetsov 2004, Elements of Applied Bifurcation
    Theory, eq. 8.3): x' = s + a x**2 on the centre manifold.  The sign is that of v, whose largest
    entry is taken positive."""
    scaled, u = scaled.natural(u)
    left, _, right = np.linalg.svd(scaled.state_jacobian(u))
    v, w = right[-1], left[:, -1]
    v = v * np.sign(v[np.argmax(np.abs(v))])
    w = w / (w @ v)
    return float(0.5 * w @ scaled.second(u, v, v))
