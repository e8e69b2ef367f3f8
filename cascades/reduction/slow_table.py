"""The slow manifold in several slow variables, as a table.

Slow variables rho_1 ... rho_k are states or read-outs h(x) of the model.  At constant calcium the slow
manifold is where the rates have no component along fast modes (the intrinsic low-dimensional manifold;
Maas & Pope 1992, Combust. Flame 88:239): the augmented system

    h(x) = rho,    W(x)' f(x) = 0

with W the left invariant subspace of the fast modes, is solved by Newton's method on a grid of
Chebyshev points, each from the solved point next to it.  The drift of the slow variables there,
dh/dx f, is tabulated as a Chebyshev series; its zeros are the equilibria of the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.derivatives import gradients
from cascades.errors import RuleError
from cascades.expression import evaluate, free_symbols

POINTS = 15  # of the grid along each variable
MOST = 3  # slow variables
ROUNDS, SETTLED = 40, 1e-9  # of Newton's method; relative
SLOW_STEP = 0.3  # of the range of a variable: what one step of Newton's method may move it
SMALL = 1e-6  # of the largest state: the least scale of a state
APART = 1e-3  # sine of the angle between modes, as the slow variables see them
CHECKS, SEED = 24, 0  # places off the grid at which the table is compared


@dataclass(frozen=True, eq=False)
class SlowTable:
    """The drift of the slow variables on their manifold.

    names : the slow variables
    low, high : shape (k,)
        The box of the table.
    coefficients : shape (POINTS, ..., POINTS, k)
        Of the Chebyshev series of the drifts.
    states : shape (POINTS, ..., POINTS, n)
        The manifold on the grid.
    gap : the slowest fast rate over the fastest slow one, the least on the grid; near or below 1 the
        table is one of equilibria and of what is close to them only
    error : shape (k,)
        The largest error of each drift, of the largest drift, at places off the grid.
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    coefficients: np.ndarray
    states: np.ndarray
    gap: float
    error: np.ndarray

    def drift(self, rho: Any) -> np.ndarray:
        """Rates of change of the slow variables [1/s times theirs] at `rho`, shapes (..., k)."""
        from numpy.polynomial import chebyshev

        u = 2.0 * (np.asarray(rho, dtype=float) - self.low) / (self.high - self.low) - 1.0
        found = self.coefficients
        shape = (*u.shape[:-1], POINTS)
        columns = range(len(self.names))
        vander = [chebyshev.chebvander(u[..., i], POINTS - 1).reshape(shape) for i in columns]
        letters = "abc"[: len(self.names)]
        terms = ",".join(f"...{letter}" for letter in letters)
        return np.asarray(np.einsum(f"{terms},{letters}z->...z", *vander, found))

    def course(self, start: Sequence[float], times: Sequence[float]) -> np.ndarray:
        """The slow variables at `times` from `start`, shape (times, k); NaN where they leave the table."""
        from scipy.integrate import solve_ivp

        def leaves(_: float, y: np.ndarray) -> float:
            return float(np.min([y - self.low + 1e-9, self.high - y + 1e-9]))

        leaves.terminal = True  # type: ignore[attr-defined]
        grid = np.asarray(times, dtype=float)
        run = solve_ivp(
            lambda _, y: self.drift(y), (0.0, float(grid[-1])), np.asarray(start, dtype=float), t_eval=grid,
            method="LSODA", rtol=1e-8, atol=1e-10 * (self.high - self.low).min(), events=leaves,
        )  # fmt: skip
        found = np.full((grid.size, len(self.names)), np.nan)
        found[: run.y.shape[1]] = run.y.T
        return found

    def equilibria(self) -> list[np.ndarray]:
        """Zeros of the drift inside the box, from starts on a grid."""
        from scipy.optimize import root

        found: list[np.ndarray] = []
        span = self.high - self.low
        for start in product(np.linspace(0.05, 0.95, 9), repeat=len(self.names)):
            solved = root(self.drift, self.low + span * np.array(start), tol=1e-12)
            inside = np.all((solved.x >= self.low) & (solved.x <= self.high))
            if solved.success and inside and all(np.abs((solved.x - x) / span).max() > 1e-6 for x in found):
                found.append(solved.x)
        return sorted(found, key=lambda x: float(x[0]))


def slow_table(
    compiled: CompiledModel,
    box: Mapping[str, tuple[float, float]],
    start: np.ndarray,
    *,
    values: Mapping[str, float] | None = None,
) -> SlowTable:
    """Tabulate the slow manifold.

    Parameters
    ----------
    box : the slow variables, two or three (one is allowed), and their ranges
    start : shape (n,)
        A state near the manifold, to begin at: an equilibrium, or the end of a run.
    values : parameter values, calcium among them

    Raises
    ------
    UnknownName
        A slow variable that the model does not have.
    RuleError
        No slow variable or more than three, an empty range, read-outs that do not tell the slow modes
        apart, or a place in the box that the manifold does not reach.
    """
    if not 1 <= len(box) <= MOST:
        raise RuleError("slow table", f"{len(box)} slow variables; one to {MOST} can be tabulated")
    for name, (low, high) in box.items():
        compiled.formula(name)
        if not low < high:
            raise RuleError(name, f"its range from {low:g} to {high:g} is empty")
    low, high = np.array(list(box.values()), dtype=float).T
    begin = np.asarray(start, dtype=float)
    p = compiled.parameter_array(values or {})[0]
    manifold = _Manifold.of(compiled, tuple(box), p, high - low, begin)
    nodes = np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)[::-1]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    solved: dict[tuple[int, ...], np.ndarray] = {}
    gap = np.inf
    for place in _outwards((manifold.slow(begin) - middle) / half, nodes):
        near = min(solved, key=lambda other: _distance(place, other), default=None)
        rho = middle + half * nodes[list(place)]
        solved[place], here = manifold.solve(rho, begin if near is None else solved[near])
        gap = min(gap, here)
    places = list(product(range(POINTS), repeat=len(box)))
    shape = (POINTS,) * len(box)
    states = np.array([solved[place] for place in places]).reshape(*shape, -1)
    drifts = np.array([manifold.drift(solved[place]) for place in places])
    series = _series(drifts.reshape(*shape, -1), nodes)
    table = SlowTable(tuple(box), low, high, series, states, gap, np.zeros(len(box)))
    worst = np.zeros(len(box))
    for u in np.random.default_rng(SEED).uniform(-0.95, 0.95, (CHECKS, len(box))):
        nearest = tuple(int(np.argmin(np.abs(nodes - x))) for x in u)
        true = manifold.drift(manifold.solve(middle + half * u, solved[nearest])[0])
        worst = np.maximum(worst, np.abs(table.drift(middle + half * u) - true))
    scale = np.abs(drifts).max(axis=0)
    return dataclasses.replace(table, error=worst / np.where(scale > 0.0, scale, 1.0))


def _outwards(start: np.ndarray, nodes: np.ndarray) -> list[tuple[int, ...]]:
    """All places of the grid, those near `start` (from -1 to 1) first."""
    first = tuple(int(np.argmin(np.abs(nodes - x))) for x in start)
    return sorted(product(range(nodes.size), repeat=len(first)), key=lambda place: _distance(place, first))


def _distance(place: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum(abs(a - b) for a, b in zip(place, other, strict=True))


def _series(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Chebyshev coefficients along all axes but the last."""
    from numpy.polynomial import chebyshev

    inverse = np.linalg.inv(chebyshev.chebvander(nodes, POINTS - 1))
    for axis in range(values.ndim - 1):
        values = np.moveaxis(np.tensordot(inverse, values, axes=(1, axis)), 0, axis)
    return values


@dataclass(frozen=True, eq=False)
class _Manifold:
    """The augmented system of one model at fixed parameter values.

    slopes : shape (k, n), of the slow variables
    free : shape (n, n - totals)
        Directions that keep the conserved totals, scaled as the states are.
    """

    compiled: CompiledModel
    names: tuple[str, ...]
    p: np.ndarray
    span: np.ndarray
    slopes: np.ndarray
    free: np.ndarray

    @classmethod
    def of(
        cls,
        compiled: CompiledModel,
        names: tuple[str, ...],
        p: np.ndarray,
        span: np.ndarray,
        start: np.ndarray,
    ) -> _Manifold:
        from scipy.linalg import null_space

        slopes = np.zeros((len(names), len(compiled.state_names)))
        at = dict(zip(compiled.parameter_names, p.tolist(), strict=True)) | {"time": 0.0}
        rows = gradients([compiled.formula(name) for name in names], compiled.state_names)
        for i, row in enumerate(rows):
            if not row or free_symbols(*row.values()) & compiled.state_index.keys():
                raise RuleError(names[i], "it is not linear in states; tabulate its states instead")
            for name, value in zip(row, evaluate(row.values(), at), strict=True):
                slopes[i, compiled.state_index[name]] = value
        totals = np.zeros((len(compiled.equations.conserved), len(compiled.state_names)))
        for k, total in enumerate(compiled.equations.conserved):
            for state, value in zip(total.weights, evaluate(total.weights.values(), at), strict=True):
                totals[k, compiled.state_index[state]] = value
        scale = np.abs(start) + SMALL * np.abs(start).max()
        kept = null_space(totals * scale) if len(totals) else np.eye(scale.size)
        return cls(compiled, names, p, span, slopes, scale[:, None] * kept)

    def slow(self, x: np.ndarray) -> np.ndarray:
        return np.array([float(self.compiled.observable(name, x, self.p)) for name in self.names])

    def drift(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.slopes @ self.compiled.rates(x, self.p))

    def solve(self, rho: np.ndarray, begin: np.ndarray) -> tuple[np.ndarray, float]:
        """The state of the manifold at `rho`, and the gap of the spectrum there.  Raises RuleError."""
        x = np.array(begin, dtype=float)
        back = np.linalg.pinv(self.free)
        felt = self.slopes @ self.free / self.span[:, None]
        for _ in range(ROUNDS):
            jacobian = back @ self.compiled.jacobian(x, self.p) @ self.free
            fast, gap = self._fast(jacobian, felt)
            away = (rho - self.slow(x)) / self.span
            share = min(1.0, SLOW_STEP / max(float(np.abs(away).max()), 1e-300))
            rates = back @ self.compiled.rates(x, self.p)
            matrix = np.concatenate([felt, fast @ jacobian])
            right = np.concatenate([share * away, -(fast @ rates)])
            size = np.abs(matrix).max(axis=1)
            step = np.linalg.lstsq(matrix / size[:, None], right / size, rcond=None)[0]
            if not np.isfinite(step).all():
                break
            x += self.free @ step
            if np.max(np.abs(step)) < SETTLED:
                return x, gap
        where = ", ".join(f"{n} = {v:.4g}" for n, v in zip(self.names, rho, strict=True))
        raise RuleError("slow table", f"no slow manifold at {where}; take a smaller box or other variables")

    def _fast(self, jacobian: np.ndarray, felt: np.ndarray) -> tuple[np.ndarray, float]:
        """Rows that span the left invariant subspace of the fast modes, and the spectral gap.

        The slow modes are the slowest ones that the slow variables tell apart.
        """
        from scipy.linalg import null_space

        values, vectors = np.linalg.eig(jacobian)
        k = len(self.names)
        chosen: list[int] = []
        seen = np.zeros((k, 0))
        for i in np.argsort(-values.real, kind="stable"):
            if values[i].imag < 0.0:
                continue  # with its conjugate
            parts = (
                [vectors[:, i].real] if values[i].imag == 0.0 else [vectors[:, i].real, vectors[:, i].imag]
            )
            more = np.column_stack([seen, *((felt @ part)[:, None] for part in parts)])
            if more.shape[1] > k or np.linalg.svd(_unit(more), compute_uv=False)[-1] < APART:
                continue
            chosen.append(int(i))
            seen = more
            if seen.shape[1] == k:
                break
        if seen.shape[1] < k:
            raise RuleError("slow table", f"{', '.join(self.names)} do not tell {k} modes of the model apart")
        slow = np.column_stack([vectors[:, chosen].real, vectors[:, chosen].imag])
        slow = slow[:, np.abs(slow).max(axis=0) > 0.0]
        taken = {*chosen, *(int(np.argmin(np.abs(values - values[i].conj()))) for i in chosen)}
        others = [i for i in range(values.size) if i not in taken]
        if not others:
            raise RuleError("slow table", "all modes of the model are slow variables already")
        fastest = max(float(np.abs(values[i].real)) for i in chosen)
        gap = float(np.min(-values[others].real)) / max(fastest, 1e-300)
        return null_space(slow.T).T, gap


def _unit(columns: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(columns, axis=0)
    return np.asarray(columns / np.where(size > 0.0, size, 1.0))
