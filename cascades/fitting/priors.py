"""Log-densities of priors and their slopes, in natural units or on a parameter's own scale.

Names and arguments as in PEtab: uniform (low, high), normal (mean, sd), laplace (location, scale),
logNormal and logLaplace (of the logarithm), and for version 2 cauchy, gamma, exponential, rayleigh,
chisquared, log-uniform.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import UnknownName

if TYPE_CHECKING:
    from cascades.fitting.problem import FitParameter, FitProblem

_STEP = 1e-4  # relative, of the differences of a log-density


def log_prior(problem: FitProblem, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The sum of the log-densities at `x`, its slopes, and how much each bends down (not negative)."""
    total, slopes, bends = 0.0, np.zeros(len(x)), np.zeros(len(x))
    for i, parameter in enumerate(problem.estimated):
        if parameter.prior is None:
            continue
        h = _STEP * max(1.0, abs(x[i]))
        below, here, above = (_log_density(parameter, x[i] + k * h) for k in (-1.0, 0.0, 1.0))
        total += here
        slopes[i] = (above - below) / (2.0 * h)
        bend = -(above - 2.0 * here + below) / h**2
        bends[i] = max(bend, 0.0) if np.isfinite(bend) else 0.0
    return total, slopes, bends


def _log_density(parameter: FitParameter, scaled: float) -> float:
    prior = parameter.prior
    if prior is None:
        return 0.0
    value = scaled if prior.is_scaled else parameter.from_scale(scaled)
    distribution, on_log = distribution_of(prior.kind, prior.arguments)
    if not on_log:
        return float(distribution.logpdf(value))
    return float(distribution.logpdf(math.log(value)) - math.log(value)) if value > 0.0 else -math.inf


def distribution_of(kind: str, arguments: tuple[float, ...]) -> tuple[Any, bool]:
    """A frozen scipy distribution, and whether it is that of the logarithm."""
    from scipy import stats

    name = kind.lower().replace("-", "")
    a = arguments
    makers: dict[str, Any] = {
        "uniform": lambda: stats.uniform(a[0], a[1] - a[0]),
        "normal": lambda: stats.norm(a[0], a[1]),
        "laplace": lambda: stats.laplace(a[0], a[1]),
        "lognormal": lambda: stats.norm(a[0], a[1]),
        "loglaplace": lambda: stats.laplace(a[0], a[1]),
        "loguniform": lambda: stats.uniform(math.log(a[0]), math.log(a[1] / a[0])),
        "cauchy": lambda: stats.cauchy(a[0], a[1]),
        "gamma": lambda: stats.gamma(a[0], scale=a[1]),
        "exponential": lambda: stats.expon(scale=a[0]),
        "rayleigh": lambda: stats.rayleigh(scale=a[0]),
        "chisquared": lambda: stats.chi2(a[0]),
    }
    if name not in makers:
        raise UnknownName("prior", kind, makers)
    return makers[name](), name.startswith("log")
