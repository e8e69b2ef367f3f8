"""scipy's stiff solvers, piece by piece between stops, with the analytic Jacobian.

LSODA: Petzold (1983) SIAM J. Sci. Stat. Comput. 4:136; BDF: Shampine & Reichelt (1997) SIAM J. Sci.
Comput. 18:1; Radau IIA of order 5: Hairer & Wanner (1996) Solving Ordinary Differential Equations II.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from cascades.solvers.base import STEP_TOO_SMALL, Integration, Solution, Solver
from cascades.solvers.segments import Stopped, integrate_members


@dataclass(frozen=True)
class _Scipy(Solver):
    method = ""
    name = ""

    def integrate(self, problem: Integration) -> Solution:
        return integrate_members(problem, lambda member: self._advance(problem))

    def _advance(self, problem: Integration):  # type: ignore[no-untyped-def]
        from scipy.integrate import solve_ivp

        compiled = problem.compiled

        def advance(t: float, end: float, outputs: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scipy's report is turned into a status
                result = solve_ivp(
                    lambda s, x: compiled.rates(x, p, s),
                    (t, end),
                    y,
                    method=self.method,
                    t_eval=np.append(outputs, end),
                    jac=lambda s, x: compiled.jacobian(x, p, s),
                    rtol=problem.rtol,
                    atol=problem.atol,
                )
            if not result.success:
                raise Stopped(float(result.t[-1]) if result.t.size else t, STEP_TOO_SMALL)
            return result.y.T

        return advance


class LSODA(_Scipy):
    method, name = "LSODA", "lsoda"


class BDF(_Scipy):
    method, name = "BDF", "bdf"


class Radau(_Scipy):
    method, name = "Radau", "radau"
