"""Branch points: where two branches of equilibria cross, and isola centres: where a branch is a point.

Both are refined by  f + beta b = 0, w' f_x = 0, w' f_theta = 0, w.w = 1  in (u, beta, w), which is
regular at a simple singular point (Moore 1980, SIAM J. Numer. Anal. 17:567-576).  On a branch beta
has to come out as zero; on a curve of folds the second parameter takes its place.
"""

from __future__ import annotations

import numpy as np

from cascades.continuation.newton import Root, newton
from cascades.continuation.scaled import Scaled

DIFFERENCE = 1e-5  # for directions and Newton's rate only: the result does not depend on it
ON_BRANCH = 1e-8


def refine_branch_point(scaled: Scaled, guess: np.ndarray) -> Root:
    """The branch point of a branch near u = (z, theta)."""
    n = scaled.n
    b = np.linalg.svd(scaled.jacobian(guess))[0][:, -1]

    def system(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, beta, w = e[: n + 1], e[n + 1], e[n + 2 :]
        return _singular_system(scaled, u, w, scaled.rates(u) + beta * b, b)

    root = newton(system, np.concatenate([guess, [0.0], b]), longest=0.5)
    on_branch = abs(root.u[n + 1]) < ON_BRANCH
    return Root(root.u[: n + 1], root.converged and on_branch, root.step, root.iterations)


def refine_extremum(scaled: Scaled, guess: np.ndarray) -> Root:
    """Where a fold curve turns back in its second parameter, near u = (z, theta_1, theta_2): the
    branch point or isola centre of the branches in the first parameter."""
    n = scaled.n
    w = np.linalg.svd(scaled.jacobian(guess)[:, : n + 1])[0][:, -1]

    def system(e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, w = e[: n + 2], e[n + 2 :]
        return _singular_system(scaled, u, w, scaled.rates(u), None)

    root = newton(system, np.concatenate([guess, w]), longest=0.5)
    return Root(root.u[: n + 2], root.converged, root.step, root.iterations)


def _singular_system(
    scaled: Scaled, u: np.ndarray, w: np.ndarray, rates: np.ndarray, unfolding: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """rates, w' f_x, w' f_theta, w.w - 1 and their derivative over (z, theta, beta or theta_2, w)."""
    n, free = scaled.n, u.size
    jacobian = scaled.jacobian(u)
    singular = jacobian[:, : n + 1]
    residual = np.concatenate([rates, w @ singular, [w @ w - 1.0]])
    full = np.zeros((2 * n + 2, 2 * n + 2))
    full[:n, :free] = jacobian
    if unfolding is not None:
        full[:n, n + 1] = unfolding
    for j in range(n):
        unit = np.zeros(n)
        unit[j] = 1.0
        full[n + j, :free] = scaled.contraction(u, w, unit)
    full[2 * n, :n] = full[n : 2 * n, n]
    for k in range(n, free):
        step = np.zeros(free)
        step[k] = DIFFERENCE * max(1.0, abs(u[k]))
        change = scaled.jacobian(u + step)[:, n] - scaled.jacobian(u - step)[:, n]
        full[2 * n, k] = w @ change / (2.0 * step[k])
    full[n : 2 * n + 1, n + 2 :] = singular.T
    full[2 * n + 1, n + 2 :] = 2.0 * w
    return residual, full


def crossing_tangents(scaled: Scaled, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """The unit tangents of the two branches through a simple branch point at u = (z, theta): the real
    roots of the algebraic bifurcation equation w' D2F[t, t] = 0 in the two-dimensional null space.  At
    an isola centre there are none."""
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
