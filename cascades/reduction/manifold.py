"""A few equations instead of many: the slow manifold on which random trains keep the block.

Under random trains the states of the block follow the weight closely: they stay near a curve, fitted to
snapshots of the full model.  What leaves the curve is described by coordinates that are balanced:
those that trains excite most and that the weight later feels most (Moore 1981, IEEE Trans. Automat.
Contr. 26:17, with Gramians from snapshots; Willcox & Peraire 2002, AIAA J. 40:2323).  The rates of the
block are affine in its states, so that on the manifold they are tables over the weight alone, times
the factors that calcium and the kept states set.  No number is fitted to an efficacy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.expression import Expr, evaluate
from cascades.reduction.block import Block
from cascades.reduction.sensors import Sensors
from cascades.reduction.states import RestingStates

ROWS, LEVELS = 240, 256  # of the tables over the efficacy, and over calcium
DEGREE = 6  # of the curve, a polynomial of the efficacy
BINS = 40  # of the efficacy, in which snapshots count the same
RESTING = 100.0  # bins that each resting state counts for
BEYOND = 0.03  # how far the tables reach beyond the snapshots
LEAST = 1e-3  # calcium above rest, of the largest, that the tables resolve


@dataclass(frozen=True, eq=False)
class SlowManifold:
    """y = (rho, z, r): (rho, z)' = sum_m factor_m (push_m(rho) + pull_m(rho) z),  r' = kept_rates.

    kept : names of the kept states r
    corrections : how many coordinates z
    rho : shape (ROWS,), even in its square root
    push, pull : shapes (factors, ROWS, 1 + corrections), (factors, ROWS, 1 + corrections, corrections)
    factors, kept_rates : formulas over sensor symbols, kept states, and the efficacy
    excess : shape (LEVELS,)
        Calcium above rest, even in the logarithm; the last sensor value is at rest itself.
    sensor_values : shape (sensors, LEVELS + 1)
    start : shape (2, 1 + corrections + kept)
        DOWN and UP.
    neglected : the share of the Hankel singular values that no coordinate carries
    """

    kept: tuple[str, ...]
    corrections: int
    rho: np.ndarray
    push: np.ndarray
    pull: np.ndarray
    factors: tuple[Expr, ...]
    kept_rates: tuple[Expr, ...]
    sensors: Sensors
    excess: np.ndarray
    sensor_values: np.ndarray
    start: np.ndarray
    neglected: float

    @property
    def size(self) -> int:
        """Number of equations."""
        return 1 + self.corrections + len(self.kept)


@dataclass(frozen=True, eq=False)
class Curve:
    """The states of the block at each efficacy: coefficients of rho^0, rho^1, ..., shape (DEGREE + 1, n)."""

    coefficients: np.ndarray
    lowest: float
    highest: float

    def at(self, rho: np.ndarray) -> np.ndarray:
        return np.asarray(_powers(rho) @ self.coefficients)

    def slope(self, rho: np.ndarray) -> np.ndarray:
        order = np.arange(1, DEGREE + 1)
        return np.asarray((_powers(rho)[:, :-1] * order) @ self.coefficients[1:])


def curve_through(x: np.ndarray, rho: np.ndarray, resting: np.ndarray) -> Curve:
    """The polynomial that snapshots x, shape (snapshots, n), follow best, through the resting states."""
    bins = np.clip((rho / max(rho.max(), 1e-9) * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    weight = np.sqrt(np.append(1.0 / counts[bins], [RESTING, RESTING]))
    places, points = np.append(rho, [0.0, 1.0]), np.concatenate([x, resting])
    found = np.linalg.lstsq(_powers(places) * weight[:, None], points * weight[:, None], rcond=None)[0]
    return Curve(found, float(min(rho.min(), 0.0)) - BEYOND, float(rho.max()) + BEYOND)


def balanced(residual: np.ndarray, gramian: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Directions V and functionals W, shapes (n, count), W' V = 1, that trains excite and the weight
    feels most, and the share of the Hankel singular values beyond them."""
    _, sizes, directions = np.linalg.svd(residual, full_matrices=False)
    some = sizes > 1e-6 * sizes[0]
    excited = directions[some].T * sizes[some] / np.sqrt(len(residual))
    values, vectors = np.linalg.eigh(gramian)
    some = values > 1e-13 * values[-1]
    felt = vectors[:, some] * np.sqrt(values[some])
    left, hankel, right = np.linalg.svd(felt.T @ excited)
    if hankel.size < count:
        raise RuleError("slow manifold", f"the block has no {count} directions beside the weight")
    root = np.sqrt(hankel[:count])
    neglected = float(hankel[count:].sum() / hankel.sum())
    return excited @ right[:count].T / root, felt @ left[:, :count] / root, neglected


def slow_manifold(
    clamped: CompiledModel,
    calcium: str,
    block: Block,
    states: RestingStates,
    every: np.ndarray,
    gramian: np.ndarray,
    highest: float,
    corrections: int,
) -> SlowManifold:
    """The manifold of `block` near the snapshots `every`, with so many `corrections`, for calcium up to
    `highest`.  Raises RuleError with the reason if there is none."""
    columns = [clamped.state_index[name] for name in block.inside]
    span = states.high - states.low
    resting = np.array([states.down, states.up])[:, columns]
    x = every[:, columns]
    rho = (x - resting[0]) @ block.slope / span
    curve = curve_through(x, rho, resting)
    v, w, neglected = balanced(x - curve.at(rho), gramian, corrections)
    grid = curve.highest * np.linspace(0.0, 1.0, ROWS) ** 2
    push, pull = _tables(block, curve, grid, v, w, span)
    excess = np.geomspace(LEAST, 1.0, LEVELS) * (highest - states.rest)
    levels = states.rest + np.append(excess, 0.0)
    values = [np.broadcast_to(s, levels.shape) for s in evaluate(block.sensors.formulas, {calcium: levels})]
    others = [clamped.state_index[name] for name in block.kept]
    beside = (resting - curve.at(np.array([0.0, 1.0]))) @ w
    start = np.column_stack([[0.0, 1.0], beside, np.array([states.down, states.up])[:, others]])
    return SlowManifold(
        block.kept, corrections, grid, push, pull, block.factors, block.kept_rates, block.sensors, excess,
        np.array(values, dtype=float).reshape(len(values), levels.size), start, neglected,
    )  # fmt: skip


def _tables(
    block: Block, curve: Curve, grid: np.ndarray, v: np.ndarray, w: np.ndarray, span: float
) -> tuple[np.ndarray, np.ndarray]:
    """The rates of the block on the curve and along V, seen by the weight and by W."""
    weight = np.broadcast_to(block.slope / span, (grid.size, 1, block.slope.size))
    leaving = curve.slope(grid) @ w  # what a move of the weight along the curve takes from z
    beside = w.T[None] - leaving[:, :, None] * weight
    seen = np.concatenate([weight, beside], axis=1)  # (ROWS, 1 + corrections, n)
    on_curve = np.einsum("mij,kj->mki", block.matrices, curve.at(grid)) + block.constants[:, None]
    push = np.einsum("kai,mki->mka", seen, on_curve)
    pull = np.einsum("kai,mij,jb->mkab", seen, block.matrices, v)
    return push, pull


def _powers(rho: np.ndarray) -> np.ndarray:
    return np.asarray(np.asarray(rho)[:, None] ** np.arange(DEGREE + 1))
