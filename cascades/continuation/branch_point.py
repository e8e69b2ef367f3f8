"""Branch points: where two branches of equilibria cross.

Refined by  f + beta b = 0, w' f_x = 0, w' f_theta = 0, w.w = 1  in (u, beta, w), which is regular at
a simple branch point (Moore 1980, SIAM J. Numer. Anal. 17:567-576).
"""

from __future__ import annotations

import numpy as np

from cascades.continuation.newton import Root, newton
from cascades.continuation.scaled import Scaled

DIFFERENCE = 1e-5  # for directions only


def refine_branch_point(scaled: Scaled, guess: np.ndarray) -> Root:
    """The branch point near u = (z, theta); the root's u is (z, theta) alone."""
    n = scaled.n
    b = np.linalg.svd(scaled.jacobian(guess))[0][:, -1]

    def system(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, beta, w = e[: n + 1], e[n + 1], e[n + 2 :]
        jacobian = scaled.jacobian(u)
        residual = np.concatenate([scaled.rates(u) + beta * b, w @ jacobian, [w @ w - 1.0]])
        full = np.zeros((2 * n + 2, 2 * n + 2))
        full[:n, : n + 1] = jacobian
        full[:n, n + 1] = b
        for j in range(n):
            unit = np.zeros(n)
            unit[j] = 1.0
            full[n + j, : n + 1] = scaled.contraction(u, w, unit)
        full[2 * n, :n] = full[n : 2 * n, n]
        h = DIFFERENCE * max(1.0, abs(u[n]))
        step = np.zeros(n + 1)
        step[n] = h
        full[2 * n, n] = w @ (scaled.jacobian(u + step)[:, n] - scaled.jacobian(u - step)[:, n]) / (2.0 * h)
        full[n : 2 * n + 1, n + 2 :] = jacobian.T
        full[2 * n + 1, n + 2 :] = 2.0 * w
        return residual, full

    root = newton(system, np.concatenate([guess, [0.0], b]), longest=0.5)
    on_curve = abs(root.u[n + 1]) < 1e-8
    return Root(root.u[: n + 1], root.converged and on_curve, root.step, root.iterations)


def crossing_tangents(scaled: Scaled, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """The unit tangents of the two branches through a simple branch point: the real roots of the
    algebraic bifurcation equation w' D2F[t, t] = 0 in the two-dimensional null space."""
    left, _, right = np.linalg.svd(scaled.jacobian(u))
    w, first, second = left[:, -1], right[-1], right[-2]

    def along(s: np.ndarray, t: np.ndarray) -> float:
        change = scaled.jacobian(u + DIFFERENCE * s) - scaled.jacobian(u - DIFFERENCE * s)
        return float(w @ change @ t) / (2.0 * DIFFERENCE)

    a, b, c = along(first, first), along(first, second), along(second, second)
    discriminant = b * b - a * c
    if discriminant <= 0.0:
        return ()
    root = np.sqrt(discriminant)
    # t = alpha first + beta second with a alpha^2 + 2 b alpha beta + c beta^2 = 0
    big = -(b + np.copysign(root, b))
    pairs = ((big, a), (c, big))
    tangents = [alpha * first + beta * second for alpha, beta in pairs]
    return tuple(t / np.linalg.norm(t) for t in tangents)
