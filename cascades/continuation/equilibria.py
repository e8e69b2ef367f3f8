"""All equilibria that can be found at given parameter values.

No single method finds them all.  Deflation alone misses the UP state of the CaMKII switch; long
integrations miss saddles; branches miss isolas.  Together: the flow from corners of the state space
finds what is stable, deflated Newton from there what is near, and following each found equilibrium
in a few parameters until it comes back to their values what is connected to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.arclength import correct, first_tangent, follow, point_at
from cascades.continuation.branch import positivity
from cascades.continuation.compiled import ModelProblem, as_problem
from cascades.continuation.events import EquilibriumCurve
from cascades.continuation.newton import newton
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis, scaled
from cascades.continuation.search import find_one, flow, sizes, solve
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import NoEquilibrium
from cascades.steady import SteadyState

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

SAME = 1e-6  # scaled distance below which two roots are one
CORNERS, RANDOM_STARTS = 12, 12
FOLLOWED = 2  # parameters in which found equilibria are followed
REACH = 30.0  # by this factor, both ways
MOST_ROOTS = 50
FITS, FITTED = 100, 1e-12  # passes of proportional fitting at most, and the gap at which it ends
_SETTINGS = ContinuationSettings(largest_step=0.4, most_points=400)


def equilibria(
    compiled: CompiledModel | Problem, *, values: Mapping[str, float] | None = None, seed: int = 0
) -> list[SteadyState]:
    """The equilibria found at the given parameter values, stable and unstable.

    Equilibria with a negative concentration are left out.  They are ordered by the output of the
    model in which they differ most, from small to large.

    Parameters
    ----------
    values : parameter values and conserved totals that differ from the model's own
    seed : of the random starts

    Raises
    ------
    UnknownName
    NoEquilibrium
        None was found.
    """
    problem = as_problem(compiled, values or ())
    q = problem.values(values)
    return [steady_state_at(problem, x, q) for x in all_roots(problem, q, seed)]


def all_roots(
    problem: Problem, q: np.ndarray, seed: int = 0, *, follow_branches: bool = True
) -> list[np.ndarray]:
    """The states of all equilibria found, each of shape (n,), in order.

    Without `follow_branches` the branches through them are not followed.
    """
    rng = np.random.default_rng(seed)
    roots: list[np.ndarray] = []
    failure: NoEquilibrium | None = None
    try:
        _add(problem, q, roots, find_one(problem, q, None))
    except NoEquilibrium as error:
        failure = error
    for corner in corners(problem, q):
        root = solve(problem, q, flow(problem, q, corner))
        if root.converged:
            _add(problem, q, roots, root.u)
    starts = [*roots, *random_states(problem, q, rng, RANDOM_STARTS)]
    for start in starts:
        for root_state in _deflated(problem, q, start, roots):
            _add(problem, q, roots, root_state)
    done = 0
    while follow_branches and done < len(roots) < MOST_ROOTS:
        for root_state in _connected(problem, q, roots[done]):
            _add(problem, q, roots, root_state)
        done += 1
    if not roots:
        raise failure or NoEquilibrium("no start led to one", {}, np.inf)
    return _ordered(problem, q, roots)


def steady_state_at(problem: Problem, x: np.ndarray, q: np.ndarray) -> SteadyState:
    """The record of an equilibrium."""
    size = sizes(problem, x)
    values = np.linalg.eigvals(problem.jacobian(x, q) * (size[None, :] / size[:, None]))
    full = dict(zip(problem.full_names, problem.expand(x, q).tolist(), strict=True))
    known = dict(zip(problem.parameter_names, q.tolist(), strict=True))
    totals = problem.totals(q) if isinstance(problem, ModelProblem) else {}
    names = getattr(problem, "observables", {})
    return SteadyState(
        state=full,
        values={name: value for name, value in known.items() if name not in totals},
        totals=totals,
        eigenvalues=values[np.argsort(-values.real, kind="stable")],
        residual=float(np.max(np.abs(problem.rates(x, q)) / size)),
        observables={name: float(problem.observe(name, x, q)) for name in names},
    )


def _add(problem: Problem, q: np.ndarray, roots: list[np.ndarray], x: np.ndarray) -> bool:
    if not np.isfinite(x).all() or not positivity(problem, x, q):
        return False
    if any(_distance(problem, x, root) < SAME for root in roots):
        return False
    roots.append(x)
    return True


def _distance(problem: Problem, a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b) / np.maximum(sizes(problem, a), np.abs(b))))


def _ordered(problem: Problem, q: np.ndarray, roots: list[np.ndarray]) -> list[np.ndarray]:
    """From small to large by the output, or without outputs the state, that differs most."""
    table = np.array(roots)
    names = problem.outputs if isinstance(problem, ModelProblem) else ()
    if names:
        columns = np.array([problem.observe(name, table, q) for name in names])
        spread = np.ptp(columns, axis=1) / np.maximum(np.abs(columns).max(axis=1), 1e-300)
    else:
        columns = table.T
        spread = np.ptp(columns, axis=1) / problem.scale
    return [roots[i] for i in np.argsort(columns[int(np.argmax(spread))], kind="stable")]


# --- starts -------------------------------------------------------------------------------------


def corners(problem: Problem, q: np.ndarray) -> Iterator[np.ndarray]:
    """States with nearly everything in one place, at most `CORNERS` of them, evenly chosen."""
    full = len(problem.full_names)
    chosen = np.unique(np.linspace(0, full - 1, min(full, CORNERS)).astype(int))
    for j in chosen:
        y = np.full(full, 1e-4)
        y[j] = 1e4
        yield _on_simplex(problem, q, y)
    if problem.is_positive.any():
        for decade in (1.0, 10.0, 100.0):
            yield _on_simplex(problem, q, np.full(full, decade))


def random_states(
    problem: Problem, q: np.ndarray, rng: np.random.Generator, count: int
) -> Iterator[np.ndarray]:
    """States whose parts differ by orders of magnitude."""
    for _ in range(count):
        yield _on_simplex(problem, q, 10.0 ** rng.uniform(-3.0, 1.5, len(problem.full_names)), rng)


def _on_simplex(
    problem: Problem, q: np.ndarray, share: np.ndarray, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Independent states from relative shares of all states, with the conserved totals fulfilled by
    iterative proportional fitting."""
    own = [problem.full_names.index(name) for name in problem.state_names]
    size = np.full(share.size, np.median(problem.scale))
    size[own] = problem.scale
    y = share * size
    if isinstance(problem, ModelProblem) and problem.equations.conserved:
        weights, totals = problem.total_weights(q)
        for _ in range(FITS):
            for row, total in zip(weights, totals, strict=True):
                now = row @ y
                if now > 0.0:
                    y[row > 0.0] *= total / now
            if np.allclose(weights @ y, totals, rtol=FITTED, atol=0.0):
                break
    x = y[own]
    if rng is not None:
        signs = np.where(problem.is_positive, 1.0, rng.choice([-1.0, 1.0], x.size))
        x = x * signs
    return x


# --- neighbours ---------------------------------------------------------------------------------


def _deflated(
    problem: Problem, q: np.ndarray, start: np.ndarray, known: list[np.ndarray]
) -> Iterator[np.ndarray]:
    """Roots by Newton on a residual that is blown up at known roots.

    Farrell, Birkisson & Funke (2015) SIAM J. Sci. Comput. 37:A2026-A2045: the deflated Newton step is
    the plain one times a number, by the Sherman-Morrison formula.
    """
    size = sizes(problem, start)
    roots = [root / size for root in known]
    z = start / size * (1.0 + 1e-3) + 1e-4
    for _ in range(40):
        with np.errstate(all="ignore"):
            x = z * size
            try:
                ratio = size[None, :] / size[:, None]
                step = -np.linalg.solve(problem.jacobian(x, q) * ratio, problem.rates(x, q) / size)
            except np.linalg.LinAlgError:
                return
            slope = 0.0
            for root in roots:
                gap = z - root
                square = gap @ gap + 1e-300
                slope += -2.0 * (gap @ step) / square / (1.0 + square)
            move = step / (1.0 - slope) if roots else step
            length = float(np.linalg.norm(move))
        if not np.isfinite(length):
            return
        z = z + move * min(1.0, np.sqrt(size.size) / max(length, 1e-300))
        if length < 1e-3 and float(np.linalg.norm(step)) < 1e-3:
            root = solve(problem, q, z * size)
            if root.converged:
                yield root.u
            return


def _connected(problem: Problem, q: np.ndarray, x: np.ndarray) -> Iterator[np.ndarray]:
    """Other equilibria at q on the branches through x in a few parameters."""
    for k in _leading_parameters(problem, q, x):
        axis = Axis(k, q[k] / REACH, q[k] * REACH, True)
        coordinates = scaled(problem, q, [axis], x)
        curve = EquilibriumCurve(coordinates)
        u = coordinates.pack(x, q)
        level = u[-1]
        row = np.zeros(u.size)
        row[-1] = 1.0
        tangent = first_tangent(curve.linearise(u), u.size)
        for direction in (1.0, -1.0):
            closed = False
            for step in follow(curve, point_at(curve, u, tangent * direction), _SETTINGS):
                closed = step.closed
                low, high = step.before.u[-1] - level, step.after.u[-1] - level
                if low * high < 0.0:
                    guess = step.before.u + (step.after.u - step.before.u) * (low / (low - high))
                    found = correct(curve, guess, row, 1e-10, level=level)
                    if found is not None:
                        yield polished(problem, q, coordinates.unpack(found[0])[0])
            if closed:
                break


def _leading_parameters(problem: Problem, q: np.ndarray, x: np.ndarray) -> list[int]:
    """The inputs of a model, then the parameters that move the slowest direction most."""
    size = sizes(problem, x)
    jacobian = problem.jacobian(x, q) * (size[None, :] / size[:, None])
    left = np.linalg.svd(jacobian)[0][:, -1]
    inputs = [
        problem.index(name) for name in getattr(problem, "inputs", ()) if name in problem.parameter_names
    ]
    leverage = {
        k: abs(left @ (problem.parameter_derivative(x, q, k) / size)) * q[k]
        for k in range(len(q))
        if q[k] > 0.0 and k not in inputs
    }
    usable = [k for k in inputs if q[k] > 0.0]
    ranked = sorted(leverage, key=lambda k: -leverage[k])
    return [*usable, *(k for k in ranked if leverage[k] > 0.0)][: max(FOLLOWED, len(usable))]


def polished(problem: Problem, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """x after a few more Newton steps, or x itself if they fail."""
    size = sizes(problem, x)
    ratio = size[None, :] / size[:, None]
    root = newton(
        lambda z: (problem.rates(z * size, q) / size, problem.jacobian(z * size, q) * ratio), x / size
    )
    return root.u * size if root.converged else x
