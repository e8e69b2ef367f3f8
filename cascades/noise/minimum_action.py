"""The most likely way out of a basin in the limit of many molecules, and its cost.

For a jump process of size V the mean residence time grows like exp(V S), where S is the least action
of a path from the equilibrium to the edge of its basin.  The path is found by the geometric minimum
action method: Heymann & Vanden-Eijnden (2008) Comm. Pure Appl. Math. 61:1052-1117, here with
H(x, p) = sum_j a_j(x) (exp(p . nu_j) - 1), whose action is the exact exponent of the jump process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cascades.errors import NoiseError
from cascades.noise.jumps import JumpProcess

NEWTON = 60


@dataclass(frozen=True, eq=False)
class LeastAction:
    """action : in molecules, so that the residence time grows like exp(action)
    path : counts, shape (points, species); momentum : shape (points, species)
    change : of the action in the last iteration, relative
    """

    action: float
    path: np.ndarray = field(repr=False)
    momentum: np.ndarray = field(repr=False)
    change: float = 0.0
    converged: bool = True


def least_action_path(
    process: JumpProcess,
    start: np.ndarray,
    end: np.ndarray,
    *,
    values: dict[str, float] | None = None,
    points: int = 101,
    iterations: int = 2000,
    tolerance: float = 1e-7,
) -> LeastAction:
    """From an equilibrium to a saddle, both as counts (not whole, from the rate equations).

    Species that conserved totals tie to others must not be part of the process: the changes of the
    reactions have to span the space.

    Raises
    ------
    NoiseError
        The reactions do not span the space of counts.
    """
    nu = process.changes.astype(float)
    if np.linalg.matrix_rank(nu) < nu.shape[1]:
        raise NoiseError("counts are tied by conserved totals: leave out the species that they determine")
    constants = process.constants(process.values(values))

    def propensities(x: np.ndarray) -> np.ndarray:
        return np.maximum(process.formulas(x, constants), 0.0)

    size = np.maximum(np.abs(end - start), 1e-3 * max(float(np.abs(end - start).max()), 1e-300))
    share = np.linspace(0.0, 1.0, points)[:, None]
    path = start + share * (end - start)
    previous = np.inf
    step = 0.1
    change = np.inf
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(iterations):
        momentum, speed = _momenta(propensities, nu, path)
        action = float(np.sum(0.5 * (momentum[1:] + momentum[:-1]) * np.diff(path, axis=0)))
        change = abs(action - previous) / max(abs(action), 1e-300)
        if best is None or action < best[0]:
            best = (action, path, momentum)
        if change < tolerance * step:
            break
        if action > previous * (1.0 + 1e-3):
            step *= 0.5
            path = best[1]
            previous = np.inf
            continue
        previous = action
        path = _redistributed(_relaxed(propensities, nu, path, momentum, speed, step, size), size)
    action, path, momentum = best if best is not None else (np.inf, path, np.zeros_like(path))
    return LeastAction(action, path, momentum, change, change < 1e-4)


def _momenta(propensities, nu, path):  # type: ignore[no-untyped-def]
    """p and lambda with H(x, p) = 0 and dH/dp = lambda x', by Newton along the path."""
    h = 1.0 / (len(path) - 1)
    direction = np.gradient(path, h, axis=0)
    a = propensities(path)
    drift = a @ nu
    p = np.zeros_like(path)
    n = path.shape[1]
    speed = np.zeros(len(path))
    for i in range(1, len(path) - 1):
        tangent = direction[i]
        spread = (nu.T * a[i]) @ nu
        inverse = np.linalg.pinv(spread)
        speed[i] = np.sqrt(max(drift[i] @ inverse @ drift[i], 0.0) / max(tangent @ inverse @ tangent, 1e-300))
        p[i] = inverse @ (speed[i] * tangent - drift[i])
        for _ in range(NEWTON):
            flow = a[i] * np.exp(np.clip(nu @ p[i], -50.0, 50.0))
            gap = np.append(flow @ nu - speed[i] * tangent, np.sum(flow - a[i]))
            matrix = np.zeros((n + 1, n + 1))
            matrix[:n, :n] = (nu.T * flow) @ nu
            matrix[:n, n] = -tangent
            matrix[n, :n] = flow @ nu
            change = np.linalg.lstsq(matrix, gap, rcond=None)[0]
            largest = np.abs(nu @ change[:n]).max()
            change *= min(1.0, 1.0 / max(largest, 1e-300))
            p[i] -= change[:n]
            speed[i] = abs(speed[i] - change[n])
            if largest < 1e-11:
                break
    return p, speed


def _relaxed(propensities, nu, path, momentum, speed, step, size):  # type: ignore[no-untyped-def]
    """One semi-implicit step of the descent of the action."""
    count = len(path)
    h = 1.0 / (count - 1)
    a = propensities(path)
    force = np.zeros_like(path)
    speed_slope = np.gradient(speed, h)
    direction = np.gradient(path, h, axis=0)
    for i in range(1, count - 1):
        growth = np.exp(np.clip(nu @ momentum[i], -50.0, 50.0))
        flow = a[i] * growth
        spread = (nu.T * flow) @ nu
        mixed = np.empty((nu.shape[1], nu.shape[1]))
        slope = np.empty(nu.shape[1])
        for s in range(nu.shape[1]):
            eps = 1e-6 * max(path[i, s], 1e-3 * size[s])
            up, down = path[i].copy(), path[i].copy()
            up[s] += eps
            down[s] -= eps
            derivative = (propensities(up) - propensities(down)) / (2.0 * eps)
            mixed[:, s] = (derivative * growth) @ nu
            slope[s] = derivative @ (growth - 1.0)
        force[i] = speed[i] * mixed @ direction[i] - spread @ slope - speed[i] * speed_slope[i] * direction[i]
    scale = speed[1:-1] ** 2
    reference = max(float(scale.max()), 1e-300)
    tau = step / reference
    lower = -tau * scale / h**2
    diagonal = 1.0 - 2.0 * lower
    right = path[1:-1] - tau * force[1:-1]
    right[0] -= lower[0] * path[0]
    right[-1] -= lower[-1] * path[-1]
    from scipy.linalg import solve_banded

    bands = np.zeros((3, count - 2))
    bands[0, 1:] = lower[:-1]
    bands[1] = diagonal
    bands[2, :-1] = lower[1:]
    inner = solve_banded((1, 1), bands, right)
    return np.concatenate([path[:1], np.maximum(inner, 1e-9), path[-1:]])


def _redistributed(path: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The same curve with evenly spaced points."""
    lengths = np.linalg.norm(np.diff(path / size, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    even = np.linspace(0.0, along[-1], len(path))
    return np.column_stack([np.interp(even, along, path[:, s]) for s in range(path.shape[1])])
