"""The same branch for many parameter sets: a compiled loop over members.

Folds are found by the secant method on the tangent (their position then converges twice as fast as
the tangent).  Eigenvalues are not computed; use `continuation` on the members that matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.continuation.compiled import as_problem
from cascades.continuation.ensemble_kernel import trace_member
from cascades.continuation.formulas import Formulas
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import make_axis
from cascades.continuation.search import find_one
from cascades.continuation.settings import ContinuationSettings
from cascades.continuation.symbolic import SymbolicProblem
from cascades.errors import ContinuationError

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

REASONS = {
    0: "the other end of the range was reached",
    1: "the branch is closed",
    2: "no equilibrium was found at the start",
    3: "Newton failed even at the smallest step",
    4: "the largest number of points was computed",
    5: "the branch came back to the end it started from",
}
MOST_FOLDS = 16


@dataclass(frozen=True, eq=False)
class BranchEnsemble:
    """One branch per member.

    folds : float, shape (members, most), the followed parameter at each fold, NaN where there are fewer
    fold_states : shape (members, most, n)
    n_points, status : int, shape (members,); `REASONS[status]` says why a branch ended
    """

    problem: Problem = field(repr=False)
    parameter: str
    folds: np.ndarray
    fold_states: np.ndarray = field(repr=False)
    n_points: np.ndarray = field(repr=False)
    status: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return self.status.size

    @property
    def n_folds(self) -> np.ndarray:
        return np.isfinite(self.folds).sum(axis=1)


def branch_ensemble(
    compiled: CompiledModel | Problem,
    parameter: str,
    bounds: Sequence[float],
    *,
    values: Mapping[str, Any],
    start: np.ndarray | None = None,
    settings: ContinuationSettings | None = None,
    threads: int | None = None,
) -> BranchEnsemble:
    """Branches from the lower end of the range upward, one for each member of `values`.

    Parameters
    ----------
    values : numbers, or arrays of shape (members,)
    start : independent states near each member's equilibrium at the lower end, shape (n,) or
        (members, n); the equilibrium of the first member, if missing

    Raises
    ------
    UnknownName, ContinuationError, NoEquilibrium
    """
    settings = settings or ContinuationSettings()
    problem = as_problem(compiled, {parameter, *values})
    if not isinstance(problem, SymbolicProblem):
        raise ContinuationError("an ensemble needs a problem made of formulas")
    axis = make_axis(problem, parameter, bounds, settings.parameter_scale)
    table = member_values(problem, values)
    table[:, axis.k] = axis.low
    members, n = table.shape[0], len(problem.state_names)
    first = find_one(problem, table[0], None) if start is None else np.asarray(start, float)
    starts = np.ascontiguousarray(np.broadcast_to(first, (members, n)))
    rows, columns = problem.sparsity
    function = _joint(problem, axis.k)
    folds = np.full((members, MOST_FOLDS), np.nan)
    states = np.full((members, MOST_FOLDS, n), np.nan)
    points, status = np.zeros(members, np.int64), np.zeros(members, np.int64)
    steps = np.array(
        [
            settings.first_step,
            settings.largest_step,
            settings.smallest_step,
            settings.tolerance,
            settings.sharpest_turn,
        ]
    )
    span = np.array([axis.to_theta(axis.low), axis.to_theta(axis.high), axis.high - axis.low])

    def run(member: int) -> None:
        status[member], points[member] = trace_member(
            function.address, rows, columns, starts[member], table[member].copy(), axis.k, axis.is_log, span,
            problem.scale, problem.is_positive, steps, settings.most_points, folds[member], states[member],
        )  # fmt: skip

    count = threads or os.cpu_count() or 1
    if count == 1 or members == 1:
        for member in range(members):
            run(member)
    else:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(run, range(members)))
    return BranchEnsemble(problem, parameter, folds, states, points, status)


def member_values(problem: Problem, values: Mapping[str, Any]) -> np.ndarray:
    """Parameter values of all members, shape (members, m).  Raises UnknownName, ContinuationError."""
    columns = {name: np.atleast_1d(np.asarray(value, float)) for name, value in values.items()}
    sizes = {column.size for column in columns.values()} - {1}
    if len(sizes) > 1 or any(column.ndim != 1 for column in columns.values()):
        raise ContinuationError(
            f"the numbers of members differ: {', '.join(f'{k}: {v.shape}' for k, v in columns.items())}"
        )
    members = sizes.pop() if sizes else 1
    columns = {name: np.broadcast_to(column, (members,)) for name, column in columns.items()}
    return np.array([problem.values({k: float(c[i]) for k, c in columns.items()}) for i in range(members)])


def _joint(problem: SymbolicProblem, k: int) -> Formulas:
    """Rates, Jacobian entries and the derivative with respect to parameter k as one function, so that
    they share what they have in common."""
    outputs = [*problem.formulas, *problem.jacobian_formulas, *problem.parameter_formulas(k)]
    return Formulas(outputs, (problem.state_names, problem.parameter_names))
