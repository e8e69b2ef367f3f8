"""Newton's method for square systems: equilibria, and the systems that define special points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDOFF = 1e-13


@dataclass(frozen=True)
class Root:
    """`u` solves the system if `converged`; `step` is the length of the last Newton step."""

    u: np.ndarray
    converged: bool
    step: float
    iterations: int


def newton(
    system: Callable[[np.ndarray], tuple[np.ndarray, Any]],
    guess: np.ndarray,
    *,
    most: int = 25,
    longest: float = np.inf,
    tolerance: float = 1e-10,
    solve: Callable[[Any, np.ndarray], np.ndarray] = np.linalg.solve,
) -> Root:
    """Solve `system(u) = (residual, jacobian)` to roundoff.

    Iterates until steps stop shrinking below `tolerance`: the last digits cost one step more.
    A step longer than `longest` is shortened.  `solve` fits the kind of matrix that `system` gives.
    """
    u = guess.copy()
    previous = np.inf
    for iteration in range(1, most + 1):
        with np.errstate(all="ignore"):
            residual, jacobian = system(u)
            try:
                step = solve(jacobian, residual)
            except (np.linalg.LinAlgError, RuntimeError):  # singular, dense or sparse
                return Root(u, False, previous, iteration)
        length = float(np.linalg.norm(step))
        if not np.isfinite(length):
            return Root(u, False, previous, iteration)
        if length > longest:
            step *= longest / length
        if previous < tolerance and length >= 0.25 * previous:
            return Root(u, True, min(length, previous), iteration)
        u = u - step
        if length < ROUNDOFF * (1.0 + float(np.linalg.norm(u))):
            return Root(u, True, length, iteration)
        previous = length
    return Root(u, previous < tolerance, previous, most)
