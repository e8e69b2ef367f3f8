"""Rhythmic stimulation: the periodic responses of a spike-driven model, followed in rate, size or timing.

A model that is driven by spikes in a fixed rhythm settles on a periodic response, a fixed point of
the stroboscopic map.  Its folds are where the synapse flips: the plasticity-frequency curve is a
continuation problem.  Between spikes the response is found by collocation, at spikes it jumps, so
that it is exact there; the multipliers of the map come with the solution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.arclength import CurvePoint, correct, follow, point_at
from cascades.continuation.collocation import DEGREE, Cycle, OrbitCurve, even_mesh
from cascades.continuation.compiled import as_problem
from cascades.continuation.orbit_branch import OrbitBranch
from cascades.continuation.orbit_trace import remeshed, trace_orbits
from cascades.continuation.orbits import SETTINGS
from cascades.continuation.problem import Problem
from cascades.continuation.scaled import make_axis
from cascades.continuation.search import find_one
from cascades.continuation.settings import ContinuationSettings
from cascades.errors import ContinuationError, NoEquilibrium, ProtocolError, UnknownName
from cascades.steady import SteadyState

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

RESOLUTION = 1e-5
FIRST_INTERVALS = 20
SMALLEST = 1e-6  # of a state's scale: the least that counts as large where a state stays small
SHORTEST = 1e-6  # of a period: pulses nearer than this have met


@dataclass(frozen=True)
class Pulse:
    """A spike on `target` (a port or a state), `delay` [time] after the beginning of each period; it
    adds `size` times the port's jump, or `size` itself to a state."""

    target: str
    size: float = 1.0
    delay: float = 0.0


@dataclass(frozen=True)
class Rhythm:
    """Pulses that come back `rate` times per unit of time."""

    rate: float
    pulses: tuple[Pulse, ...]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate) and self.rate > 0.0):
            raise ProtocolError("rhythm", self.rate, "the rate must be positive")
        if not self.pulses:
            raise ProtocolError("rhythm", self.pulses, "there must be a pulse")
        for pulse in self.pulses:
            if not 0.0 <= pulse.delay < 1.0 / self.rate:
                raise ProtocolError(
                    "rhythm", pulse.delay, f"the pulse on {pulse.target} must come within a period"
                )


def rhythmic_orbits(
    compiled: CompiledModel | Problem,
    rhythm: Rhythm,
    along: str,
    bounds: Sequence[float],
    *,
    start: SteadyState | Mapping[str, float] | np.ndarray | None = None,
    values: Mapping[str, float] | None = None,
    resolution: float = RESOLUTION,
    settings: ContinuationSettings = SETTINGS,
) -> OrbitBranch:
    """Periodic responses to a rhythm, from the one that grows out of an equilibrium, followed towards
    larger values of `along`.

    Parameters
    ----------
    along : "rate", "size TARGET", "delay TARGET", or a parameter of the model
    bounds : (low, high); the branch is entered where the rhythm (or the model) stands, moved into them
    start : the equilibrium without pulses from which the response grows: UP or DOWN
    resolution : error of the states between mesh points, in sizes, that sets the number of mesh
        intervals; folds are confirmed on a mesh twice as fine, or dropped

    Raises
    ------
    UnknownName, ContinuationError, ProtocolError
    NoEquilibrium
        The response breaks off before the pulses have their full size; the state is the last response.
    """
    problem = as_problem(compiled, {along, *(values or {})})
    known = {**start.values, **start.totals} if isinstance(start, SteadyState) else {}
    changed = {name: known[name] for name in problem.parameter_names if name in known} | dict(values or {})
    q = problem.values(changed)
    guess = start.state if isinstance(start, SteadyState) else start
    if isinstance(guess, Mapping):
        guess = np.array([guess[name] for name in problem.state_names])
    low, high = float(bounds[0]), float(bounds[1])
    if along == "rate":
        rhythm = replace(rhythm, rate=min(max(rhythm.rate, low), high))
    elif along in problem.parameter_names:
        k = problem.index(along)
        q[k] = min(max(q[k], low), high)
    x = find_one(problem, q, guess)
    jumps = np.array([_jump(compiled, problem, pulse, q) for pulse in rhythm.pulses])
    grown = _grown(problem, q, rhythm, jumps, x, resolution)
    cycle = _cycle(problem, q, rhythm, jumps, along, (low, high), settings)
    nodes, _ = grown[0].unpack(grown[1].u)
    curve = replace(grown[0], cycle=cycle)
    w = np.array([cycle.start])
    u = curve.pack(nodes, w)
    row = np.zeros(u.size)
    row[-1] = 1.0
    found = correct(curve, u, row, 1e-9)
    if found is None:
        raise NoEquilibrium("the response at full size was lost", {}, np.nan)
    return trace_orbits(curve, point_at(curve, found[0], row), along, settings)


@dataclass(frozen=True, eq=False)
class ForcedCycle(Cycle):
    """A rhythm with one free number w = (theta,); `along` says which."""

    problem: Problem
    q: np.ndarray
    rate: float
    delays: np.ndarray
    sizes: np.ndarray
    units: np.ndarray
    """What a pulse of size 1 adds, shape (pulses, n)."""
    along: str
    place: int
    low: float
    high: float
    is_log: bool
    start: float
    n_free = 1
    has_phase = False

    @property
    def name(self) -> str:
        return self.along

    def value(self, w: np.ndarray) -> float:
        return float(np.exp(w[0])) if self.is_log else float(w[0]) * (self.high - self.low)

    def _slope(self, value: float) -> float:
        return value if self.is_log else self.high - self.low

    def durations(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = self.value(w)
        delays, slope = self.delays.copy(), np.zeros(self.delays.size)
        period, period_slope = 1.0 / self.rate, 0.0
        if self.along == "rate":
            period, period_slope = 1.0 / value, -1.0 / value**2
        elif self.along.startswith("delay "):
            delays[self.place], slope[self.place] = value, 1.0
        lengths = np.append(np.diff(delays), period - delays[-1] + delays[0])
        slopes = np.append(np.diff(slope), period_slope - slope[-1] + slope[0])
        return lengths, slopes[:, None] * self._slope(value)

    def jumps(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = self.value(w)
        sizes, slope = self.sizes.copy(), np.zeros(self.sizes.size)
        if self.along.startswith("size "):
            sizes[self.place], slope[self.place] = value, self._slope(value)
        elif self.along == "all sizes":
            sizes, slope = self.sizes * value, self.sizes * self._slope(value)
        added = np.roll(sizes[:, None] * self.units, -1, axis=0)
        return added, np.roll(slope[:, None] * self.units, -1, axis=0)[:, :, None]

    def parameters(self, w: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, int, float], ...]]:
        if self.along not in self.problem.parameter_names:
            return self.q, ()
        q = self.q.copy()
        q[self.place] = self.value(w)
        return q, ((self.place, 0, self._slope(q[self.place])),)

    def in_range(self, w: np.ndarray) -> str:
        value = self.value(w)
        if value < self.low:
            return f"{self.along} reached the lower end of its range, {self.low:g}"
        if value > self.high:
            return f"{self.along} reached the upper end of its range, {self.high:g}"
        lengths = self.durations(w)[0]
        return "two pulses meet" if lengths.min() < SHORTEST * lengths.sum() else ""

    def typical_sizes(self, problem: Problem, nodes: np.ndarray) -> np.ndarray:
        """By what the states do: open channels are few, and what they do in a millisecond matters."""
        return np.maximum(SMALLEST * problem.scale, np.abs(nodes).max(axis=(0, 1)))


def _jump(compiled: CompiledModel | Problem, problem: Problem, pulse: Pulse, q: np.ndarray) -> np.ndarray:
    """What a pulse of size 1 adds to the independent states, shape (n,)."""
    target, unit = pulse.target, 1.0
    ports = (
        {}
        if isinstance(compiled, Problem)
        else {p.name: p for p in compiled.equations.ports if p.kind == "spike"}
    )
    if target in ports:
        port = ports[target]
        target = port.symbol
        unit = float(q[problem.index(port.jump)]) if isinstance(port.jump, str) else float(port.jump)
    if target not in problem.state_names:
        if target in problem.full_names:
            raise ProtocolError("rhythm", target, "a pulse would change a conserved total")
        raise UnknownName("state or spike port", target, (*ports, *problem.state_names))
    added = np.zeros(len(problem.state_names))
    added[problem.state_names.index(target)] = unit
    return added


def _cycle(
    problem: Problem,
    q: np.ndarray,
    rhythm: Rhythm,
    units: np.ndarray,
    along: str,
    bounds: tuple[float, float],
    settings: ContinuationSettings,
) -> ForcedCycle:
    order = np.argsort([pulse.delay for pulse in rhythm.pulses], kind="stable")
    delays = np.array([rhythm.pulses[i].delay for i in order])
    sizes = np.array([rhythm.pulses[i].size for i in order])
    targets = [rhythm.pulses[i].target for i in order]
    low, high = bounds
    if not low < high:
        raise ContinuationError(
            f"the range of {along} must be two increasing numbers (got {low:g}, {high:g})"
        )
    word, _, target = along.partition(" ")
    place = 0
    if along == "rate":
        value = rhythm.rate
    elif along == "all sizes":
        value = low
    elif word in ("size", "delay") and target:
        if target not in targets:
            raise UnknownName("pulse", target, targets)
        place = targets.index(target)
        value = float((sizes if word == "size" else delays)[place])
    else:
        axis = make_axis(problem, along, bounds, settings.parameter_scale)
        place, value = axis.k, float(q[axis.k])
    is_log = low > 0.0 and settings.parameter_scale != "linear"
    value = min(max(value, low), high)
    start = float(np.log(value)) if is_log else value / (high - low)
    return ForcedCycle(
        problem, q, rhythm.rate, delays, sizes, units[order], along, place, low, high, is_log, start
    )


def _grown(
    problem: Problem, q: np.ndarray, rhythm: Rhythm, units: np.ndarray, x: np.ndarray, resolution: float
) -> tuple[OrbitCurve, CurvePoint]:
    """The response as the pulses grow from nothing to their size."""
    cycle = _cycle(problem, q, rhythm, units, "all sizes", (0.0, 1.0), ContinuationSettings())
    mesh = even_mesh([FIRST_INTERVALS] * len(rhythm.pulses))
    nodes = np.broadcast_to(x, (mesh.n_intervals, DEGREE + 1, x.size)).copy()
    size = np.maximum(problem.scale, np.abs(x))
    curve = OrbitCurve(problem, cycle, mesh, size, nodes, resolution)
    u = curve.pack(nodes, np.zeros(1))
    row = np.zeros(u.size)
    row[-1] = 1.0
    here = point_at(curve, u, row)
    for _ in range(400):
        curve, here = remeshed(curve, here)
        last = here
        for count, step in enumerate(follow(curve, here, SETTINGS)):
            last = step.after
            if step.after.u[-1] >= 1.0:
                row = np.zeros(step.after.u.size)
                row[-1] = 1.0
                found = correct(curve, step.after.u, row, 1e-9, level=1.0)
                if found is not None:
                    return curve, point_at(curve, found[0], row)
            if step.reason or step.after.tangent[-1] < 0.0 or count >= 2:
                break
        if last is here or last.tangent[-1] < 0.0:
            break
        here = last
    state = dict(zip(problem.state_names, curve.unpack(here.u)[0][0, 0].tolist(), strict=True))
    share = float(here.u[-1])
    reason = (
        f"the response that grows out of this equilibrium ends in a fold at {share:.4g} of the pulses' size"
    )
    raise NoEquilibrium(reason, state, np.nan)
