"""A fit problem for pyPESTO: our objective under its optimisers, profiles and samplers.

Schaelte et al. (2023) Bioinformatics 39:btad711.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cascades.fitting.problem import FitProblem


def to_pypesto(problem: FitProblem) -> Any:
    """A `pypesto.Problem`: minus the log-posterior with gradient and the Fisher information as Hessian,
    and residuals with their Jacobian where squares add up.  Parameters are on their own scales."""
    import pypesto

    last = _Last(problem)
    squares = problem.objective.is_least_squares
    objective = pypesto.Objective(
        fun=lambda x: -problem.objective.log_posterior(x),
        grad=lambda x: -last.local_model(x)[1],
        hess=lambda x: last.local_model(x)[2],
        res=(lambda x: last.least_squares(x)[0]) if squares else None,
        sres=(lambda x: last.least_squares(x)[1]) if squares else None,
        x_names=list(problem.names),
    )
    lower, upper = problem.bounds
    return pypesto.Problem(
        objective=objective,
        lb=lower,
        ub=upper,
        x_names=list(problem.names),
        x_scales=[parameter.scale for parameter in problem.estimated],
        x_guesses=problem.nominal[None],
    )


class _Last:
    """Remembers the last point, which optimisers ask about several times."""

    def __init__(self, problem: FitProblem):
        self.problem = problem
        self._memory: dict[str, tuple[bytes, Any]] = {}

    def local_model(self, x: np.ndarray) -> Any:
        return self._once("local model", self.problem.objective.local_model, x)

    def least_squares(self, x: np.ndarray) -> Any:
        return self._once("least squares", self.problem.objective.least_squares, x)

    def _once(self, name: str, function: Any, x: np.ndarray) -> Any:
        key = np.asarray(x, float).tobytes()
        if self._memory.get(name, (b"",))[0] != key:
            self._memory[name] = key, function(np.asarray(x, float))
        return self._memory[name][1]
