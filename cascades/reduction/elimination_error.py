"""What eliminating fast species changes in a run, bounded from the reduced run alone.

The reduced run y(t) misses the full equations only by the rate at which the eliminated species move,
d = dy/dt - f(y), which is known.  The error e of an output c y obeys, exactly, e' = J e - d with the
Jacobian averaged between the two runs, so that

    |c e(T)| <= sum over steps of |c Phi(T, t) d(t) dt| + |c Phi(T, 0) e(0)|

(Cao & Petzold 2004, SIAM J. Sci. Comput. 26:359).  The averaged Jacobian is found by iteration: the
first order of the error is computed, and the Jacobian is taken halfway to the run that it leads to.
The signed sum is the estimate of the error.  Where the iteration does not settle (two runs part at a
separatrix) the bound is infinite.

Phi is advanced by the (1, 2) Pade approximant of the exponential, which damps what is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.derivatives import gradients
from cascades.expression import Expr, evaluate
from cascades.protocols import Protocol
from cascades.simulate import simulate
from cascades.stops import Stops, resolve

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.reduction.quasi_steady import QuasiSteady
    from cascades.solvers import Solver

PER_DECADE = 5  # points after each stimulus, even in the logarithm of the time since
BEFORE = 1e-9  # of the time to the next stimulus: the last of them
SHORTEST = 1e-3  # of the separating time: the first of them
LONG = 40  # points at least, of the whole run
ROUNDS = 16  # of the iteration for the averaged Jacobian
SETTLED = 0.1  # relative change of the errors at which it ends
NOTHING = 1e-12  # of the largest state: what is no state but rounding
SMALL = 1e-3  # of a state: errors that need not settle
ROUNDING = 10.0  # times the tolerance of the reduced run: what its own error may be
ALLOWANCE = 1.25  # for what the last round may still change, and for the steps


@dataclass(frozen=True, eq=False)
class ErrorBound:
    """Of each output at each time, shape (times, outputs): its `values` in the reduced run, the
    `estimate` of full minus reduced, and a `bound` of its size (infinite: the runs part)."""

    outputs: tuple[str, ...]
    times: np.ndarray
    values: np.ndarray
    estimate: np.ndarray
    bound: np.ndarray

    def __str__(self) -> str:
        lines = [f"{'time':>10}{'output':>24}{'value':>13}{'estimate':>12}{'bound':>12}"]
        for k, t in enumerate(self.times):
            for i, name in enumerate(self.outputs):
                lines.append(
                    f"{t:>10.4g}{name:>24}{self.values[k, i]:>13.6g}{self.estimate[k, i]:>12.2g}"
                    f"{self.bound[k, i]:>12.2g}"
                )
        return "\n".join(lines)


def error_bound(
    reduced: QuasiSteady,
    outputs: Sequence[str],
    times: Sequence[float],
    *,
    protocol: Protocol | None,
    solver: str | Solver,
    rtol: float,
) -> ErrorBound:
    """See `QuasiSteady.error_bound`."""
    full = reduced.full
    formulas = [full.formula(name) for name in outputs]
    asked = np.asarray(times, dtype=float)
    stops = resolve(protocol, full.equations)
    grid = _grid(asked, stops.edges, reduced.faster_than)
    run = simulate(reduced.compiled, grid, protocol=protocol, solver=solver, rtol=rtol)
    y = np.stack([np.asarray(run[name])[0] for name in full.state_names], axis=1)
    p = _parameters(full.parameter_array({})[0], stops, grid)
    columns = [full.state_index[name] for name in reduced.eliminated]
    steps = _Steps(full, grid, y, p, np.diff(y[:, columns], axis=0) @ reduced.moves.T)
    first = full.initial_array(p[:1])[0] - y[0]
    error, is_settled = _iterated(steps, first)
    rows = np.searchsorted(grid, asked)
    values = np.array([[full.observable(name, y[r], p[r]) for name in outputs] for r in rows])
    if not is_settled:
        nothing = np.full(values.shape, np.nan)
        return ErrorBound(tuple(outputs), asked, values, nothing, np.full(values.shape, np.inf))
    slopes = _slopes(full, formulas, y[rows] + 0.5 * error[rows], p[rows])
    estimate, size = steps.back(slopes, rows, error, first)
    bound = ALLOWANCE * size + ROUNDING * rtol * np.abs(values).max(axis=0)
    return ErrorBound(tuple(outputs), asked, values, estimate, bound)


def _iterated(steps: _Steps, first: np.ndarray) -> tuple[np.ndarray, bool]:
    """The error along the run, by the Jacobian halfway to where it leads, and whether that settled."""
    error = np.zeros_like(steps.y)
    largest = np.abs(steps.y).max(axis=0)
    least = SMALL * np.maximum(largest, NOTHING * largest.max())
    for _ in range(ROUNDS):
        found = steps.ahead(error, first)
        if not np.isfinite(found).all():
            return found, False
        size = np.abs(found).max(axis=0) + least
        is_settled = bool(np.all(np.abs(found - error).max(axis=0) <= SETTLED * size + 1e-300))
        error = found
        if is_settled:
            return error, True
    return error, False


@dataclass(frozen=True, eq=False)
class _Steps:
    """The steps between the points of `grid`, and what the eliminated species move in each.

    y, p : shapes (points, n), (points, m)
    moved : shape (points - 1, n)
    """

    full: CompiledModel
    grid: np.ndarray
    y: np.ndarray
    p: np.ndarray
    moved: np.ndarray

    def _of(self, k: int, error: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
        """The factors of the denominator, the numerator, and what the step takes from the error."""
        from scipy.linalg import lu_factor

        h = float(self.grid[k + 1] - self.grid[k])
        place = 0.5 * (self.y[k] + self.y[k + 1]) + 0.25 * (error[k] + error[k + 1])
        a = h * self.full.jacobian(place, self.p[k], float(self.grid[k]))
        one = np.eye(len(a))
        below = lu_factor(one - (2.0 / 3.0) * a + (a @ a) / 6.0, check_finite=False)
        return below, one + a / 3.0, self.moved[k] - (a @ self.moved[k]) / 6.0

    def ahead(self, error: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The error at every point, with the Jacobian at half of `error`."""
        from scipy.linalg import lu_solve

        found = np.empty_like(self.y)
        found[0] = first
        for k in range(len(self.moved)):
            below, above, taken = self._of(k, error)
            found[k + 1] = lu_solve(below, above @ found[k] - taken, check_finite=False)
        return found

    def back(
        self, slopes: np.ndarray, rows: np.ndarray, error: np.ndarray, first: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Signed and absolute sums over the steps of what each does to the outputs, whose `slopes` have
        the shape (readings, outputs, n), at the points `rows`."""
        from scipy.linalg import lu_solve

        felt = slopes.copy()
        signed, size = np.zeros(slopes.shape[:2]), np.zeros(slopes.shape[:2])
        for k in range(int(rows.max(initial=0)) - 1, -1, -1):
            below, above, taken = self._of(k, error)
            later = rows > k
            through = lu_solve(below, felt[later].reshape(-1, len(first)).T, trans=1, check_finite=False).T
            piece = -(through @ taken).reshape(felt[later].shape[:2])
            signed[later] += piece
            size[later] += np.abs(piece)
            felt[later] = (through @ above).reshape(felt[later].shape)
        piece = felt @ first
        return signed + piece, size + np.abs(piece)


def _grid(asked: np.ndarray, edges: np.ndarray, pace: float) -> np.ndarray:
    """Points that resolve what follows each stimulus, with one just before it."""
    end = float(asked.max())
    begins = np.concatenate([[0.0], edges[(edges > 0.0) & (edges < end)]])
    ends = np.append(begins[1:], end)
    parts = [asked, np.linspace(0.0, end, LONG)]
    for low, high in zip(begins, ends, strict=True):
        first = min(SHORTEST * pace, 0.1 * (high - low))
        points = round(PER_DECADE * np.log10((high - low) / first)) + 2
        parts.append(low + np.append(0.0, np.geomspace(first, (high - low) * (1.0 - BEFORE), points)))
    grid = np.unique(np.concatenate(parts))
    return grid[np.append(True, np.diff(grid) > 1e-12 * end) | np.isin(grid, asked)]


def _parameters(start: np.ndarray, stops: Stops, grid: np.ndarray) -> np.ndarray:
    """Parameter values from each point on, shape (points, m)."""
    p, found, nothing = start.copy(), [], np.zeros(int(stops.index.max(initial=0)) + 1)
    for low, high in zip(np.append(-1.0, grid[:-1]), grid, strict=True):
        for t in stops.edges[(stops.edges > low) & (stops.edges <= high)]:
            stops.apply(t, nothing.copy(), p, nothing, start)
        found.append(p.copy())
    return np.array(found)


def _slopes(full: CompiledModel, formulas: Sequence[Expr], y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Derivatives of the outputs with respect to the states, shape (readings, outputs, n)."""
    at = dict(zip(full.state_names, y.T, strict=True)) | dict(zip(full.parameter_names, p.T, strict=True))
    found = np.zeros((len(y), len(formulas), len(full.state_names)))
    for i, row in enumerate(gradients(formulas, full.state_names)):
        for name, value in zip(row, evaluate(row.values(), at | {"time": 0.0}), strict=True):
            found[:, i, full.state_index[name]] = value
    return found
