"""Orbits as boundary value problems: Gauss collocation with the unknowns inside each interval condensed.

An orbit is a cycle of segments.  Within a segment the equations hold; between segments the state
jumps by a given amount (a spike), or not at all.  On each mesh interval the state is a polynomial of
degree m that fulfils the equations at m Gauss points (de Boor & Swartz 1973; Doedel, Keller &
Kernevez 1991, Int. J. Bifurcation Chaos 1:745-772); it is of order 2 m at the mesh points.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from cascades.continuation.arclength import Curve, Linear
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import Axis
from cascades.errors import ContinuationError

DEGREE = 4
DENSE_UP_TO = 240  # unknowns at mesh points
SWEEPS, CONVERGED = 12, 1e-9
FEWEST, MOST_PER_SEGMENT = 8, 400


@lru_cache
def basis(m: int = DEGREE) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values (m, m+1) and slopes (m, m+1) of the Lagrange polynomials on m+1 even nodes at the Gauss
    points, the Gauss weights (m,), and the difference weights (m+1,) of the m-th derivative."""
    points, weights = np.polynomial.legendre.leggauss(m)
    points, weights = 0.5 * (points + 1.0), 0.5 * weights
    nodes = np.linspace(0.0, 1.0, m + 1)
    inverse = np.linalg.inv(np.vander(nodes, increasing=True))
    powers = np.vander(points, m + 1, increasing=True)
    slopes = np.zeros((m, m + 1))
    slopes[:, 1:] = powers[:, :-1] * np.arange(1, m + 1)
    top = inverse[m] * np.prod(np.arange(1, m + 1))
    return powers @ inverse, slopes @ inverse, weights, top


@lru_cache
def error_constant(m: int = DEGREE) -> float:
    """The error between mesh points in units of h^(m+1) times the (m+1)-th derivative: the largest
    |integral of (s - c_1) ... (s - c_m)| / m! over [0, 1], c the Gauss points."""
    points = 0.5 * (np.polynomial.legendre.leggauss(m)[0] + 1.0)
    integral = np.polyint(np.poly(points))
    return float(np.abs(np.polyval(integral, np.linspace(0.0, 1.0, 1001))).max() / math.factorial(m))


def interpolate(nodes: np.ndarray, where: np.ndarray, m: int = DEGREE) -> np.ndarray:
    """Polynomials (k, m+1, n) through even nodes at one place in [0, 1] each; shape (k, n)."""
    inverse = np.linalg.inv(np.vander(np.linspace(0.0, 1.0, m + 1), increasing=True))
    weights = np.vander(where, m + 1, increasing=True) @ inverse
    values: np.ndarray = np.einsum("km,kmn->kn", weights, nodes)
    return values


class Cycle(abc.ABC):
    """The time table of an orbit as a function of the free numbers w (the last entries of u)."""

    n_free: int
    has_phase: bool
    """Whether the phase is free and has to be fixed by a condition."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Of the number that is followed."""

    @abc.abstractmethod
    def value(self, w: np.ndarray) -> float:
        """The number that is followed."""

    @abc.abstractmethod
    def durations(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the segments, shape (segments,), and their derivatives, (segments, n_free)."""

    @abc.abstractmethod
    def jumps(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Added to the state at the end of each segment, shape (segments, n), and derivatives,
        (segments, n, n_free)."""

    @abc.abstractmethod
    def parameters(self, w: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, int, float], ...]]:
        """The parameters q and (k, place in w, dq_k / dw) of those that depend on w."""

    @abc.abstractmethod
    def in_range(self, w: np.ndarray) -> str:
        """Empty, or why the curve ends."""

    @abc.abstractmethod
    def typical_sizes(self, problem: Problem, nodes: np.ndarray) -> np.ndarray:
        """What counts as large for each state of an orbit with node states (N, m+1, n)."""


@dataclass(frozen=True)
class FreeCycle(Cycle):
    """An orbit of an autonomous system: one segment of unknown period; w = (ln period, theta)."""

    problem: Problem
    q: np.ndarray
    axis: Axis
    n_free = 2
    has_phase = True

    @property
    def name(self) -> str:
        return self.problem.parameter_names[self.axis.k]

    def value(self, w: np.ndarray) -> float:
        return self.axis.to_value(float(w[-1]))

    def durations(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        period = float(np.exp(w[0]))
        return np.array([period]), np.array([[period, 0.0]])

    def jumps(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(self.problem.state_names)
        return np.zeros((1, n)), np.zeros((1, n, 2))

    def parameters(self, w: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, int, float], ...]]:
        q = self.q.copy()
        q[self.axis.k] = self.axis.to_value(w[1])
        return q, ((self.axis.k, 1, self.axis.slope(q[self.axis.k])),)

    def in_range(self, w: np.ndarray) -> str:
        if w[1] < self.axis.to_theta(self.axis.low):
            return f"{self.name} reached the lower end of its range, {self.axis.low:g}"
        if w[1] > self.axis.to_theta(self.axis.high):
            return f"{self.name} reached the upper end of its range, {self.axis.high:g}"
        return ""

    def typical_sizes(self, problem: Problem, nodes: np.ndarray) -> np.ndarray:
        return np.maximum(problem.scale, np.abs(nodes).max(axis=(0, 1)))


@dataclass(frozen=True, eq=False)
class Mesh:
    """Intervals of an orbit: the segment each is in, and its fraction of that segment."""

    segment: np.ndarray
    fraction: np.ndarray

    @property
    def n_intervals(self) -> int:
        return self.segment.size

    @cached_property
    def is_last(self) -> np.ndarray:
        """Whether a jump follows the interval, shape (intervals,)."""
        return np.append(self.segment[1:] != self.segment[:-1], True)

    @cached_property
    def start(self) -> np.ndarray:
        """Where each interval begins within its segment, in fractions of it."""
        begin = np.zeros(self.n_intervals)
        for s in np.unique(self.segment):
            mine = self.segment == s
            begin[mine] = np.concatenate([[0.0], np.cumsum(self.fraction[mine])[:-1]])
        return begin


def even_mesh(counts: list[int]) -> Mesh:
    segment = np.repeat(np.arange(len(counts)), counts)
    return Mesh(segment, 1.0 / np.array(counts, float)[segment])


@dataclass(frozen=True, eq=False)
class Condensed(Linear):
    """The linearised equations with the inner unknowns of every interval expressed by the outer ones:
    inner_i = inner_residual_i - inner_state_i X_i - inner_free_i w."""

    growth: np.ndarray  # (N, n, n): X_i to the end of interval i
    end_free: np.ndarray  # (N, n, f)
    end_residual: np.ndarray  # (N, n)
    inner_state: np.ndarray  # (N, (m-1) n, n)
    inner_free: np.ndarray  # (N, (m-1) n, f)
    inner_residual: np.ndarray  # (N, (m-1) n)
    phase: np.ndarray  # (N m n + f), or empty where the phase is not free
    phase_residual: float

    @cached_property
    def multipliers(self) -> np.ndarray:
        """Floquet multipliers, largest first."""
        return multipliers(self.growth)

    def newton(self, row: np.ndarray, gap: float) -> tuple[np.ndarray, float]:
        return self._solve(row, gap, self.end_residual, self.inner_residual, self.phase_residual)

    def tangent(self, guide: np.ndarray) -> tuple[np.ndarray, float]:
        return self._solve(
            guide, 1.0, np.zeros_like(self.end_residual), np.zeros_like(self.inner_residual), 0.0
        )

    def _solve(
        self, row: np.ndarray, gap: float, end: np.ndarray, inner: np.ndarray, phase: float
    ) -> tuple[np.ndarray, float]:
        count, n, f = self.end_free.shape
        size = count * n
        rows, levels = ([self.phase, row], [phase, gap]) if self.phase.size else ([row], [gap])
        border = np.empty((len(rows), size + f))
        level = np.empty(len(rows))
        for j, full in enumerate(rows):
            parts = full[:-f].reshape(count, -1)
            first, rest = parts[:, :n], parts[:, n:]
            border[j, :size] = (first - np.einsum("ia,iab->ib", rest, self.inner_state)).ravel()
            border[j, size:] = full[-f:] - np.einsum("ia,iab->b", rest, self.inner_free)
            level[j] = levels[j] - np.einsum("ia,ia->", rest, inner)
        # X_{i+1} - growth_i X_i + end_free_i w = end_i
        solution, sign = _cyclic_solve(
            self.growth, self.end_free.reshape(size, f), border, end.ravel(), level
        )
        if sign == 0.0:
            return np.full(row.size, np.nan), 0.0
        ends, w = solution[:size].reshape(count, n), solution[size:]
        inside = inner - np.einsum("iab,ib->ia", self.inner_state, ends) - self.inner_free @ w
        return np.concatenate([np.concatenate([ends, inside], axis=1).ravel(), w]), sign


@dataclass(frozen=True, eq=False)
class OrbitCurve(Curve):
    """u = (states at the nodes in scaled units, w).  Node m of an interval is node 0 of the next one
    without the jump between them."""

    problem: Problem
    cycle: Cycle
    mesh: Mesh
    size: np.ndarray
    reference: np.ndarray
    """States (N, m+1, n) whose phase is kept."""
    resolution: float | None = None
    """The largest error between mesh points, in sizes; without it the number of intervals is kept."""

    @cached_property
    def n(self) -> int:
        return self.size.size

    @cached_property
    def weight(self) -> float:
        """A node's share of the norm."""
        return float(1.0 / np.sqrt(self.n * self.mesh.n_intervals * DEGREE))

    def pack(self, nodes: np.ndarray, w: np.ndarray) -> np.ndarray:
        """u from node states (N, m, n) or (N, m+1, n)."""
        return np.concatenate([(nodes[:, :DEGREE] / self.size * self.weight).ravel(), w])

    def unpack(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Node states (N, m+1, n) and w."""
        count = self.mesh.n_intervals
        w = u[count * DEGREE * self.n :]
        own = u[: count * DEGREE * self.n].reshape(count, DEGREE, self.n) * (self.size / self.weight)
        jumps = self.cycle.jumps(w)[0][self.mesh.segment] * self.mesh.is_last[:, None]
        ends = np.roll(own[:, 0], -1, axis=0) - jumps
        return np.concatenate([own, ends[:, None]], axis=1), w

    def linearise(self, u: np.ndarray) -> Condensed:
        values, slopes, weights, _ = basis()
        nodes, w = self.unpack(u)
        count, m, n, f = self.mesh.n_intervals, DEGREE, self.n, self.cycle.n_free
        q, dependent = self.cycle.parameters(w)
        lengths, by_w = self.cycle.durations(w)
        dt = lengths[self.mesh.segment] * self.mesh.fraction
        dt_w = by_w[self.mesh.segment] * self.mesh.fraction[:, None]
        x = np.einsum("jk,ikn->ijn", values, nodes)
        rates = self.problem.rates(x, q) / self.size
        jacobians = self.problem.jacobian(x, q) * (self.size[None, :] / self.size[:, None])
        scaled_nodes = nodes / self.size
        residual = np.einsum("jk,ikn->ijn", slopes, scaled_nodes) - dt[:, None, None] * rates
        block = -(dt[:, None, None, None] * jacobians)[:, :, :, None, :] * values[None, :, None, :, None]
        block += slopes[None, :, None, :, None] * np.eye(n)[None, None, :, None, :]
        block = block.reshape(count, m * n, (m + 1) * n)
        free = -rates[..., None] * dt_w[:, None, None, :]
        for k, place, slope in dependent:
            by_parameter = self.problem.parameter_derivative(x, q, k) / self.size
            free[..., place] -= dt[:, None, None] * by_parameter * slope
        right = np.concatenate(
            [block[:, :, :n], free.reshape(count, m * n, f), residual.reshape(count, m * n, 1)], axis=2
        )
        solved = np.linalg.solve(block[:, :, n:], right)
        inner, end = solved[:, : (m - 1) * n], solved[:, (m - 1) * n :]
        jumps = (
            self.cycle.jumps(w)[1][self.mesh.segment] * self.mesh.is_last[:, None, None] / self.size[:, None]
        )
        phase, phase_residual = self._phase(scaled_nodes, values, slopes, weights)
        scale = self.weight
        return Condensed(
            growth=-end[:, :, :n],
            end_free=(end[:, :, n : n + f] - jumps) * scale,
            end_residual=end[:, :, -1] * scale,
            inner_state=inner[:, :, :n],
            inner_free=inner[:, :, n : n + f] * scale,
            inner_residual=inner[:, :, -1] * scale,
            phase=phase,
            phase_residual=phase_residual,
        )

    def _phase(
        self, nodes: np.ndarray, values: np.ndarray, slopes: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, float]:
        if not self.cycle.has_phase:
            return np.empty(0), 0.0
        reference = self.reference / self.size
        slope = np.einsum("jk,ikn->ijn", slopes, reference)  # d/dt times dt: the weights cancel h
        gap = np.einsum("jk,ikn->ijn", values, nodes - reference)
        row = np.einsum("j,ijn,jk->ikn", weights, slope, values)
        own = row[:, :DEGREE].copy()
        own[:, 0] += np.roll(row[:, DEGREE], 1, axis=0)
        norm = float(np.linalg.norm(own))
        full = np.concatenate([own.ravel(), np.zeros(self.cycle.n_free)]) / norm
        return full, float(np.einsum("j,ijn,ijn->", weights, slope, gap)) / norm * self.weight

    def in_range(self, u: np.ndarray) -> str:
        return self.cycle.in_range(u[self.mesh.n_intervals * DEGREE * self.n :])


def _cyclic_solve(
    growth: np.ndarray, columns: np.ndarray, border: np.ndarray, right: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, float]:
    """X_{i+1} - growth_i X_i + columns w = right, cyclic, with border rows; sign 0 if singular."""
    count, n, _ = growth.shape
    size, total = count * n, count * n + columns.shape[1]
    if border.shape[0] + size != total:
        raise ContinuationError(f"{size + border.shape[0]} equations for {total} unknowns")
    rhs = np.concatenate([right, level])
    if size <= DENSE_UP_TO:
        matrix = np.zeros((total, total))
        view = matrix[:size, :size].reshape(count, n, count, n)
        i = np.arange(count)
        view[i, :, i, :] -= growth
        view[i, :, (i + 1) % count, :] += np.eye(n)
        matrix[:size, size:] = columns
        matrix[size:] = border
        lu, pivots, info = scipy.linalg.lapack.dgetrf(matrix)
        if info != 0:
            return np.full(total, np.nan), 0.0
        odd = np.count_nonzero(pivots != np.arange(total)) + np.count_nonzero(lu.diagonal() < 0.0)
        return scipy.linalg.lapack.dgetrs(lu, pivots, rhs)[0], -1.0 if odd % 2 else 1.0
    block, a, b = np.meshgrid(np.arange(count), np.arange(n), np.arange(n), indexing="ij")
    rows = np.concatenate([(block * n + a).ravel(), np.arange(size)])
    cols = np.concatenate([(block * n + b).ravel(), (np.arange(size) + n) % size])
    values = np.concatenate([-growth.ravel(), np.ones(size)])
    upper = scipy.sparse.coo_array((values, (rows, cols)), shape=(size, size))
    full = scipy.sparse.block_array([[upper, columns], [border[:, :size], border[:, size:]]], format="csc")
    try:
        return scipy.sparse.linalg.splu(full).solve(rhs), 1.0
    except RuntimeError:
        return np.full(total, np.nan), 0.0


# --- multipliers and meshes ---------------------------------------------------------------------


def multipliers(growth: np.ndarray) -> np.ndarray:
    """Eigenvalues of the product of the growth matrices, largest first.

    Orthogonal iteration through the factors turns them upper triangular, but for blocks of multipliers
    of similar size.  Eigenvalues are those of products of diagonal blocks, so that small ones keep
    their digits: the whole product is never formed.
    """
    n = growth.shape[1]
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0]
    triangular = np.empty_like(growth)
    cuts: list[int] = []
    turn = np.eye(n)
    for _ in range(SWEEPS):
        start = q
        for i, factor in enumerate(growth):
            q, triangular[i] = np.linalg.qr(factor @ q)
        turn = start.T @ q
        cuts = [j for j in range(1, n) if np.abs(turn[j:, :j]).max() < CONVERGED]
        if len(cuts) == n - 1:
            break
    values = []
    for first, last in zip([0, *cuts], [*cuts, n], strict=True):
        own = slice(first, last)
        block = np.eye(last - first)
        size = 0.0
        for factor in triangular[:, own, own]:
            block = factor @ block
            length = max(float(np.abs(block).max()), 1e-300)
            block, size = block / length, size + np.log(length)
        values.append(np.linalg.eigvals(turn[own, own] @ block) * np.exp(size) + 0j)
    found = np.concatenate(values)
    return found[np.argsort(-np.abs(found), kind="stable")]


def adapted(mesh: Mesh, nodes: np.ndarray, size: np.ndarray, resolution: float | None = None) -> Mesh:
    """A mesh that shares out the (m+1)-th derivative evenly within each segment.

    Parameters
    ----------
    nodes, size : states (N, m+1, n) and what counts as large, (n,)
    resolution : the largest error between mesh points, in sizes, which sets the number of intervals; as
        many as before, if missing
    """
    parts = []
    for s in np.unique(mesh.segment):
        mine = np.flatnonzero(mesh.segment == s)
        h = mesh.fraction[mine]
        density = _density(h, nodes[mine] / size) if mine.size >= 3 else np.ones(mine.size)
        edges = np.concatenate([[0.0], np.cumsum(h)])
        mass = np.concatenate([[0.0], np.cumsum(density * h)])
        count = mine.size
        if resolution is not None:
            wanted = mass[-1] * (error_constant() / resolution) ** (1.0 / (DEGREE + 1))
            count = int(np.clip(np.ceil(wanted), FEWEST, MOST_PER_SEGMENT))
        new_edges = np.interp(np.linspace(0.0, mass[-1], count + 1), mass, edges)
        parts.append((np.full(count, s), np.diff(new_edges) / new_edges[-1]))
    segments, fractions = zip(*parts, strict=True)
    return Mesh(np.concatenate(segments), np.concatenate(fractions))


def _density(h: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The root of the (m+1)-th derivative that makes the error of an interval (density h)^(m+1) times a
    constant, shape (intervals,)."""
    highest = np.einsum("k,ikn->in", basis()[3], nodes) / h[:, None] ** DEGREE
    middle = 0.5 * (h[1:] + h[:-1])
    change = np.linalg.norm(np.diff(highest, axis=0), axis=1) / middle
    both = np.concatenate([[change[0]], 0.5 * (change[1:] + change[:-1]), [change[-1]]])
    density: np.ndarray = both ** (1.0 / (DEGREE + 1))
    return density + 0.05 * max(float(h @ density), 1e-12)


def divided(mesh: Mesh) -> Mesh:
    """The mesh with every interval halved."""
    return Mesh(np.repeat(mesh.segment, 2), 0.5 * np.repeat(mesh.fraction, 2))


def moved(mesh: Mesh, onto: Mesh, nodes: np.ndarray) -> np.ndarray:
    """Node states (N, m+1, k) of the same polynomials on another mesh."""
    parts = []
    for s in np.unique(mesh.segment):
        mine, new = mesh.segment == s, onto.segment == s
        h = mesh.fraction[mine]
        edges = np.concatenate([[0.0], np.cumsum(h)])
        places = onto.start[new][:, None] + onto.fraction[new][:, None] * np.linspace(0.0, 1.0, DEGREE + 1)
        flat = places.ravel()
        old = np.clip(np.searchsorted(edges, flat, side="right") - 1, 0, h.size - 1)
        where = (flat - edges[old]) / h[old]
        parts.append(interpolate(nodes[mine][old], where).reshape(*places.shape, -1))
    return np.concatenate(parts)
