"""What a fit gives: every start, the best parameters, and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

    from cascades.fitting.problem import FitProblem


@dataclass(frozen=True)
class StartResult:
    """One start.  `objective` is minus the log-posterior at `x`; `status` says how the search ended.

    n_failures : simulations that failed on the way, each a penalty
    a_failure : the last of them: experiment, time, reason and parameters
    """

    start: int
    first_objective: float
    objective: float
    x: tuple[float, ...]
    evaluations: int
    status: str
    n_failures: int = 0
    a_failure: str = ""


@dataclass(frozen=True, eq=False)
class FitResult:
    """All starts, best first."""

    problem: FitProblem
    starts: tuple[StartResult, ...]
    method: str
    seed: int

    @property
    def best(self) -> StartResult:
        return self.starts[0]

    @property
    def values(self) -> dict[str, float]:
        """The best parameters in natural units, by name; those that were not estimated included."""
        return self.problem.values(np.array(self.best.x))

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per start: objective, status, and the parameters in natural units."""
        import pandas

        rows: list[dict[str, Any]] = []
        for result in self.starts:
            values = self.problem.values(np.array(result.x))
            estimated = {name: values[name] for name in self.problem.names}
            rows.append(
                {
                    "start": result.start,
                    "objective": result.objective,
                    "first objective": result.first_objective,
                    "evaluations": result.evaluations,
                    "status": result.status,
                    "failed simulations": result.n_failures,
                    "a failure": result.a_failure,
                    **estimated,
                }
            )
        return pandas.DataFrame(rows)

    def plot_waterfall(self, axes: Any = None) -> Any:
        """Objectives above the best one, sorted: plateaus are optima that were found repeatedly."""
        from matplotlib import pyplot

        axes = axes or pyplot.subplots()[1]
        above = np.array([result.objective for result in self.starts]) - self.best.objective
        axes.semilogy(np.arange(1, above.size + 1), above + 1e-6, "o-", markersize=4)
        axes.set_xlabel("start, sorted")
        axes.set_ylabel("objective above the best (+ 1e-6)")
        return axes
