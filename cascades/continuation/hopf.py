"""Hopf points by a minimally augmented system.

At a Hopf point J**2 + kappa has a two-dimensional null space, kappa = omega**2.  The 2 x 2 matrix G
of  [J**2 + kappa, B; C' 0] [V; G] = [0; 1]  then vanishes; two of its entries, the best
conditioned ones, are the equations (Beyn et al. 2002, Handbook of Dynamical Systems 2, 149-219).
The curve goes on smoothly through Bogdanov-Takens points, kappa = 0, into neutral saddles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from cascades.continuation.arclength import Curve, Dense
from cascades.continuation.scaled import Scaled, outside

_ENTRIES = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True, eq=False)
class HopfSystem(Curve):
    """f = 0 and two entries of G = 0 over u = (z, kappa in units of `kappa_unit`, thetas).

    kappa stands last but for the thetas' sake it is unpacked first: u = (z, thetas, kappa).
    """

    scaled: Scaled
    b: np.ndarray
    c: np.ndarray
    entries: tuple[int, int]
    kappa_unit: float

    def kappa(self, u: np.ndarray) -> float:
        """omega**2 [1/time**2]; negative for a neutral saddle."""
        return float(u[-1]) * self.kappa_unit

    def _vectors(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """V, W (n, 2), G (2, 2) and J, with J in units of the square root of `kappa_unit`."""
        n = self.scaled.n
        jacobian = self.scaled.state_jacobian(u[:-1]) / np.sqrt(self.kappa_unit)
        matrix = np.zeros((n + 2, n + 2))
        matrix[:n, :n] = jacobian @ jacobian
        matrix[:n, :n].flat[:: n + 1] += u[-1]
        matrix[:n, n:] = self.b
        matrix[n:, :n] = self.c.T
        unit = np.zeros((n + 2, 2))
        unit[n, 0] = unit[n + 1, 1] = 1.0
        right = np.linalg.solve(matrix, unit)
        left = np.linalg.solve(matrix.T, unit)
        return right[:n], left[:n], right[n:], jacobian

    def _gradients(self, u: np.ndarray, entries: tuple[int, ...]) -> np.ndarray:
        right, left, _, jacobian = self._vectors(u)
        rows = []
        for entry in entries:
            i, j = _ENTRIES[entry]
            w, v = left[:, i], right[:, j]
            # dG = -w' (dJ J + J dJ + dkappa) v
            slope = self.scaled.contraction(u[:-1], w, jacobian @ v) + self.scaled.contraction(
                u[:-1], jacobian.T @ w, v
            )
            rows.append(np.append(-slope / np.sqrt(self.kappa_unit), -w @ v))
        return np.array(rows)

    def residual(self, u: np.ndarray) -> np.ndarray:
        g = self._vectors(u)[2].ravel()
        return np.append(self.scaled.rates(u[:-1]), g[list(self.entries)])

    def jacobian(self, u: np.ndarray) -> np.ndarray:
        upper = self.scaled.jacobian(u[:-1])
        upper = np.hstack([upper, np.zeros((self.scaled.n, 1))])
        return np.vstack([upper, self._gradients(u, self.entries)])

    def residual_and_jacobian(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.residual(u), self.jacobian(u)

    def linearise(self, u: np.ndarray) -> Dense:
        return Dense(*self.residual_and_jacobian(u))

    def in_range(self, u: np.ndarray) -> str:
        return outside(self.scaled, u[:-1])

    def refreshed(self, u: np.ndarray) -> HopfSystem:
        """Borders and entries that fit `u`."""
        right, left, _, _ = self._vectors(u)
        renewed = replace(self, b=np.linalg.qr(left)[0], c=np.linalg.qr(right)[0])
        return replace(renewed, entries=_best_entries(renewed, u))


def hopf_system(scaled: Scaled, u: np.ndarray, kappa: float) -> tuple[HopfSystem, np.ndarray]:
    """The system with borders from the singular vectors at u = (z, thetas), and its start."""
    jacobian = scaled.state_jacobian(u)
    unit = kappa if kappa > 0.0 else float(np.linalg.norm(jacobian)) ** 2
    matrix = (jacobian @ jacobian) / unit + (kappa / unit) * np.eye(scaled.n)
    left, _, right = np.linalg.svd(matrix)
    system = HopfSystem(scaled, left[:, -2:], right[-2:].T, (0, 1), unit)
    start = np.append(u, kappa / unit)
    return replace(system, entries=_best_entries(system, start)), start


def _best_entries(system: HopfSystem, u: np.ndarray) -> tuple[int, int]:
    """The two entries of G whose gradients are the least parallel, given f = 0."""
    rows = system._gradients(u, (0, 1, 2, 3))
    base = system.scaled.jacobian(u[:-1])
    base = np.hstack([base, np.zeros((system.scaled.n, 1))])
    row_space = np.linalg.qr(base.T)[0]
    free = rows - (rows @ row_space) @ row_space.T
    order = scipy.linalg.qr(free.T, pivoting=True, mode="r")[1]
    first, second = sorted(int(i) for i in order[:2])
    return first, second


def critical_pair(jacobian: np.ndarray, omega: float) -> tuple[np.ndarray, np.ndarray]:
    """q and p with J q = i omega q, J' p = -i omega p, q.q = p.q = 1 (p conjugated)."""
    values, left, right = scipy.linalg.eig(jacobian, left=True, right=True)
    k = int(np.argmin(np.abs(values - 1j * omega)))
    q = right[:, k] / np.linalg.norm(right[:, k])
    p = left[:, k]
    return q, p / np.conj(np.vdot(p, q))


def lyapunov_coefficient(scaled: Scaled, u: np.ndarray, omega: float) -> float:
    """The first Lyapunov coefficient l1 (Kuznetsov 2004, eq. 5.39), in scaled coordinates: negative
    for a supercritical Hopf point (stable orbits), positive for a subcritical one."""
    jacobian = scaled.state_jacobian(u)
    identity = np.eye(scaled.n)
    q, p = critical_pair(jacobian, omega)
    qbar = q.conj()
    cubic = scaled.third(u, q, q, qbar)
    shift = np.linalg.solve(jacobian, scaled.second(u, q, qbar))
    double = np.linalg.solve(2j * omega * identity - jacobian, scaled.second(u, q, q))
    total = np.vdot(p, cubic) - 2.0 * np.vdot(p, scaled.second(u, q, shift))
    total = total + np.vdot(p, scaled.second(u, qbar, double))
    return float(total.real / (2.0 * omega))
