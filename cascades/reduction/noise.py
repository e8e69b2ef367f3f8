"""The noise of a rule: what single molecules do to the efficacy, and how long a memory lasts.

The model is read as a jump process (`cascades.noise`) in a volume, where it has tens of molecules.

sigma      While calcium exceeds a threshold, Graupner & Brunel (2012) let the variance of rho grow by
           sigma^2 / tau per second and threshold (with their correction, PNAS 109:21551: one term for each
           threshold).  Here random paths are exposed to constant calcium, and sigma is the one that makes the
           spread of the rule that of the paths, in the geometric mean over levels, times and both states.
residence  Below the thresholds that noise is silent, but the molecules are not: the mean times in the DOWN
           and the UP state come from paths at resting calcium.  `SpontaneousSwitching` brings them into
           a network.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import RuleError
from cascades.expression import evaluate
from cascades.noise import JumpProcess, jump_process, random_paths
from cascades.reduction.ladder import Report
from cascades.reduction.rule import CalciumRule
from cascades.reduction.states import RestingStates, resting_states
from cascades.units import MOLECULES_PER_ZMOL

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.solvers import Solver

TRAINING_LEVELS, HELD_OUT_LEVELS = 6, 5  # of constant calcium
TRAINING_TIMES, HELD_OUT_TIMES = (0.3, 1.0, 3.0), (0.5, 2.0)  # in times 1 / (Gp + Gd)
SHORTEST, LONGEST = 0.05, 120.0  # of an exposure [s]
ENOUGH = 0.7  # of the paths have left a state when its mean time is taken
POINTS = 2001  # at which paths are looked at
FIRST_HORIZON, STRETCH = 20.0, 4.0  # [s]; it is stretched until enough paths have left


@dataclass(frozen=True)
class Residence:
    """How long a state lasts at rest.

    mean : float
        Mean time [s]; if `left` is 0, the time watched in all, which is then a lower bound.
    error : float
        Its standard error [s]; infinite if nothing left.
    left, watched : int
        Paths that left the state, of all.
    """

    mean: float
    error: float
    left: int
    watched: int

    @property
    def is_bound(self) -> bool:
        return self.left == 0

    def __str__(self) -> str:
        if self.is_bound:
            return f"more than {self.mean:.3g} s (none of {self.watched} paths left)"
        return f"{self.mean:.4g} +- {self.error:.2g} s ({self.left} of {self.watched} paths left)"


@dataclass(frozen=True)
class Exposure:
    """Constant calcium for a while, from DOWN or UP: the standard deviation of the efficacy over paths when
    it ends, and that of the rule."""

    calcium: float
    duration: float
    from_up: bool
    spread: float
    rule_spread: float


@dataclass(frozen=True, eq=False)
class RuleNoise:
    """What molecules in `volume` add to a rule.

    sigma : float
        As in `CalciumRule`.
    factor : float
        One standard deviation of sigma over the exposures, as a factor: how far from one number it is.
    down, up : Residence
    training, held_out : exposures that sigma was taken from, and others
    """

    volume: float
    sigma: float
    factor: float
    down: Residence
    up: Residence
    training: tuple[Exposure, ...]
    held_out: tuple[Exposure, ...]
    members: int
    seed: int

    @property
    def misfit(self) -> float:
        """Root mean square of ln(spread of the paths / spread of the noisy rule) on held-out exposures."""
        return float(np.sqrt(np.mean(_log_ratios(self.held_out) ** 2)))

    def applied(self, rule: CalciumRule) -> CalciumRule:
        """The rule with this sigma; the residence times stand in its provenance."""
        found: dict[str, Any] = {"volume": self.volume, "factor": self.factor, "members": self.members}
        found |= {"down": dataclasses.asdict(self.down), "up": dataclasses.asdict(self.up), "seed": self.seed}
        return dataclasses.replace(rule, sigma=self.sigma, provenance={**rule.provenance, "noise": found})

    def __str__(self) -> str:
        return "\n".join(
            [
                f"sigma {self.sigma:.4g} in a volume of {self.volume:.4g}; between exposures it varies"
                f" by a factor of {self.factor:.2f}",
                f"spread of the efficacy on {len(self.held_out)} held-out exposures: right within a factor of"
                f" {math.exp(self.misfit):.2f} (rms)",
                f"DOWN lasts {self.down}",
                f"UP lasts {self.up}",
            ]
        )


def derive_noise(
    compiled: CompiledModel,
    rule: CalciumRule,
    *,
    volume: float,
    calcium: str | None = None,
    weight: str | None = None,
    members: int = 200,
    seed: int = 0,
    longest: float = 1e5,
    solver: str | Solver = "rodas5p",
    rtol: float = 1e-6,
    progress: Report | None = None,
) -> RuleNoise:
    """Sigma and residence times of a rule from the molecules of its model.

    Parameters
    ----------
    compiled : model whose calcium is a parameter
    rule : one with step thresholds; its provenance names calcium and weight, if they are not given
    volume : float
        [the model's unit of volume] of all compartments together; concentrations stay what they are.
    members : random paths per exposure and state
    longest : the most time [s] that residence is watched for, per path

    Raises
    ------
    RuleError
        Calcium that is no parameter, a rule with graded rates, a model with one resting state.
    UnsupportedFeature
        Parts of the model that have no stochastic reading.
    """
    watch = progress or (lambda what, done: None)
    calcium, weight = (
        given or rule.provenance.get(key) for given, key in ((calcium, "calcium"), (weight, "weight"))
    )
    if not calcium or not weight:
        raise RuleError("noise", "the rule does not say of which calcium and weight it is; name them")
    if calcium not in compiled.parameter_index:
        raise RuleError(
            calcium, "noise is derived where calcium is an input of the model; take the part behind calcium"
        )
    if rule.rates is not None or rule.filter is not None:
        raise RuleError("noise", "sigma belongs to step thresholds; this rule has graded rates")
    if not volume > 0.0:
        raise RuleError("noise", f"the volume must be positive (got {volume!r})")
    watch("resting states", 0.0)
    states = resting_states(compiled, calcium, weight, rule.calcium.rest, solver=solver, rtol=rtol)
    if not states.is_bistable:
        raise RuleError(weight, "the model has one resting state: there is nothing that molecules could flip")
    paths = _Paths(compiled, jump_process(compiled), calcium, weight, states, volume, members, seed)
    sets = []
    for part, (levels, times) in enumerate(
        ((TRAINING_LEVELS, TRAINING_TIMES), (HELD_OUT_LEVELS, HELD_OUT_TIMES))
    ):
        watch("exposures", 0.1 + 0.3 * part)
        sets.append(_exposures(paths, rule, _levels(rule, levels), times, stream=part))
    ratios = _log_ratios(sets[0])
    if ratios.size == 0:
        raise RuleError("noise", "no exposure moved a path; the thresholds lie beyond the model's calcium")
    sigma = math.exp(float(ratios.mean()))
    residences = []
    for part, is_up in enumerate((False, True)):
        watch("UP at rest" if is_up else "DOWN at rest", 0.7 + 0.15 * part)
        residences.append(_residence(paths, is_up, longest))
    noisy = dataclasses.replace(rule, sigma=sigma)
    training, held_out = (tuple(_judged(noisy, e) for e in found) for found in sets)
    factor = math.exp(float(ratios.std()))
    return RuleNoise(volume, sigma, factor, residences[0], residences[1], training, held_out, members, seed)


@dataclass(frozen=True, eq=False)
class _Paths:
    """Random paths of one model in one volume."""

    compiled: CompiledModel
    process: JumpProcess
    calcium: str
    weight: str
    states: RestingStates
    volume: float
    members: int
    seed: int

    def sizes(self) -> dict[str, float]:
        """The compartments, all changed by the same factor."""
        if self.compiled.model is None:
            raise RuleError("noise", "equations without species have no molecules")
        names = {s.compartment for s in self.compiled.model.species}
        default = {n: self.compiled.default_values[n] for n in sorted(names)}
        factor = self.volume / sum(default.values())
        return {name: factor * size for name, size in default.items()}

    def run(self, level: float, is_up: bool, times: Any, stream: int) -> np.ndarray:
        """Efficacies of paths at constant calcium, shape (members, times)."""
        sizes = self.sizes()
        state = self.states.up if is_up else self.states.down
        found = random_paths(
            self.process, times, values={self.calcium: level, **sizes},
            initial=whole_counts(self.compiled, state, sizes), members=self.members,
            seed=int(np.random.SeedSequence([self.seed, stream, is_up]).generate_state(1)[0]),
        )  # fmt: skip
        p = self.compiled.parameter_array({self.calcium: level, **sizes})[0]
        y = found.values / (MOLECULES_PER_ZMOL * _size_of_each(self.compiled, sizes))
        return np.asarray(
            self.states.efficacy(self.compiled.observable(self.weight, y.reshape(-1, y.shape[-1]), p))
        ).reshape(y.shape[:2])


def whole_counts(compiled: CompiledModel, state: np.ndarray, sizes: Mapping[str, float]) -> dict[str, float]:
    """Molecules of a state in compartments of these sizes; what is conserved is rounded as a whole, and the
    most abundant species of a total takes up what rounding the others left."""
    each = _size_of_each(compiled, sizes)
    exact = np.asarray(state) * MOLECULES_PER_ZMOL * each
    counts = np.maximum(np.round(exact), 0.0)
    known = {**compiled.default_values, **sizes}
    for total in compiled.equations.conserved:
        rows = [compiled.state_names.index(name) for name in total.weights]
        weights = np.array(evaluate(total.weights.values(), known), float) / each[rows]  # per molecule
        weights /= weights.max()
        missing = round(float(weights @ exact[rows])) - float(weights @ counts[rows])
        single = [row for row, w in zip(rows, weights, strict=True) if w == 1.0]
        if missing and single:
            fullest = max(single, key=lambda row: exact[row])
            counts[fullest] = max(counts[fullest] + missing, 0.0)
    return dict(zip(compiled.state_names, counts.tolist(), strict=True))


def _size_of_each(compiled: CompiledModel, sizes: Mapping[str, float]) -> np.ndarray:
    species = {s.id: s for s in compiled.model.species} if compiled.model else {}
    return np.array(
        [1.0 if species[n].is_amount else sizes[species[n].compartment] for n in compiled.state_names]
    )


def _levels(rule: CalciumRule, count: int) -> np.ndarray:
    """Constant calcium [uM] from just above the lower threshold to thrice the higher one."""
    rest = rule.calcium.rest
    low, high = sorted((rule.theta_d - rest, rule.theta_p - rest))
    return rest + np.geomspace(1.05 * low, 3.0 * high, count)


def _exposures(
    paths: _Paths, rule: CalciumRule, levels: np.ndarray, times: tuple[float, ...], *, stream: int
) -> list[Exposure]:
    """With the spread of the rule for sigma = 1."""
    unit = dataclasses.replace(rule, sigma=1.0)
    found = []
    for level in levels:
        pace = float(sum(rule.rates_at(level)))
        durations = np.clip(np.array(times) / max(pace, 1e-12), SHORTEST, LONGEST)
        for is_up in (False, True):
            rho = paths.run(float(level), is_up, durations, stream)
            for i, duration in enumerate(durations):
                known = rho[np.isfinite(rho[:, i]), i]
                e = Exposure(float(level), float(duration), is_up, float(known.std(ddof=1)), 0.0)
                found.append(_judged(unit, e))
    return found


def _log_ratios(exposures: Sequence[Exposure]) -> np.ndarray:
    return np.log([e.spread / e.rule_spread for e in exposures if e.spread > 0.0 < e.rule_spread])


def _judged(rule: CalciumRule, e: Exposure) -> Exposure:
    """The exposure with the spread that the rule gives it: moments of the efficacy, closed at the second."""
    from scipy.integrate import solve_ivp

    up, down = (float(rate) for rate in rule.rates_at(e.calcium))
    growth = rule.sigma**2 / rule.tau * ((e.calcium > rule.theta_d) + (e.calcium > rule.theta_p))
    step = 1e-6

    def slope(_: float, y: np.ndarray) -> list[float]:
        mean, variance = y
        well = rule.drift_at_rest(mean)
        bend = (rule.drift_at_rest(mean + step) - rule.drift_at_rest(mean - step)) / (2.0 * step)
        return [
            up * (1.0 - mean) - down * mean + float(well),
            2.0 * (float(bend) - up - down) * variance + growth,
        ]

    start = [1.0 if e.from_up else 0.0, 0.0]
    end = solve_ivp(slope, (0.0, e.duration), start, method="LSODA", rtol=1e-8, atol=1e-12).y[:, -1]
    return dataclasses.replace(e, rule_spread=math.sqrt(max(float(end[1]), 0.0)))


def _residence(paths: _Paths, is_up: bool, longest: float) -> Residence:
    """Times until the efficacy is at the level of the other state: a path that only just crosses the barrier
    mostly comes back, and has not left.  Exponential times, cut off at a horizon."""
    horizon = FIRST_HORIZON
    while True:
        horizon = min(horizon, longest)
        grid = np.linspace(0.0, horizon, POINTS)
        rho = paths.run(paths.states.rest, is_up, grid, stream=2)
        gone = rho <= 0.0 if is_up else rho >= 1.0
        left = gone.any(axis=1)
        count = int(left.sum())
        if count >= ENOUGH * left.size or horizon >= longest:
            watched = float(np.where(left, grid[np.argmax(gone, axis=1)], horizon).sum())
            mean = watched / max(count, 1)
            error = mean / math.sqrt(count) if count else math.inf
            return Residence(mean, error, count, int(left.size))
        horizon *= STRETCH
