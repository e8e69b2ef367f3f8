"""Which parameters matter over their whole range: Sobol indices and Morris screening, through SALib.

Sobol (2001) Math Comput Simul 55:271; Saltelli et al. (2010) Comput Phys Commun 181:259; Morris (1991)
Technometrics 33:161.  All points share the simulator's vector lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas

    from cascades.fitting.problem import FitProblem

CHUNK = 512  # points simulated at once
OBJECTIVE = "objective"

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class GlobalSensitivity:
    """Indices of every output with respect to every parameter.

    method : "sobol" or "morris"
    outputs : "objective" (minus the log-likelihood), and each observable's mean over its measurements
    main : first-order indices, or the mean absolute elementary effects, shape (outputs, parameters)
    total : total indices, or the spread of the effects (interactions and curvature), same shape
    main_error, total_error : half the 95 % confidence interval; for Morris that of the mean alone
    n_points, n_dropped : points simulated, and those left out because their block had a failure
    """

    method: str
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    main: np.ndarray
    total: np.ndarray
    main_error: np.ndarray
    total_error: np.ndarray
    n_points: int
    n_dropped: int

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per output and parameter."""
        import pandas

        first, second = ("first order", "total") if self.method == "sobol" else ("mean effect", "spread")
        return pandas.DataFrame(
            [
                {
                    "output": output, "parameter": name, first: self.main[i, k], second: self.total[i, k],
                    f"{first} error": self.main_error[i, k], f"{second} error": self.total_error[i, k],
                }
                for i, output in enumerate(self.outputs)
                for k, name in enumerate(self.names)
            ]
        )  # fmt: skip

    def plot(self, output: str = OBJECTIVE, axes: Any = None) -> Any:
        """Bars per parameter, largest total first."""
        from matplotlib import pyplot

        axes = axes or pyplot.subplots()[1]
        i = self.outputs.index(output)
        order = np.argsort(-self.total[i])
        first, second = ("first order", "total") if self.method == "sobol" else ("mean effect", "spread")
        place = np.arange(order.size)
        axes.bar(place - 0.2, self.main[i, order], 0.4, yerr=self.main_error[i, order], label=first)
        axes.bar(place + 0.2, self.total[i, order], 0.4, yerr=self.total_error[i, order], label=second)
        axes.set_xticks(place, [self.names[k] for k in order], rotation=60, ha="right", fontsize="small")
        axes.set_ylabel(f"{self.method} index of {output}")
        axes.legend(frameon=False)
        return axes


def sobol_indices(
    problem: FitProblem, *, samples: int, seed: int, progress: Progress | None = None
) -> GlobalSensitivity:
    """First-order and total Sobol indices from `samples` (a power of two) times (parameters + 2) points.

    Raises ValueError for bounds that are not finite, or too many failures.
    """
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as sample

    space = _space(problem)
    points = sample.sample(space, samples, calc_second_order=False, seed=seed)
    table, kept = _simulated(problem, points, len(problem.names) + 2, progress)
    found = [analyse.analyze(space, column, calc_second_order=False, seed=seed) for column in table[kept].T]
    main, total, main_error, total_error = (
        np.array([one[key] for one in found]) for key in ("S1", "ST", "S1_conf", "ST_conf")
    )
    return GlobalSensitivity(
        "sobol", problem.names, _outputs(problem), main, total, main_error, total_error,
        len(points), int((~kept).sum()),
    )  # fmt: skip


def morris_screening(
    problem: FitProblem, *, trajectories: int, seed: int, levels: int = 4, progress: Progress | None = None
) -> GlobalSensitivity:
    """Elementary effects from `trajectories` paths of (parameters + 1) points each: far cheaper than Sobol
    indices, and enough to find the parameters that do nothing.

    Raises ValueError for bounds that are not finite, or too many failures.
    """
    from SALib.analyze import morris as analyse
    from SALib.sample import morris as sample

    space = _space(problem)
    points = sample.sample(space, trajectories, num_levels=levels, seed=seed)
    table, kept = _simulated(problem, points, len(problem.names) + 1, progress)
    found = [
        analyse.analyze(space, points[kept], column, num_levels=levels, seed=seed) for column in table[kept].T
    ]
    main, spread, error = (
        np.array([one[key] for one in found], float) for key in ("mu_star", "sigma", "mu_star_conf")
    )
    return GlobalSensitivity(
        "morris", problem.names, _outputs(problem), main, spread, error, np.zeros_like(error),
        len(points), int((~kept).sum()),
    )  # fmt: skip


def _space(problem: FitProblem) -> dict[str, Any]:
    """SALib's description of the parameters, on their own scales."""
    lower, upper = problem.bounds
    endless = [n for n, a, b in zip(problem.names, lower, upper, strict=True) if not np.isfinite(b - a)]
    if endless:
        raise ValueError(f"global sensitivity needs finite bounds; give them to {', '.join(endless)}")
    return {
        "num_vars": len(problem.names),
        "names": list(problem.names),
        "bounds": np.column_stack([lower, upper]).tolist(),
    }


def _outputs(problem: FitProblem) -> tuple[str, ...]:
    return (OBJECTIVE, *(observable.id for observable in problem.observables))


def _simulated(
    problem: FitProblem, points: np.ndarray, block: int, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs, shape (points, outputs), and which points lie in blocks without a failure, shape (points,)."""
    rows = [
        np.array([i for i, m in enumerate(problem.measurements) if m.observable == observable.id], int)
        for observable in problem.observables
    ]
    table = np.full((len(points), 1 + len(rows)), np.nan)
    for first in range(0, len(points), CHUNK):
        part = points[first : first + CHUNK]
        for k, evaluation in enumerate(problem.objective.evaluate_many(part, slopes=False), start=first):
            if not evaluation.n_failed:
                simulated = evaluation.comparison.simulated
                table[k] = [
                    -evaluation.log_likelihood, *(simulated[r].mean() if r.size else 0.0 for r in rows)
                ]  # fmt: skip
        if progress is not None:
            progress(min(1.0, (first + CHUNK) / len(points)))
    whole = np.isfinite(table).all(axis=1).reshape(-1, block).all(axis=1)
    if whole.sum() < 2:
        raise ValueError(
            f"only {int(whole.sum())} of {whole.size} blocks of points could be simulated; narrow the bounds"
        )
    return table, np.repeat(whole, block)
