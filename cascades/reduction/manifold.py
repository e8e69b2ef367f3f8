"""A few equations instead of many: the slow manifold of a lumped block.

The states that carry the weight and exchange matter (one conserved total) are a block; everything else
is kept.  Inside, the block is fast except along the weight.  At given weight and calcium its states
are found by Newton's method on the augmented system

    rates of the block = 0,    weight = given,

in which the kept state that acts on the block most is free: the multiplier that holds the weight in
place.  The weight then moves with the block's true rates at the true kept states.  They are affine in
the kept states (this is tested), so that two-dimensional tables over weight and calcium say it all.
Where rates are affine in the calcium sensors too, tables are averaged exactly over decaying calcium.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.derivatives import gradients
from cascades.compiler.equations import Equations
from cascades.errors import RuleError
from cascades.expression import Expr, evaluate, free_symbols, number, substitute, symbol
from cascades.reduction.sensors import Sensors, sensors
from cascades.reduction.states import RestingStates

WEIGHTS, LEVELS = 80, 64  # rows of the tables
TOP = 1.4  # largest efficacy in the tables
TOLERANCE, ITERATIONS = 1e-9, 60


@dataclass(frozen=True, eq=False)
class SlowManifold:
    """rho' = sum_j gain[j](rho, c) r_j and r' = kept(r, sensors), with r_0 = 1.

    kept : names of the kept states
    rho : shape (WEIGHTS,), even in its square root
    excess : shape (LEVELS,)
        Calcium above rest, even in the logarithm; the last table entry is at rest itself.
    gain : shape (1 + kept, WEIGHTS, LEVELS + 1) [1/s, per uM]
    sensors : Sensors of the kept states' rates
    rates : their formulas over kept states and sensor symbols, parameters inserted
    start : shape (2, 1 + kept)
        DOWN and UP: efficacy and kept states.
    unsolved : share of table entries that Newton did not find
    """

    kept: tuple[str, ...]
    rho: np.ndarray
    excess: np.ndarray
    gain: np.ndarray
    sensors: Sensors
    sensor_values: np.ndarray
    rates: tuple[Expr, ...]
    start: np.ndarray
    unsolved: float

    @property
    def size(self) -> int:
        """Number of equations."""
        return 1 + len(self.kept)


@dataclass(frozen=True, eq=False)
class _Block:
    """Positions of the block's independent and dependent states, and of the kept ones."""

    inside: np.ndarray
    dependent: np.ndarray
    spread: np.ndarray
    kept: np.ndarray
    actor: int


def slow_manifold(
    clamped: CompiledModel, calcium: str, weight: str, states: RestingStates, highest: float
) -> SlowManifold:
    """Tables of the slow manifold up to `highest` calcium.

    Raises RuleError with the reason if the model has no such reduction; the ladder then goes without.
    """
    block = _split(clamped, calcium, weight, states)
    top = highest - states.rest
    excess = np.geomspace(1e-3 * top, top, LEVELS)
    rho = TOP * np.linspace(0.02, 1.0, WEIGHTS) ** 2
    gain = np.full((1 + block.kept.size, WEIGHTS, LEVELS + 1), np.nan)
    p = clamped.parameter_array()[0]
    slope = _weight_slope(clamped, weight, p, states.up)
    guess: list[Any] = [None] * WEIGHTS
    for j, level in enumerate([*excess[::-1], 0.0]):
        p[clamped.parameter_index[calcium]] = states.rest + level
        column = LEVELS - 1 - j if level > 0.0 else LEVELS
        last = None
        for i in range(WEIGHTS - 1, -1, -1):
            target = states.low + rho[i] * (states.high - states.low)
            found = None
            for first in (guess[i], last, states.up):
                if first is not None and found is None:
                    found = _closed(clamped, block, slope, weight, first, target, p)
            if found is not None:
                guess[i] = last = found
                gain[:, i, column] = _gains(clamped, block, slope, found, p) / (states.high - states.low)
    unsolved = float(np.mean(np.isnan(gain[0])))
    if unsolved > 0.2:
        raise RuleError("slow manifold", f"Newton found no state of the block in {unsolved:.0%} of the table")
    gain = _filled(gain)
    names = tuple(clamped.state_names[i] for i in block.kept)
    found_sensors, values, rates = _kept_rates(clamped, calcium, names, states, excess)
    start = np.array([[0.0, *states.down[block.kept]], [1.0, *states.up[block.kept]]])
    return SlowManifold(names, rho, excess, gain, found_sensors, values, rates, start, unsolved)


def _split(clamped: CompiledModel, calcium: str, weight: str, states: RestingStates) -> _Block:
    equations, index = clamped.equations, clamped.state_index
    direct = free_symbols(clamped.formula(weight)) & set(clamped.state_names)
    totals = [t for t in equations.conserved if set(t.weights) & direct]
    inside = direct | {name for t in totals for name in t.weights}
    rates = dict(zip(clamped.state_names, equations.rates, strict=True))
    outside = [name for name in clamped.state_names if name not in inside]
    actors = free_symbols(*(rates[name] for name in inside)) & set(outside)
    dropped = set(_dropped(equations, actors, inside).values())
    kept = [name for name in outside if name not in dropped]
    if len(inside) - len(totals) < 3:
        raise RuleError("slow manifold", "the states that carry the weight are few; nothing is to be lumped")
    used = free_symbols(*(rates[name] for name in kept)) & inside if kept else set()
    if used:
        raise RuleError("slow manifold", f"kept states depend on the block ({', '.join(sorted(used)[:4])})")
    if not actors or not actors <= set(kept):
        raise RuleError(
            "slow manifold", "no kept state acts on the block, so that nothing holds the weight in place"
        )
    for row in gradients([rates[name] for name in inside], sorted(actors)):
        if free_symbols(*row.values()) & actors:
            raise RuleError("slow manifold", "the block's rates are not affine in the kept states")
    dependent = np.array([index[t.dependent] for t in totals], dtype=int)
    free = np.array([index[n] for n in clamped.state_names if n in inside and index[n] not in dependent])
    values = clamped.default_values
    weights = np.zeros((len(totals), len(clamped.state_names)))
    for k, total in enumerate(totals):
        for name, formula in total.weights.items():
            weights[k, index[name]] = evaluate([formula], values)[0]
    spread = -np.linalg.solve(weights[:, dependent], weights[:, free]) if totals else np.zeros((0, free.size))
    p = clamped.parameter_array({calcium: states.rest})[0]
    strength = {n: np.abs(clamped.jacobian(states.up, p)[free, index[n]]).max() for n in actors}
    actor = index[max(strength, key=lambda n: float(strength[n]))]
    return _Block(free, dependent, spread, np.array([index[n] for n in kept]), actor)


def _dropped(equations: Equations, actors: set[str], inside: set[str]) -> dict[str, str]:
    """For each conserved total outside the block the state that it replaces: none that acts on it."""
    found: dict[str, str] = {}
    for total in equations.conserved:
        idle = [n for n in total.weights if n not in actors and n not in found.values()]
        if idle and not set(total.weights) & inside:
            found[total.name] = total.dependent if total.dependent in idle else idle[0]
    return found


def _weight_slope(clamped: CompiledModel, weight: str, p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d weight / d state; the weight is taken as linear in the block (all read-outs of this kind are)."""
    base = float(clamped.observable(weight, y, p))
    slopes = []
    for i in range(y.size):
        moved = y.copy()
        moved[i] += 1.0
        slopes.append(float(clamped.observable(weight, moved, p)) - base)
    return np.array(slopes)


def _closed(
    clamped: CompiledModel,
    block: _Block,
    slope: np.ndarray,
    weight: str,
    first: np.ndarray,
    target: float,
    p: np.ndarray,
) -> np.ndarray | None:
    """The state of the block with this weight at which only the multiplier keeps it; None if not found."""
    y = first.copy()
    m = block.inside.size
    reach = slope[block.inside] + slope[block.dependent] @ block.spread
    scale = float(np.abs(y[block.inside]).sum()) + 1e-12
    for _ in range(ITERATIONS):
        rates = clamped.rates(y, p)[block.inside]
        full = clamped.jacobian(y, p)[block.inside]
        matrix = np.zeros((m + 1, m + 1))
        matrix[:m, :m] = full[:, block.inside] + full[:, block.dependent] @ block.spread
        matrix[:m, m] = full[:, block.actor] * max(y[block.actor], 1e-300)  # the multiplier's logarithm
        matrix[m, :m] = reach
        gap = target - float(clamped.observable(weight, y, p))
        try:
            step = np.linalg.solve(matrix, np.append(-rates, gap))
        except np.linalg.LinAlgError:
            return None
        x = y[block.inside]
        negative = step[:m] < 0.0
        size = min(
            1.0, 0.9 * float(np.min(x[negative] / -step[:m][negative], initial=np.inf)), 2.0 / abs(step[m])
        )
        size = max(size, 1e-4)
        y[block.inside] = np.maximum(x + size * step[:m], 1e-14 * scale)
        y[block.dependent] = y[block.dependent] + block.spread @ (y[block.inside] - x)
        y[block.actor] *= math.exp(size * step[m])
        if size == 1.0 and np.abs(step[:m]).max() < TOLERANCE * scale and abs(step[m]) < 1e-7:
            return y if (y[block.dependent] > -1e-9 * scale).all() else None
    return None


def _gains(
    clamped: CompiledModel, block: _Block, slope: np.ndarray, y: np.ndarray, p: np.ndarray
) -> np.ndarray:
    """The weight's rate as a constant and a factor of each kept state."""
    moved = y.copy()
    moved[block.kept] = 0.0
    rows = np.concatenate([block.inside, block.dependent])
    gains = [float(slope[rows] @ clamped.rates(moved, p)[rows])]
    for k in block.kept:
        moved[k] = 1.0
        gains.append(float(slope[rows] @ clamped.rates(moved, p)[rows]) - gains[0])
        moved[k] = 0.0
    return np.array(gains)


def _filled(gain: np.ndarray) -> np.ndarray:
    """Entries that were not found are taken from their neighbours along the weight."""
    out = gain.copy()
    x = np.arange(gain.shape[1])
    for k, j in np.ndindex(gain.shape[0], gain.shape[2]):
        known = np.isfinite(gain[k, :, j])
        if known.any():
            out[k, :, j] = np.interp(x, x[known], gain[k, known, j])
        else:
            out[k, :, j] = out[k, :, j - 1]
    return out


def _kept_rates(
    clamped: CompiledModel, calcium: str, kept: tuple[str, ...], states: RestingStates, excess: np.ndarray
) -> tuple[Sensors, np.ndarray, tuple[Expr, ...]]:
    """Rates of the kept states over themselves and sensors, whose values have shape (sensors, levels + 1)."""
    equations = clamped.equations
    rates = dict(zip(clamped.state_names, equations.rates, strict=True))
    swap = {n: number(v) for n, v in clamped.default_values.items() if n != calcium}
    for total in equations.conserved:
        gone = [name for name in total.weights if name not in kept]
        if len(gone) != 1:
            continue
        amount = evaluate(total.weights.values(), clamped.default_values)
        held = sum(
            w * states.down[clamped.state_index[s]] for w, s in zip(amount, total.weights, strict=True)
        )
        by_name = dict(zip(total.weights, amount, strict=True))
        rest = number(float(held))
        for name, w in by_name.items():
            if name != gone[0]:
                rest = rest - float(w) * symbol(name)
        swap[gone[0]] = rest / float(by_name[gone[0]])
    formulas = substitute([rates[name] for name in kept], swap)
    found = sensors(formulas, calcium, kept)
    if not found.is_affine:
        raise RuleError(
            "slow manifold", "the kept states are not affine in their calcium sensors; no averaging"
        )
    levels = states.rest + np.append(excess, 0.0)
    values = [np.broadcast_to(v, levels.shape) for v in evaluate(found.formulas, {calcium: levels})]
    return found, np.array(values).reshape(len(values), levels.size), found.rates
