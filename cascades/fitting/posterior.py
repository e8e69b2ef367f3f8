"""The posterior of the fitted parameters by an affine-invariant ensemble of walkers, for ArviZ.

Goodman & Weare (2010) Commun Appl Math Comput Sci 5:65; Foreman-Mackey et al. (2013) PASP 125:306.  All
walkers of half an ensemble share the simulator's vector lanes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.fitting.identifiability import identifiability

if TYPE_CHECKING:
    from cascades.fitting.problem import FitProblem

SPREAD = 0.1  # of the walkers at first, in standard errors
WIDEST = 0.05  # and at most this part of the width between the bounds
LONG_ENOUGH = 50.0  # autocorrelation times that a chain should have (emcee's own advice)

Progress = Callable[[float], None]


def sample_posterior(
    problem: FitProblem,
    *,
    draws: int,
    seed: int,
    start: np.ndarray | None = None,
    tune: int | None = None,
    walkers: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Draws from the posterior as `arviz.InferenceData`, parameters in natural units.

    Where a parameter has no prior, it is uniform on its own scale between its bounds.  Walkers are the
    chains; as they are not independent, R-hat is no proof of convergence: the attribute
    `autocorrelation_time` says how many draws count as one, and `is_long_enough` whether the run has
    50 of them.  Ctrl-C ends the run and keeps the draws.

    Parameters
    ----------
    draws, tune : steps of every walker that are kept, and that go before (half of `draws` if None)
    start : the point around which the walkers begin, a fit's best for instance; nominal if None
    walkers : an even number; four per parameter, at least 16, if None
    progress : called with the fraction done
    """
    import emcee

    x0 = problem.nominal if start is None else np.asarray(start, float)
    tune = draws // 2 if tune is None else tune
    walkers = max(16, 4 * x0.size) if walkers is None else walkers
    rng = np.random.default_rng(seed)
    sampler = emcee.EnsembleSampler(
        walkers, x0.size, lambda points: log_densities(problem, points), vectorize=True
    )
    sampler.random_state = np.random.RandomState(seed).get_state()
    steps = sampler.sample(_first(problem, x0, walkers, rng), iterations=tune + draws)
    done = 0
    try:
        for done, _ in enumerate(steps, start=1):
            if progress is not None:
                progress(done / (tune + draws))
    except KeyboardInterrupt:
        pass  # what is drawn is the result
    return _inference(problem, sampler, min(tune, max(done - 1, 0)))


def log_densities(problem: FitProblem, points: np.ndarray) -> np.ndarray:
    """Of the posterior over the parameters' own scales, up to a constant, shape (points,); minus
    infinity outside of the bounds.

    A prior of the natural value becomes one of its logarithm by the factor d value / d logarithm.
    """
    lower, upper = problem.bounds
    inside = ((points >= lower) & (points <= upper)).all(axis=1)
    found = np.full(len(points), -math.inf)
    if not inside.any():
        return found
    change = np.array(
        [
            0.0 if p.prior is None or p.prior.is_scaled or p.scale == "lin" else p.log_slope
            for p in problem.estimated
        ]
    )
    found[inside] = points[inside] @ change - problem.objective.heights(points[inside])
    return np.where(np.isfinite(found), found, -math.inf)


def _first(problem: FitProblem, x0: np.ndarray, walkers: int, rng: np.random.Generator) -> np.ndarray:
    """A small ball in units of the standard errors, inside of the bounds."""
    lower, upper = problem.bounds
    width = np.where(np.isfinite(upper - lower), upper - lower, 2.0)
    errors = np.minimum(SPREAD * identifiability(problem, x0).standard_errors, WIDEST * width)
    points = x0 + errors * rng.normal(size=(walkers, x0.size))
    inner = 1e-6 * width
    return np.clip(points, lower + inner * rng.random(points.shape), upper - inner * rng.random(points.shape))


def _inference(problem: FitProblem, sampler: Any, tuned: int) -> Any:
    import arviz

    chain = np.swapaxes(sampler.get_chain(discard=tuned), 0, 1)  # walkers, draws, parameters
    posterior = {
        p.id: np.vectorize(p.from_scale, otypes=[float])(chain[:, :, i])
        for i, p in enumerate(problem.estimated)
    }
    time = float(np.max(sampler.get_autocorr_time(discard=tuned, quiet=True, tol=0)))
    drawn = chain.shape[1]
    found = arviz.from_dict(
        posterior=posterior,
        sample_stats={"lp": sampler.get_log_prob(discard=tuned).T},
        attrs={
            "problem": problem.name,
            "sampler": "emcee",
            "acceptance": float(np.mean(sampler.acceptance_fraction)),
            "autocorrelation_time": time,
            "is_long_enough": int(drawn > LONG_ENOUGH * time),
        },
    )
    return found
