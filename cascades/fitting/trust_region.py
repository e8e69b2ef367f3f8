"""Interior trust-region reflective search with the Fisher information as Hessian, by fides.

Froehlich & Sorger (2022) PLoS Comput Biol 18:e1010322.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

MARGIN = 1e-6  # distance of the start from its bounds
MOST_ITERATIONS = 500

# A vector to the function that is maximised, its gradient, and minus its curvature.
LocalModel = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]


def trust_region(
    local: LocalModel, start: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, most: int = MOST_ITERATIONS
) -> tuple[np.ndarray, int, str]:
    """The maximum that is found from `start`, the number of evaluations, and how the search ended."""
    import fides

    calls = 0

    def downhill(z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        value, slope, information = local(z)
        return -value, -slope, information

    inside = np.clip(start, lower + MARGIN, upper - MARGIN)
    options = {fides.Options.MAXITER: most, fides.Options.FATOL: 1e-8, fides.Options.FRTOL: 1e-9}
    search = fides.Optimizer(downhill, ub=upper, lb=lower, verbose=logging.ERROR, options=options)
    with np.errstate(all="ignore"):
        try:
            _, z, _, _ = search.minimize(inside)
            status = search.exitflag.name.lower().replace("_", " ")
        except (RuntimeError, np.linalg.LinAlgError, ValueError) as error:
            z, status = search.x, f"stopped: {error}"
    return z, calls, status
