"""Profile likelihood: how far each parameter can move while the others make up for it.

Raue et al. (2009) Bioinformatics 25:1923.  A parameter with a share in a direction that no measurement
sees at the optimum, or with a flat profile, is structurally not identifiable: where such a profile rises,
a bound makes it rise.  One whose profile does not reach the threshold on a side is practically not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import UnknownName
from cascades.fitting.identifiability import identifiability
from cascades.fitting.trust_region import trust_region

if TYPE_CHECKING:
    import pandas

    from cascades.fitting.problem import FitProblem
    from cascades.fitting.result import FitResult

VERDICTS = ("identifiable", "practically not identifiable", "structurally not identifiable")
UNDECIDED = "undecided: the points ran out before the threshold"
MOST_ITERATIONS = 60  # per point of a profile
FIRST_STEP = 0.02
FLAT = 1e-3  # a profile that rises less than this over its whole range is flat


@dataclass(frozen=True, eq=False)
class Profile:
    """One parameter's profile.

    x : float, shape (points,)
        The parameter on its own scale, sorted.
    objective : float, shape (points,)
        Minus the log-posterior, the other parameters optimised.
    threshold : float
        Half the chi-squared quantile above the best objective.
    interval : (low, high) on the parameter's own scale; infinite where the threshold is not reached.
    verdict : an entry of `VERDICTS`, or `UNDECIDED`
    limited_by : names of parameters that sat on a bound somewhere along the profile
    """

    name: str
    x: np.ndarray
    objective: np.ndarray
    threshold: float
    interval: tuple[float, float]
    verdict: str
    limited_by: tuple[str, ...]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per point."""
        import pandas

        return pandas.DataFrame({self.name: self.x, "objective": self.objective})

    def plot(self, axes: Any = None) -> Any:
        from matplotlib import pyplot

        axes = axes or pyplot.subplots()[1]
        axes.plot(self.x, self.objective - self.objective.min(), ".-")
        axes.axhline(self.threshold - self.objective.min(), color="0.6", linestyle="--")
        axes.set_xlabel(self.name)
        axes.set_ylabel("objective above the best")
        axes.set_title(self.verdict, fontsize="small")
        return axes


def profile(
    result: FitResult, name: str, *, confidence: float = 0.95, points: int = 40, reach: float = 1.2
) -> Profile:
    """The profile of one parameter around a fit's best point.

    Each side is followed until the objective exceeds `reach` times the threshold, a bound is met, or
    `points` are used; steps are chosen so that the objective rises by about a tenth of the threshold.

    Raises UnknownName.
    """
    from scipy.stats import chi2

    problem = result.problem
    if name not in problem.names:
        raise UnknownName("estimated parameter", name, problem.names)
    best = np.array(result.best.x)
    rise = 0.5 * float(chi2.ppf(confidence, 1))
    sides = [
        _follow(problem, best, problem.names.index(name), sign, rise, points, reach) for sign in (-1.0, 1.0)
    ]
    index = problem.names.index(name)
    xs = [*(x[index] for x, _ in reversed(sides[0])), best[index], *(x[index] for x, _ in sides[1])]
    heights = [*(f for _, f in reversed(sides[0])), result.best.objective, *(f for _, f in sides[1])]
    x, objective = np.array(xs), np.array(heights)
    threshold = float(objective.min() + rise)
    low, high = (
        _crossing(x[::-1], objective[::-1], best[index], threshold),
        _crossing(x, objective, best[index], threshold),
    )
    unseen = bool(np.isinf(identifiability(problem, best).standard_errors[index]))
    verdict = VERDICTS[2] if unseen else _verdict(objective, low, high)
    if verdict == VERDICTS[1] and _ran_out(problem, index, x, (low, high)):
        verdict = UNDECIDED
    limited = _at_bounds(problem, [point for side in sides for point, _ in side], index)
    return Profile(name, x, objective, threshold, (low, high), verdict, limited)


def _follow(
    problem: FitProblem, best: np.ndarray, index: int, sign: float, rise: float, points: int, reach: float
) -> list[tuple[np.ndarray, float]]:
    lower, upper = problem.bounds
    limit = (lower if sign < 0 else upper)[index]
    found: list[tuple[np.ndarray, float]] = []
    x, height, step = best.copy(), _height(problem, best), FIRST_STEP * max(1.0, abs(best[index]))
    base = height
    while len(found) < points and x[index] != limit:
        trial = x.copy()
        trial[index] += sign * step
        if sign * (trial[index] - limit) > 0:
            trial[index] = limit
        trial, new = _optimise_others(problem, trial, index)
        if new - height > 0.5 * rise and step > 1e-6:
            step *= 0.4
            continue
        step *= 2.0 if new - height < 0.05 * rise else 1.0
        x, height = trial, new
        found.append((x.copy(), height))
        if height - base > reach * rise:
            break
    return found


def _optimise_others(problem: FitProblem, x: np.ndarray, index: int) -> tuple[np.ndarray, float]:
    free = np.arange(x.size) != index
    lower, upper = (bound[free] for bound in problem.bounds)
    if not free.any():
        return x, _height(problem, x)
    full = x.copy()

    def local(part: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        full[free] = part
        value, slope, information = problem.objective.local_model(full)
        return value, slope[free], information[np.ix_(free, free)]

    found, _, _ = trust_region(local, x[free], lower, upper, most=MOST_ITERATIONS)
    full[free] = found
    return full, _height(problem, full)


def _height(problem: FitProblem, x: np.ndarray) -> float:
    return float(-problem.objective.log_posterior(x))


def _crossing(x: np.ndarray, objective: np.ndarray, centre: float, threshold: float) -> float:
    """Where the profile crosses the threshold, going from the centre towards the end of `x`."""
    outward = np.sign(x[-1] - x[0])
    for i in range(1, x.size):
        beyond = outward * (x[i] - centre) > 0
        if beyond and objective[i] >= threshold > objective[i - 1]:
            part = (threshold - objective[i - 1]) / (objective[i] - objective[i - 1])
            return float(x[i - 1] + part * (x[i] - x[i - 1]))
    return float(outward * np.inf)


def _verdict(objective: np.ndarray, low: float, high: float) -> str:
    if np.isfinite(low) and np.isfinite(high):
        return VERDICTS[0]
    return VERDICTS[2] if np.ptp(objective) < FLAT else VERDICTS[1]


def _ran_out(problem: FitProblem, index: int, x: np.ndarray, interval: tuple[float, float]) -> bool:
    """Whether a side neither crossed the threshold nor reached its bound."""
    lower, upper = problem.bounds
    ends = (x[0] > lower[index], x[-1] < upper[index])
    return any(inside and np.isinf(edge) for inside, edge in zip(ends, interval, strict=True))


def _at_bounds(problem: FitProblem, points: list[np.ndarray], index: int) -> tuple[str, ...]:
    lower, upper = problem.bounds
    width = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
    named = []
    for i, name in enumerate(problem.names):
        near = any(min(p[i] - lower[i], upper[i] - p[i]) < 1e-6 * width[i] for p in points)
        if near and i != index:
            named.append(name)
    return tuple(named)
