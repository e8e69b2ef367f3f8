"""One equilibrium from a guess: Newton, and the flow itself where Newton fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from scipy.linalg.lapack import dgetrf, dgetrs

from cascades.continuation.flow_kernel import flow_to_rest
from cascades.continuation.moieties import hidden_moieties
from cascades.continuation.newton import Root, newton
from cascades.continuation.problem import Problem
from cascades.continuation.sparse import is_large, sparse_jacobian
from cascades.continuation.symbolic import SymbolicProblem
from cascades.errors import NoEquilibrium

NEAR = 0.05  # a Newton root is accepted from a guess only if it is nearer than this, in sizes
SINGULAR = 1e-13
FLOW_STEPS = 3000
_GAMMA = 1.0 + np.sqrt(0.5)


def sizes(problem: Problem, x: np.ndarray) -> np.ndarray:
    return np.maximum(problem.scale, np.abs(x))


def solve(problem: Problem, q: np.ndarray, guess: np.ndarray, longest: float = 1.0) -> Root:
    """Newton in scaled states; `u` of the result is the state x itself."""
    size = sizes(problem, guess)
    large = is_large(problem)

    def system(z: np.ndarray) -> tuple[np.ndarray, Any]:
        x = z * size
        if large:
            scales = scipy.sparse.diags_array(size)
            return problem.rates(x, q) / size, scales.power(-1) @ sparse_jacobian(problem, x, q) @ scales
        return problem.rates(x, q) / size, problem.jacobian(x, q) * (size[None, :] / size[:, None])

    solver = scipy.sparse.linalg.spsolve if large else np.linalg.solve
    root = newton(system, guess / size, longest=longest * np.sqrt(size.size), solve=solver)
    return Root(root.u * size, root.converged, root.step, root.iterations)


def flow(problem: Problem, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The state that the equations lead to after a long time.

    ROS2 (Verwer et al. 1999, SIAM J. Sci. Comput. 20:1456) with loose error control: it stays in the
    basin of attraction it starts in, which Newton does not.
    """
    if isinstance(problem, SymbolicProblem) and not is_large(problem):
        rows, columns = problem.sparsity
        start = np.ascontiguousarray(x, float)
        return np.asarray(
            flow_to_rest(problem.joint.address, rows, columns, start, q, problem.scale, problem.is_positive)
        )
    size = sizes(problem, x)
    rate = np.max(np.abs(problem.rates(x, q)) / size)
    h = 1e-4 / max(rate, 1e-12)
    longest = 1e16 * h
    t = 0.0
    for _ in range(FLOW_STEPS):
        with np.errstate(all="ignore"):
            slope = problem.rates(x, q)
            try:
                solve_stage = _stage(problem, q, x, _GAMMA * h)
            except (np.linalg.LinAlgError, RuntimeError):  # singular, dense or sparse
                return x
            k1 = solve_stage(slope)
            k2 = solve_stage(problem.rates(x + h * k1, q) - 2.0 * k1)
            after = x + h * (1.5 * k1 + 0.5 * k2)
            error = np.linalg.norm((after - x - h * k1) / sizes(problem, x)) / (1e-3 * np.sqrt(x.size))
            dips = (after < -1e-3 * size) & problem.is_positive
        if not np.isfinite(error) or error > 1.0 or dips.any():
            h *= 0.25 if not np.isfinite(error) or dips.any() else max(0.2, 0.9 / np.sqrt(error))
            if h < 1e-14 / max(rate, 1e-12):
                return x
            continue
        t += h
        moved = np.max(np.abs(after - x) / sizes(problem, after))
        x = after
        size = sizes(problem, x)
        if moved < 1e-7 and np.max(np.abs(slope) / size) * max(t, h) < 1e-4:
            return x
        h = min(h * min(4.0, 0.9 / np.sqrt(max(error, 1e-8))), longest)
    return x


def _stage(problem: Problem, q: np.ndarray, x: np.ndarray, gh: float) -> Callable[[np.ndarray], np.ndarray]:
    """The solver of (1 - gamma h J) k = right.  Raises LinAlgError or RuntimeError if it is singular."""
    if is_large(problem):
        lu = scipy.sparse.linalg.splu(
            (scipy.sparse.eye_array(x.size) - gh * sparse_jacobian(problem, x, q)).tocsc()
        )
        return lambda right: np.asarray(lu.solve(right))
    matrix = -gh * problem.jacobian(x, q)
    matrix.flat[:: x.size + 1] += 1.0
    factors, pivots, info = dgetrf(matrix)
    if info != 0 or not np.isfinite(matrix).all():
        raise np.linalg.LinAlgError
    return lambda right: np.asarray(dgetrs(factors, pivots, right)[0])


def find_one(problem: Problem, q: np.ndarray, guess: np.ndarray | None) -> np.ndarray:
    """The equilibrium at the guess; without a guess, the one to which the initial state runs.

    Raises
    ------
    NoEquilibrium
        with the last state.
    """
    start = initial_state(problem, q) if guess is None else guess
    if guess is not None:
        root = solve(problem, q, guess)
        if root.converged and np.linalg.norm((root.u - guess) / sizes(problem, guess)) < NEAR * np.sqrt(
            guess.size
        ):
            return root.u
    x = flow(problem, q, start)
    root = solve(problem, q, x)
    if root.converged and np.all((root.u >= -1e-9 * sizes(problem, x)) | ~problem.is_positive):
        return root.u
    refuse_singular(problem, x, q)
    with np.errstate(all="ignore"):
        residual = float(np.max(np.abs(problem.rates(x, q)) / sizes(problem, x)))
    state = dict(zip(problem.full_names, problem.expand(x, q).tolist(), strict=True))
    raise NoEquilibrium("neither the flow nor Newton came to rest from the start", state, residual)


def initial_state(problem: Problem, q: np.ndarray) -> np.ndarray:
    start = getattr(problem, "start", None)
    return problem.default_state.copy() if start is None else start(q)


def refuse_singular(problem: Problem, x: np.ndarray, q: np.ndarray) -> None:
    """Raise if weighted sums of states never change: the Jacobian is singular everywhere, and the
    equilibria are not isolated.

    Raises
    ------
    NoEquilibrium
        It names the states in the sums.
    """
    size = sizes(problem, x)
    with np.errstate(all="ignore"):
        jacobian = problem.jacobian(x, q) * (size[None, :] / size[:, None])
    if not np.isfinite(jacobian).all():
        return
    s = np.linalg.svd(jacobian, compute_uv=False)
    if s[-1] > SINGULAR * s[0]:
        return
    sums = [
        " ".join(
            f"{w:+.3g} {name}" for w, name in zip(row, problem.state_names, strict=True) if abs(w) > 1e-9
        )
        for row in hidden_moieties(problem, q)
    ]
    if not sums:
        return
    reason = (
        f"the Jacobian is singular everywhere: {' and '.join(sums)} never changes; make it a conserved total"
    )
    state = dict(zip(problem.full_names, problem.expand(x, q).tolist(), strict=True))
    raise NoEquilibrium(reason, state, float(np.max(np.abs(problem.rates(x, q)) / size)))
