"""scipy's stiff solvers, piece by piece between stops, with the analytic Jacobian.

LSODA: Petzold (1983) SIAM J. Sci. Stat. Comput. 4:136; BDF: Shampine & Reichelt (1997) SIAM J. Sci.
Comput. 18:1; Radau IIA of order 5: Hairer & Wanner (1996) Solving Ordinary Differential Equations II.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from cascades.solvers.base import (
    NOT_FINITE,
    SOLVER_ERROR,
    STEP_TOO_SMALL,
    TOO_MANY_STEPS,
    Integration,
    Solution,
    Solver,
)
from cascades.solvers.segments import Advance, Stopped, integrate_members

MAX_STEPS = 100_000  # between two stops
SMALLEST_STEP = 1e-15  # relative to the time reached


class _Scipy(Solver):
    """`method` is the name of a class of scipy.integrate."""

    method: str

    def integrate(self, problem: Integration) -> Solution:
        from scipy import integrate

        method = getattr(integrate, self.method)
        return integrate_members(problem, lambda member: _advance(problem, method))


class LSODA(_Scipy):
    method, name = "LSODA", "lsoda"


class BDF(_Scipy):
    method, name = "BDF", "bdf"


class Radau(_Scipy):
    method, name = "Radau", "radau"


def _advance(problem: Integration, method: Any) -> Advance:
    compiled = problem.compiled

    def advance(t: float, end: float, outputs: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        rows: list[np.ndarray] = []
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scipy's reports are turned into a status
            solver = method(
                lambda s, x: compiled.rates(x, p, s),
                t,
                y,
                end,
                rtol=problem.rtol,
                atol=problem.atol,
                jac=lambda s, x: compiled.jacobian(x, p, s),
            )
            for _ in range(MAX_STEPS):
                before = solver.t
                _step(solver, rows)
                dense = solver.dense_output()
                while len(rows) < outputs.size and outputs[len(rows)] <= solver.t:
                    at_step = outputs[len(rows)] == solver.t
                    rows.append(solver.y.copy() if at_step else dense(outputs[len(rows)]))
                if solver.status == "finished":
                    return np.array([*rows, solver.y])
                if solver.t - before <= SMALLEST_STEP * abs(solver.t):
                    raise Stopped(solver.t, STEP_TOO_SMALL, rows)
        raise Stopped(solver.t, TOO_MANY_STEPS, rows)

    return advance


def _step(solver: Any, rows: list[np.ndarray]) -> None:
    """One step; raises Stopped if it fails or leads to a state that is not finite."""
    try:
        solver.step()
    except (ValueError, np.linalg.LinAlgError) as error:
        raise Stopped(solver.t, NOT_FINITE, rows) from error
    if not np.isfinite(solver.y).all():
        raise Stopped(solver.t, NOT_FINITE, rows)
    if solver.status == "failed":
        raise Stopped(solver.t, SOLVER_ERROR, rows)
