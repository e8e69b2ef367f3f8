"""Multistart optimisation: Latin-hypercube starts, one checkpoint per start, resumable after a kill."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import OutputExists, UnknownName
from cascades.fitting.hierarchical import Hierarchy
from cascades.fitting.result import FitResult, StartResult
from cascades.fitting.tables import FitError
from cascades.fitting.trust_region import trust_region

if TYPE_CHECKING:
    from cascades.fitting.problem import FitProblem

Progress = Callable[[float, float], None]  # the fraction done and the best objective so far

METHODS = ("trust region", "least squares", "cma")
SCREENED = 100  # points looked at per start
TOLERANCE = 1e-10  # of cost, step and gradient, relative; below it nothing changes in printed digits


def fit(
    problem: FitProblem,
    *,
    starts: int,
    seed: int,
    method: str = "trust region",
    screened: int = SCREENED,
    guesses: Sequence[np.ndarray] = (),
    folder: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> FitResult:
    """Fit from many starts, each a local search from the best of `screened` points of its own.

    Parameters
    ----------
    screened : Latin-hypercube points inside of the bounds that every start looks at, in shared vector
        lanes, before it searches from the best of them; 1 for a start from a random point
    method : "trust region" (with the Fisher information), "least squares" (scipy, normal noise
        only), or "cma" (no derivatives, for objectives that jump: switches and outcomes)
    guesses : points, each on the parameters' own scales, from which the first starts search instead
    folder : path
        Where every finished start is kept; a second call with the same folder, problem, seed, method
        and screening does only what is missing and gives the same result, also with more starts.
    workers : int
        Processes that share the starts.  The result does not depend on it.
    progress : called after every start with the fraction done and the best objective so far

    Raises
    ------
    UnknownName
        The method does not exist.
    OutputExists
        The folder belongs to another fit.
    FitError
        Least squares were asked for where the likelihood is no sum of squares.
    """
    if method not in METHODS:
        raise UnknownName("optimiser", method, METHODS)
    if method == "least squares" and not problem.objective.is_least_squares:
        raise FitError(
            problem.name, ["least squares needs normal noise, no priors, no features: use trust region"]
        )
    search = Search(method, seed, screened, tuple(tuple(map(float, guess)) for guess in guesses))
    store = _Store(folder, problem, search)
    done = {i: result for i, result in store.finished().items() if i < starts}
    todo = [i for i in range(starts) if i not in done]
    try:
        for result in _reported(_run(problem, todo, search, workers), done, starts, progress):
            done[result.start] = result
            store.keep(result)
    except KeyboardInterrupt:  # what is finished is the result
        if not done:
            raise
    ordered = sorted(done.values(), key=lambda r: (r.objective, r.start))
    return FitResult(problem, tuple(ordered), method, seed)


@dataclass(frozen=True)
class Search:
    """How a start is made and followed."""

    method: str
    seed: int
    screened: int
    guesses: tuple[tuple[float, ...], ...] = ()


def starting_point(problem: FitProblem, start: int, search: Search) -> np.ndarray:
    """A guess, or the best of a start's own Latin-hypercube points, each parameter on its own scale.

    It depends on the seed and the start's number alone.  Infinite bounds are replaced by the nominal
    value and ten of its sizes to either side.
    """
    from scipy.stats import qmc

    if start < len(search.guesses):
        return np.array(search.guesses[start])
    lower, upper = problem.bounds
    width = 10.0 * np.maximum(1.0, np.abs(problem.nominal))
    lower = np.where(np.isfinite(lower), lower, problem.nominal - width)
    upper = np.where(np.isfinite(upper), upper, problem.nominal + width)
    rng = np.random.default_rng([search.seed, start])
    points = lower + qmc.LatinHypercube(lower.size, rng=rng).random(search.screened) * (upper - lower)
    if search.screened == 1:
        return points[0]
    return points[np.argmin(Hierarchy(problem.objective).heights(points))]


# --- one start ----------------------------------------------------------------------------------


def optimise_from(problem: FitProblem, start: int, search: Search) -> StartResult:
    """One start.  Never raises for a model that cannot be integrated."""
    follow = {"trust region": _trust_region, "least squares": _least_squares, "cma": _cma}[search.method]
    hierarchy = Hierarchy(problem.objective)
    problem.objective.forget_failures()
    x0 = starting_point(problem, start, search)
    first = _height(problem, hierarchy.complete(x0[None])[0])
    x, evaluations, status = follow(problem, hierarchy, x0, search.seed + start)
    height = _height(problem, x)
    failures = problem.objective.n_failures, problem.objective.last_failure
    return StartResult(start, first, height, tuple(map(float, x)), evaluations, status, *failures)


def _height(problem: FitProblem, x: np.ndarray) -> float:
    return float(-problem.objective.log_posterior(x))


def _trust_region(
    problem: FitProblem, hierarchy: Hierarchy, x0: np.ndarray, seed: int
) -> tuple[np.ndarray, int, str]:
    """Over the parameters that are not eliminated."""
    free = hierarchy.free
    x = x0.copy()

    def local(z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        x[free] = z
        return hierarchy.local_model(x)[1:]

    lower, upper = problem.bounds
    z, calls, status = trust_region(local, x0[free], lower[free], upper[free])
    x = x0.copy()
    x[free] = z
    return hierarchy.complete(x[None])[0], calls, status


def _least_squares(
    problem: FitProblem, hierarchy: Hierarchy, x0: np.ndarray, seed: int
) -> tuple[np.ndarray, int, str]:
    """scipy's trust-region reflective least squares with our Jacobian; for normal noise only."""
    from scipy.optimize import least_squares

    memory: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def both(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = x.tobytes()
        if key not in memory:
            memory.clear()
            memory[key] = problem.objective.least_squares(x)
        return memory[key]

    found = least_squares(
        lambda x: both(x)[0],
        hierarchy.complete(x0[None])[0],
        jac=lambda x: both(x)[1],
        bounds=_open(problem.bounds),
        ftol=TOLERANCE,
        xtol=TOLERANCE,
        gtol=TOLERANCE,
        max_nfev=50 * max(10, x0.size),
    )
    return found.x, int(found.nfev), "converged" if found.status > 0 else "evaluations used up"


def _cma(problem: FitProblem, hierarchy: Hierarchy, x0: np.ndarray, seed: int) -> tuple[np.ndarray, int, str]:
    """Covariance matrix adaptation (Hansen 2016, arXiv:1604.00772) for objectives that jump."""
    import cma

    lower, upper = problem.bounds
    width = np.where(np.isfinite(upper - lower), upper - lower, 2.0)
    options = {
        "bounds": [list(lower), list(upper)],
        "CMA_stds": list(width),
        "seed": seed + 1,  # 0 means the time of day
        "verbose": -9,
        "tolfun": 1e-9,
        "maxfevals": 1000 * x0.size,
    }
    search = cma.CMAEvolutionStrategy(x0, 0.2, options)
    while not search.stop():
        candidates = search.ask()
        heights = problem.objective.heights(hierarchy.complete(np.array(candidates)))
        search.tell(candidates, list(heights))
    reason = ", ".join(search.stop())
    best = hierarchy.complete(np.asarray(search.result.xbest)[None])[0]
    return best, int(search.result.evaluations), f"stopped by {reason}"


def _open(bounds: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """scipy wants the lower bound strictly below the upper one."""
    lower, upper = bounds
    return lower, np.where(upper > lower, upper, np.nextafter(lower, math.inf))


# --- many starts --------------------------------------------------------------------------------


def _run(problem: FitProblem, todo: list[int], search: Search, workers: int) -> Iterator[StartResult]:
    if workers <= 1 or len(todo) <= 1:
        for i in todo:
            yield optimise_from(problem, i, search)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {pool.submit(optimise_from, problem, i, search) for i in todo}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def _reported(
    results: Iterator[StartResult], done: dict[int, StartResult], starts: int, progress: Progress | None
) -> Iterator[StartResult]:
    """Pass results on and tell how many there are."""
    best = min((r.objective for r in done.values()), default=math.inf)
    for count, result in enumerate(results, start=len(done) + 1):
        best = min(best, result.objective)
        if progress is not None:
            progress(count / starts, best)
        yield result


class _Store:
    """One small file per finished start, written under a temporary name and renamed."""

    def __init__(self, folder: str | Path | None, problem: FitProblem, search: Search):
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        label = {"problem": problem.content_hash, **asdict(search)}
        header = self.folder / "fit.json"
        if header.exists():
            if json.loads(header.read_text()) != json.loads(json.dumps(label)):
                raise OutputExists(self.folder)
        else:
            _write(header, json.dumps(label))

    def finished(self) -> dict[int, StartResult]:
        found: dict[int, StartResult] = {}
        for path in self.folder.glob("start_*.json") if self.folder else ():
            content: dict[str, Any] = json.loads(path.read_text())
            result = StartResult(**content)
            found[result.start] = replace(result, x=tuple(result.x))
        return found

    def keep(self, result: StartResult) -> None:
        if self.folder:
            _write(self.folder / f"start_{result.start:06d}.json", json.dumps(asdict(result)))


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.name)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
