"""Coefficients of normal forms on centre manifolds.

Formulas of Kuznetsov (2004) Elements of Applied Bifurcation Theory, 3rd ed., sections 8.7 and 10.2,
and Kuznetsov (1999) SIAM J. Numer. Anal. 36:1104-1124, with critical eigenvectors of length 1 when
every state is measured in units of its scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cascades.continuation.hopf import critical_pair
from cascades.continuation.scaled import Scaled

DIFFERENCE = 2e-3  # step along a unit direction for fourth and fifth derivatives


def null_pair(jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """v and w with J v = J' w = 0 and |v| = 1; w.v = 1 unless that vanishes."""
    left, _, right = np.linalg.svd(jacobian)
    v, w = right[-1], left[:, -1]
    return v, w / (w @ v)


def cusp_coefficient(scaled: Scaled, u: np.ndarray) -> float:
    """c of x' = c x**3 on the centre manifold of a cusp."""
    jacobian = scaled.state_jacobian(u)
    v, w = null_pair(jacobian)
    square = scaled.second(u, v, v)
    n = scaled.n
    matrix = np.zeros((n + 1, n + 1))
    matrix[:n, :n] = jacobian
    matrix[:n, n] = w
    matrix[n, :n] = v
    h = np.linalg.solve(matrix, np.append((w @ square) * v - square, 0.0))[:n]
    return float(w @ (scaled.third(u, v, v, v) + 3.0 * scaled.second(u, v, h)) / 6.0)


def bogdanov_takens_coefficients(scaled: Scaled, u: np.ndarray) -> dict[str, float]:
    """a and b of x' = y, y' = a x**2 + b x y."""
    jacobian = scaled.state_jacobian(u)
    left, _, right = np.linalg.svd(jacobian)
    q0, p1 = right[-1], left[:, -1]
    n = scaled.n

    def generalised(
        matrix: np.ndarray, border: np.ndarray, row: np.ndarray, right_side: np.ndarray
    ) -> np.ndarray:
        full = np.zeros((n + 1, n + 1))
        full[:n, :n] = matrix
        full[:n, n] = border
        full[n, :n] = row
        solution: np.ndarray = np.linalg.solve(full, np.append(right_side, 0.0))[:n]
        return solution

    q1 = generalised(jacobian, p1, q0, q0)
    p1 = p1 / (p1 @ q1)
    p0 = generalised(jacobian.T, q0, p1 / np.linalg.norm(p1), p1)
    p0 = p0 - (p0 @ q1) * p1
    square = scaled.second(u, q0, q0)
    a = 0.5 * p1 @ square
    b = p0 @ square + p1 @ scaled.second(u, q0, q1)
    return {"a": float(a), "b": float(b)}


def zero_hopf_coefficients(scaled: Scaled, u: np.ndarray, omega: float) -> dict[str, float]:
    """s = +-1 and theta of x' = x**2 + s |z|**2, z' = i omega z + theta x z."""
    jacobian = scaled.state_jacobian(u)
    v, w = null_pair(jacobian)
    q, p = critical_pair(jacobian, omega)
    g200 = 0.5 * float(w @ scaled.second(u, v, v))
    g011 = float((w @ scaled.second(u, q, q.conj())).real)
    g110 = complex(np.vdot(p, scaled.second(u, v, q)))
    return {"s": float(np.sign(g200 * g011)), "theta": g110.real / g200, "omega": omega}


def second_lyapunov_coefficient(scaled: Scaled, u: np.ndarray, omega: float) -> float:
    """l2 at a generalised Hopf point (fourth and fifth derivatives by differences of the third)."""
    jacobian = scaled.state_jacobian(u)
    identity = np.eye(scaled.n)
    q, p = critical_pair(jacobian, omega)
    qbar = q.conj()

    def second(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return scaled.second(u, a, b)

    def third(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return scaled.third(u, a, b, c)

    def fourth(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        return _along(lambda s: scaled.third(u + _wide(s, u), a, b, c), d)

    def fifth(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, e: np.ndarray) -> np.ndarray:
        def inner(s: np.ndarray) -> np.ndarray:
            return _along(lambda t: scaled.third(u + _wide(s + t, u), a, b, c), d)

        return _along(inner, e)

    def resolvent(k: int, right: np.ndarray) -> np.ndarray:
        solution: np.ndarray = np.linalg.solve(k * 1j * omega * identity - jacobian, right)
        return solution

    h20 = resolvent(2, second(q, q))
    h11 = resolvent(0, second(q, qbar))
    h30 = resolvent(3, third(q, q, q) + 3.0 * second(q, h20))
    rest = third(q, q, qbar) + second(qbar, h20) + 2.0 * second(q, h11)
    g21 = np.vdot(p, rest)
    h21 = _bordered(1j * omega * identity - jacobian, q, p, rest - g21 * q)
    c1 = 0.5 * g21
    h31 = resolvent(
        2,
        fourth(q, q, q, qbar) + 3.0 * third(q, q, h11) + 3.0 * third(q, qbar, h20) + 3.0 * second(h20, h11)
        + second(qbar, h30) + 3.0 * second(q, h21) - 6.0 * c1 * h20,
    )  # fmt: skip
    h22 = resolvent(
        0,
        fourth(q, q, qbar, qbar) + 4.0 * third(q, qbar, h11) + third(qbar, qbar, h20)
        + third(q, q, h20.conj()) + 2.0 * second(h11, h11) + 2.0 * second(q, h21.conj())
        + 2.0 * second(qbar, h21) + second(h20.conj(), h20) - 8.0 * c1.real * h11,
    )  # fmt: skip
    total = (
        fifth(q, q, q, qbar, qbar) + fourth(q, q, q, h20.conj()) + 3.0 * fourth(q, qbar, qbar, h20)
        + 6.0 * fourth(q, q, qbar, h11) + third(qbar, qbar, h30) + 3.0 * third(q, q, h21.conj())
        + 6.0 * third(q, qbar, h21) + 3.0 * third(q, h20.conj(), h20) + 6.0 * third(q, h11, h11)
        + 6.0 * third(qbar, h20, h11) + 2.0 * second(qbar, h31) + 3.0 * second(q, h22)
        + second(h20.conj(), h30) + 3.0 * second(h21.conj(), h20) + 6.0 * second(h11, h21)
    )  # fmt: skip
    return float(np.vdot(p, total).real / 12.0)


def _along(function: Callable[[np.ndarray], np.ndarray], direction: np.ndarray) -> np.ndarray:
    """The derivative of `function` at 0 along a complex direction, by fourth-order differences."""
    total: np.ndarray | float = 0.0
    for part, unit in ((direction.real, 1.0), (direction.imag, 1j)):
        length = float(np.linalg.norm(part))
        if length == 0.0:
            continue
        s = part * (DIFFERENCE / length)
        near = function(s) - function(-s)
        far = function(2.0 * s) - function(-2.0 * s)
        total = total + unit * (8.0 * near - far) * (length / (12.0 * DIFFERENCE))
    return np.asarray(total)


def _wide(s: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.concatenate([s, np.zeros(u.size - s.size)])


def _bordered(matrix: np.ndarray, q: np.ndarray, p: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution orthogonal to p of a singular system with null vectors q and p."""
    n = q.size
    full = np.zeros((n + 1, n + 1), complex)
    full[:n, :n] = matrix
    full[:n, n] = q
    full[n, :n] = p.conj()
    solution: np.ndarray = np.linalg.solve(full, np.append(right, 0.0))[:n]
    return solution
