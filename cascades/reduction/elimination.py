"""The algebra of eliminating fast species: totals, pivots, balances and their formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cascades.compiler.algebraic import solution
from cascades.compiler.compiled import CompiledModel
from cascades.compiler.derivatives import gradients
from cascades.errors import RuleError
from cascades.expression import Expr, add, evaluate, free_symbols, mul, substitute, symbol
from cascades.model import Model, RateRule

LARGEST_BLOCK = 6  # balances that are solved together by formulas
SETTLED, ROUNDS = 1e-10, 150  # of the search for the balances
SHRINK = 0.5  # of what is left of the time derivative in each round of it
SAME_ROOT = 1e-6  # relative


@dataclass(frozen=True, eq=False)
class System:
    """The states without those that conserved totals give: y[dependent] = T - spread @ y[independent].

    jacobians : shape (PLACES, independent, independent)
    pinned : states that nothing may eliminate
    is_amount : which states cannot be negative
    """

    compiled: CompiledModel
    dependent: np.ndarray
    independent: np.ndarray
    spread: np.ndarray
    jacobians: np.ndarray
    pinned: frozenset[str]
    is_amount: np.ndarray

    @classmethod
    def of(
        cls, compiled: CompiledModel, model: Model, places: tuple[np.ndarray, np.ndarray], keep: set[str]
    ) -> System:
        full = np.array([compiled.jacobian(y, p) for y, p in zip(*places, strict=True)])
        if not np.isfinite(full).all():
            raise RuleError(compiled.name, "its Jacobian is not finite somewhere on the way; try a protocol")
        moved = _moved(compiled, model)
        amounts = np.abs(places[0]).min(axis=0)
        names = np.array(compiled.state_names)
        order = [int(i) for i in np.argsort(-amounts, kind="stable")]
        outside = [i for i in order if names[i] in moved]
        free = [i for i in order if names[i] not in moved | keep]
        # totals that something outside changes, or that only kept states could give, hold their members
        table, taken = _echelon(_weights(compiled), outside)
        held, table = table[: len(taken)], table[len(taken) :]
        table, dependent = _echelon(table, free)
        held = np.concatenate([held, table[len(dependent) :]])
        lost = {str(names[i]) for i in np.flatnonzero(held.any(axis=0))}
        table = table[: len(dependent)]
        independent = np.setdiff1d(np.arange(names.size), dependent)
        spread = table[:, independent]
        jacobians = full[:, independent][:, :, independent]
        jacobians = jacobians - full[:, independent][:, :, dependent] @ spread
        return cls(
            compiled, np.array(dependent, dtype=int), independent, spread, jacobians,
            frozenset(moved | keep | lost), np.isin(names, [one.id for one in model.species]),
        )  # fmt: skip

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.compiled.state_names[i] for i in self.independent)

    @cached_property
    def own(self) -> np.ndarray:
        """The slowest relaxation seen of each species, all others held."""
        return np.asarray(-np.diagonal(self.jacobians, axis1=1, axis2=2).max(axis=0))

    def quickest(self) -> tuple[str, float] | None:
        free = [(name, float(r)) for name, r in zip(self.names, self.own, strict=True) if r > 0.0]
        free = [one for one in free if one[0] not in self.pinned]
        return max(free, key=lambda one: one[1], default=None)

    def fast(self, least: float) -> tuple[tuple[str, ...], dict[str, float]]:
        """Species whose pivot is at least `least` everywhere, fastest first, with their pivots."""
        left = self.jacobians.copy()
        found: dict[str, float] = {}
        for i in np.argsort(-self.own, kind="stable"):
            pivots = -left[:, i, i]
            if self.own[i] < least or self.names[i] in self.pinned or pivots.min() < least:
                continue
            found[self.names[i]] = float(pivots.min())
            left -= left[:, :, i, None] * left[:, i, None, :] / left[:, i, i, None, None]
        return tuple(found), found

    def rows_of(self, fast: Sequence[str]) -> list[int]:
        """The totals that an eliminated species belongs to."""
        columns = [self.names.index(name) for name in fast]
        return [k for k in range(len(self.dependent)) if self.spread[k, columns].any()]

    def moves(self, fast: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        found = np.zeros((len(self.compiled.state_names), len(fast)))
        columns = [self.names.index(name) for name in fast]
        found[self.independent[columns], np.arange(len(fast))] = 1.0
        found[self.dependent[rows]] = -self.spread[rows][:, columns]
        return found

    def balanced(self, y: np.ndarray, p: np.ndarray, fast: Sequence[str]) -> np.ndarray:
        """The state with the fast species in balance, others and totals as they are: implicit steps of
        their own equations, ever longer, that end as Newton's (Kelley & Keyes 1998, SIAM J. Numer. Anal.
        35:508).

        Raises RuleError if there is no such state, or only one that is unstable or negative.
        """
        begun, y = y, y.copy()
        inside = np.array([self.names.index(name) for name in fast])
        places = self.independent[inside]
        spread = self.spread[:, inside]
        inertia = np.abs(self.own[inside]).max() * np.eye(inside.size)
        for _ in range(ROUNDS):
            jacobian = self.compiled.jacobian(y, p)[places]
            balance = self.compiled.rates(y, p)[places]
            slope = jacobian[:, places] - jacobian[:, self.dependent] @ spread
            try:
                step = np.linalg.solve(inertia - slope, balance)
            except np.linalg.LinAlgError:
                break
            if not np.isfinite(step).all():
                break
            y[places] += step
            y[self.dependent] -= spread @ step
            inertia *= SHRINK
            scale = np.abs(y[places]) + 1e-6 * np.abs(y).max() + 1e-300
            if inertia[0, 0] < np.finfo(float).eps and np.max(np.abs(step) / scale) < SETTLED:
                moved = np.append(places, self.dependent)
                moved = moved[self.is_amount[moved]]
                least = np.minimum(0.0, begun[moved]) - SETTLED * scale.max()
                if np.all(y[moved] >= least) and np.linalg.eigvals(slope).real.max() < 0.0:
                    return y
                break
        raise RuleError(
            self.compiled.name,
            f"the balances of {_some(fast)} have no stable solution near a state that it passes through, "
            "with the slow species as they are there; keep some of them, or take a smaller faster_than",
        )

    def formulas(self, fast: Sequence[str], rows: Sequence[int], balanced: np.ndarray) -> dict[str, Expr]:
        """Fast species by formula, those that have one; totals are symbols of their own."""
        equations = self.compiled.equations
        rates = dict(zip(equations.state_names, equations.rates, strict=True))
        residuals = substitute([rates[name] for name in fast], self.total_formulas(rows))
        at = dict(zip(equations.state_names, balanced.T, strict=True))
        at |= {self.total_name(k): balanced @ self._row(k) for k in rows}
        at |= {n: np.full(len(balanced), v) for n, v in self.compiled.default_values.items()} | {"time": 0.0}
        solved: dict[str, Expr] = {}
        for block in _blocks(fast, residuals):
            if len(block) <= LARGEST_BLOCK:
                found = _solved([fast[i] for i in block], [residuals[i] for i in block])
                if all(_is_root(formula, at, at[name]) for name, formula in found.items()):
                    solved |= found
        return solved

    def total_name(self, row: int) -> str:
        name = f"total_{self.compiled.state_names[self.dependent[row]]}"
        taken = self.compiled.model.by_id if self.compiled.model else {}
        while name in taken:
            name += "_"
        return name

    def total_formulas(self, rows: Sequence[int]) -> dict[str, Expr]:
        """What each species that a total gives is: the total less the other members."""
        found = {}
        for k in rows:
            others = [
                mul(-float(w), symbol(n)) for w, n in zip(self.spread[k], self.names, strict=True) if w != 0.0
            ]
            found[self.compiled.state_names[self.dependent[k]]] = add(symbol(self.total_name(k)), *others)
        return found

    def total_starts(self, rows: Sequence[int]) -> dict[str, Expr]:
        """The totals at time 0, over parameters."""
        initial = self.compiled.equations.initial
        return {
            self.total_name(k): add(*(mul(float(w), initial[i]) for i, w in enumerate(self._row(k)) if w))
            for k in rows
        }

    def _row(self, row: int) -> np.ndarray:
        whole = np.zeros(len(self.compiled.state_names))
        whole[self.dependent[row]] = 1.0
        whole[self.independent] = self.spread[row]
        return whole


def _moved(compiled: CompiledModel, model: Model) -> set[str]:
    """States that spikes, events or delays move, that are algebraic already, or that are no species."""
    equations = compiled.equations
    found = {port.symbol for port in equations.ports}
    found |= {variable for event in equations.events for variable, _ in event.assignments}
    found |= {*equations.delayed, *equations.delayed.values()}
    found |= {n for n, is_it in zip(equations.state_names, equations.is_algebraic, strict=True) if is_it}
    ruled = {rule.variable for rule in model.rules if isinstance(rule, RateRule)}
    return found | (set(equations.state_names) - {one.id for one in model.species} - ruled)


def _weights(compiled: CompiledModel) -> np.ndarray:
    """Of the states in each conserved total, shape (totals, n)."""
    conserved = compiled.equations.conserved
    weights = np.zeros((len(conserved), len(compiled.state_names)))
    for k, total in enumerate(conserved):
        for state, value in zip(
            total.weights, evaluate(total.weights.values(), compiled.default_values), strict=True
        ):
            weights[k, compiled.state_index[state]] = value
    return weights


def _echelon(weights: np.ndarray, order: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """Totals combined so that each of the first ones gives one state, taken in this order."""
    table = weights.copy()
    pivots: list[int] = []
    for column in order:
        row = len(pivots)
        if row == len(table):
            break
        best = row + int(np.argmax(np.abs(table[row:, column])))
        if abs(table[best, column]) < 1e-12:
            continue
        table[[row, best]] = table[[best, row]]
        table[row] /= table[row, column]
        others = np.arange(len(table)) != row
        table[others] -= table[others, column, None] * table[row]
        pivots.append(column)
    return np.where(np.abs(table) < 1e-12, 0.0, table), pivots


def _blocks(names: Sequence[str], residuals: Sequence[Expr]) -> list[list[int]]:
    """Groups of balances that depend on each other."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    row_of = {name: i for i, name in enumerate(names)}
    links = np.zeros((len(names), len(names)), dtype=bool)
    for i, residual in enumerate(residuals):
        links[i, [row_of[name] for name in free_symbols(residual) & row_of.keys()]] = True
    count, labels = connected_components(csr_array(links), directed=True, connection="strong")
    return [np.flatnonzero(labels == k).tolist() for k in range(count)]


def _solved(names: Sequence[str], residuals: Sequence[Expr]) -> dict[str, Expr]:
    """Formulas of species whose balances are linear in all of them, each put into the others; none if
    they are not (a product of two unknowns gives quotients that vanish above and below)."""
    unknown = set(names)
    if any(free_symbols(*row.values()) & unknown for row in gradients(residuals, names)):
        return {}
    waiting = dict(zip(names, residuals, strict=True))
    found: dict[str, Expr] = {}
    for name in names:
        formula = solution(waiting.pop(name), name)
        if formula is None:
            return {}
        swap = {name: formula}
        found = dict(zip(found, substitute(found.values(), swap), strict=True)) | {name: formula}
        waiting = dict(zip(waiting, substitute(waiting.values(), swap), strict=True))
    return found


def _is_root(formula: Expr, at: dict[str, Any], value: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        found = np.broadcast_to(evaluate([formula], at)[0], value.shape)
    return bool(np.all(np.abs(found - value) <= SAME_ROOT * (np.abs(value) + 1e-9 * np.abs(value).max())))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
