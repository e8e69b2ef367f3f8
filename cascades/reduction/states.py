"""The states in which a synapse rests, and the efficacy between them.

Which states calcium can reach decides what a rule can say: the model is exposed to a ladder of
constant calcium levels and left to rest.  The lowest and the highest weight it then keeps are the
DOWN and the UP state; the efficacy rho is 0 and 1 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.simulate import simulate
from cascades.solvers import Solver

LEVELS = 33  # of calcium, from rest to a hundred times rest
RANGE = 100.0
EXPOSURE = 300.0  # [s]
SETTLING, LONGEST = 6000.0, 1e6  # [s] to rest in, and the limit for models with very slow states
RELAXATIONS = 5.0  # of the slowest mode, in that time
SAME = 1e-3  # weights closer than this part of their range belong to one state


@dataclass(frozen=True, eq=False)
class RestingStates:
    """DOWN and UP, or a single resting state and how far calcium can move it.

    down, up : shape (n,)
        States of the clamped model; with one resting state both are the same.
    low, high : float
        The weight at rho = 0 and 1.
    rho_star : float
        The efficacy at the separatrix; 0.5, by convention, with one resting state.
    is_bistable : bool
    count : int
        Resting states that were reached.
    rest : float
        Resting calcium.
    potentiates : float
        The lowest calcium [of the ladder] after which a DOWN synapse is UP, or, with one resting
        state, at which the weight is halfway; infinite if none.
    rho, drift : arrays, shape (points,)
        Efficacies and their drift [1/s] seen at rest, after `healed` [s].
    slowest : shape (k,)
        The slowest relaxation rates [1/s] of the resting states, slowest first.
    """

    down: np.ndarray
    up: np.ndarray
    low: float
    high: float
    rho_star: float
    is_bistable: bool
    count: int
    rest: float
    potentiates: float
    rho: np.ndarray
    drift: np.ndarray
    slowest: np.ndarray
    healed: float

    def efficacy(self, weight: Any) -> Any:
        return (np.asarray(weight) - self.low) / (self.high - self.low)


def resting_states(
    clamped: CompiledModel, calcium: str, weight: str, rest: float, *, solver: str | Solver, rtol: float
) -> RestingStates:
    """Expose, rest, and sort.  Raises RuleError if calcium moves nothing."""
    scale = rest if rest > 0.0 else 0.1
    levels = rest + np.append(0.0, scale * np.geomspace(0.03, RANGE, LEVELS - 1))
    before = simulate(clamped, [0.0, LONGEST], values={calcium: rest}, solver=solver, rtol=rtol)
    start = _by_name(clamped, before.values[:, -1])
    slow = _rates(clamped, calcium, rest, before.values[0, -1])
    settling = (
        float(np.clip(RELAXATIONS / max(float(slow[0]), 1e-12), SETTLING, LONGEST)) if slow.size else SETTLING
    )
    exposed = simulate(
        clamped, [0.0, EXPOSURE], values={calcium: levels}, initial=start, solver=solver, rtol=rtol
    )
    times = np.concatenate([[0.0], np.geomspace(1.0, settling, 60)])
    after = simulate(
        clamped, times, values={calcium: rest}, initial=_by_name(clamped, exposed.values[:, -1]),
        solver=solver, rtol=rtol,
    )  # fmt: skip
    kept, reached = np.asarray(after[weight])[:, -1], np.asarray(exposed[weight])[:, -1]
    span = float(reached.max() - reached.min())
    if span <= 1e-9 * max(1.0, float(np.abs(reached).max())):
        raise RuleError(
            "calcium", f"{weight} is the same at every level of {calcium} from {rest:g} to {levels[-1]:g}"
        )
    order = np.argsort(kept)
    count = 1 + int(np.sum(np.diff(kept[order]) > SAME * span))
    low_row, high_row = order[0], order[-1]
    p = clamped.parameter_array({calcium: rest})[0]
    down, up = (_polished(clamped, after.values[row, -1], p) for row in (low_row, high_row))
    if kept[high_row] - kept[low_row] <= SAME * span:
        return _monostable(clamped, calcium, weight, rest, levels, down, float(kept[low_row]), reached)
    low, high = (float(clamped.observable(weight, y, p)) for y in (down, up))
    is_up = kept > 0.5 * (low + high)
    first = levels[np.argmax(is_up & (levels > rest))]
    slowest = np.sort(np.concatenate([_rates(clamped, calcium, rest, state) for state in (down, up)]))[:6]
    return _bistable(
        clamped, calcium, weight, rest, (down, up), (low, high), count, float(first), slowest, after,
        solver=solver, rtol=rtol,
    )  # fmt: skip


def _bistable(
    clamped: CompiledModel,
    calcium: str,
    weight: str,
    rest: float,
    states: tuple[np.ndarray, np.ndarray],
    weights: tuple[float, float],
    count: int,
    first: float,
    slowest: np.ndarray,
    after: Any,
    *,
    solver: str | Solver,
    rtol: float,
) -> RestingStates:
    """Find the separatrix by halving the way from DOWN to UP; the runs that pass close to it, and the
    exposed ones, also show the drift at rest."""
    down, up = states
    low, high = weights
    p = clamped.parameter_array({calcium: rest})
    healed = min(2.0 / float(slowest[min(1, slowest.size - 1)]), 0.25 * float(after.times[-1]))
    times = np.concatenate([[0.0], healed * np.geomspace(1.0, 40.0, 40)])
    left, right = 0.0, 1.0
    slow = after.times >= healed  # none where something of the model relaxes for longer than the run
    seen = [_drift(clamped, weight, after.values[:, slow], p[0])] if slow.any() else []
    for _ in range(3):
        mixture = np.linspace(left, right, 14)[1:-1]
        start = down + mixture[:, None] * (up - down)
        runs = simulate(
            clamped, times, values={calcium: rest}, initial=_by_name(clamped, start), solver=solver, rtol=rtol
        )
        w = (np.asarray(runs[weight]) - low) / (high - low)
        goes_up = w[:, -1] > 0.5
        if goes_up.any():
            right = float(mixture[np.argmax(goes_up)])
        if not goes_up.all():
            left = float(mixture[len(goes_up) - 1 - np.argmax(~goes_up[::-1])])
        points = _drift(clamped, weight, runs.values[:, 1:], p[0])
        seen.append(points)
    values, drifts = (np.concatenate([part[i] for part in seen]) for i in range(2))
    rho, drift = (values - low) / (high - low), drifts / (high - low)
    return RestingStates(
        down, up, low, high, _separatrix(rho, drift), True, count, rest, first, rho, drift, slowest, healed
    )


def _separatrix(rho: np.ndarray, drift: np.ndarray) -> float:
    """Where the drift at rest last turns from falling to rising below the UP state."""
    inside = (rho > 0.02) & (rho < 0.98)
    falling = rho[inside & (drift < 0.0)]
    edge = float(falling.max()) if falling.size else 0.02
    rising = rho[inside & (drift > 0.0) & (rho > edge)]
    return 0.5 * (edge + (float(rising.min()) if rising.size else 0.98))


def _monostable(
    clamped: CompiledModel,
    calcium: str,
    weight: str,
    rest: float,
    levels: np.ndarray,
    state: np.ndarray,
    resting: float,
    reached: np.ndarray,
) -> RestingStates:
    """One resting state: rho = 0 there and 1 at the farthest weight that constant calcium reaches."""
    farthest = float(reached[np.argmax(np.abs(reached - resting))])
    slowest = _rates(clamped, calcium, rest, state)
    halfway = np.abs(reached - resting) > 0.5 * abs(farthest - resting)
    rho = np.linspace(0.0, 1.0, 41)
    pace = float(slowest[0])
    return RestingStates(
        state, state, resting, farthest, 0.5, False, 1, rest, float(levels[np.argmax(halfway)]),
        rho, -pace * rho, slowest[:6], 2.0 / pace,
    )  # fmt: skip


def _drift(
    clamped: CompiledModel, weight: str, states: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The weight and its exact rate of change at each of the states, shapes (points,)."""
    flat = states.reshape(-1, states.shape[-1])
    rates = np.array([clamped.rates(y, p) for y in flat])
    step = 1e-6 / np.maximum(
        np.abs(rates).max(axis=1, initial=1e-300) / np.abs(flat).max(initial=1e-300), 1e-300
    )
    ahead = clamped.observable(weight, flat + step[:, None] * rates, p)
    behind = clamped.observable(weight, flat - step[:, None] * rates, p)
    return clamped.observable(weight, flat, p), (ahead - behind) / (2.0 * step)


def _rates(clamped: CompiledModel, calcium: str, rest: float, state: np.ndarray) -> np.ndarray:
    """Relaxation rates [1/s] at a resting state, slowest first; conserved totals have none."""
    p = clamped.parameter_array({calcium: rest})[0]
    jacobian = clamped.jacobian(state, p)
    real = -np.linalg.eigvals(jacobian).real
    n_totals = len(clamped.equations.conserved) or _zero_modes(jacobian)
    return np.sort(np.abs(real))[n_totals:]


def _zero_modes(jacobian: np.ndarray) -> int:
    """Moieties that nobody declared: zero singular values of the row-scaled Jacobian."""
    scale = np.abs(jacobian).max(axis=1, keepdims=True)
    values = np.linalg.svd(jacobian / np.where(scale > 0.0, scale, 1.0), compute_uv=False)
    return int(np.sum(values < 1e-11 * values[0]))


def _polished(clamped: CompiledModel, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The equilibrium at y by Newton's method; conserved totals stay what they are."""
    for _ in range(4):
        jacobian, rates = clamped.jacobian(y, p), clamped.rates(y, p)
        left, values, _ = np.linalg.svd(jacobian)
        totals = left[:, values < 1e-12 * values[0]].T
        step = np.linalg.lstsq(
            np.concatenate([jacobian, totals]), np.concatenate([-rates, np.zeros(len(totals))]), rcond=None
        )[0]
        if np.abs(step).max() > 1e-3 * max(np.abs(y).max(), 1e-12):
            return y  # not close enough for Newton: what integration gave is better
        y = y + step
    return y


def _by_name(compiled: CompiledModel, states: np.ndarray) -> Mapping[str, np.ndarray]:
    return {name: states[:, i] for i, name in enumerate(compiled.state_names)}
