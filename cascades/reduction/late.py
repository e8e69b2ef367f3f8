"""The late phase: a tag and a late weight of the synapse, a signal and a protein pool of the neuron.

    tag'     = -tag / tau_tag            an episode of strength x adds tag_gain x (1 - tag)
    signal'  = -signal / tau_signal      and signal_gain x (1 - signal)
    protein' = (synthesis signal^cooperativity - protein) / tau_protein
    late'    = capture tag^sites protein (1 - late / limit)

`sites` parts of the tag have to be set together.  An episode is what the early rule calls strong
potentiation (a tetanus); `synthesis` is 1, or 0 under a block.  Frey & Morris (1997) Nature 385:533 found
the parts.  The numbers are fitted to a biochemical model once its tag, protein and weight are named, and
judged on courses of hours that they were not fitted to.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import RuleError
from cascades.protocols import Protocol, Setting
from cascades.simulate import simulate

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.solvers import Solver

HOUR = 3600.0
FINEST = 60.0  # [s] between points of a replay
READ = tuple(HOUR * h for h in (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0))
NUMBERS = (
    "tau_tag",
    "tau_signal",
    "tau_protein",
    "capture",
    "limit",
    "tag_gain",
    "signal_gain",
    "cooperativity",
    "sites",
)
LOW = (60.0, 60.0, 60.0, 1e-12, 1e-6, 0.02, 0.02, 0.5, 0.5)
HIGH = (1e5, 1e5, 1e5, 1e6, 1e6, 0.999, 0.999, 4.0, 4.0)
STARTS = ((1800.0, 600.0), (1800.0, 3600.0), (7200.0, 600.0), (7200.0, 3600.0))  # of tau_tag and tau_signal


@dataclass(frozen=True)
class Course:
    """Episodes at `times` [s], all of them strong, and windows [(start, stop), ...] without synthesis."""

    times: tuple[float, ...]
    blocks: tuple[tuple[float, float], ...] = ()

    def __str__(self) -> str:
        said = f"{len(self.times)} episode{'s' * (len(self.times) != 1)}"
        if len(self.times) > 1:
            gaps = sorted({round(b - a) for a, b in zip(self.times, self.times[1:], strict=False)})
            said += f", {' and '.join(f'{gap / 60:g}' for gap in gaps)} min apart"
        for start, stop in self.blocks:
            said += f", no synthesis from {start / HOUR:g} to {stop / HOUR:g} h"
        return said


def every(count: int, gap: float, *blocks: tuple[float, float]) -> Course:
    """`count` episodes, `gap` [s] apart."""
    return Course(tuple(gap * i for i in range(count)), blocks)


TRAINING = (
    every(1, 300.0), every(2, 300.0), every(4, 300.0), every(3, 900.0), every(2, 3600.0),
    every(4, 300.0, (0.0, 0.5 * HOUR)), every(4, 300.0, (HOUR, 2.0 * HOUR)),
    every(4, 300.0, (2.0 * HOUR, 8.0 * HOUR)),
)  # fmt: skip
HELD_OUT = (
    every(3, 300.0), every(5, 300.0), every(2, 600.0), every(4, 600.0), every(2, 7200.0),
    Course((0.0, 3600.0, 3900.0, 4200.0)),
    every(4, 300.0, (0.0, HOUR)), every(4, 300.0, (0.5 * HOUR, 1.5 * HOUR)),
    every(3, 300.0, (HOUR, 8.0 * HOUR)), every(4, 300.0, (3.0 * HOUR, 8.0 * HOUR)),
    every(4, 300.0, (0.0, 8.0 * HOUR)),
)  # fmt: skip


@dataclass(frozen=True)
class LateCertificate:
    """Over held-out courses and the times `READ`, in the unit of the weight.

    rmse, worst : of the late change; `no_change` is the rmse of saying that nothing changes
    r2 : share of the variance that is said right
    rows : (course, times, changes of the full model, of the reduced)
    """

    r2: float
    rmse: float
    worst: float
    no_change: float
    rows: tuple[tuple[str, np.ndarray, np.ndarray, np.ndarray], ...] = field(repr=False, default=())

    def __str__(self) -> str:
        errors = f"rmse {self.rmse:.3g} (no change: {self.no_change:.3g}), worst {self.worst:.3g}"
        return f"R2 {self.r2:.3f}, {errors}"


@dataclass(frozen=True)
class LatePhase:
    """Times [s]; `capture` [1/s] and `limit` in the unit of the weight that it stands for."""

    tau_tag: float
    tau_signal: float
    tau_protein: float
    capture: float
    limit: float
    tag_gain: float
    signal_gain: float
    cooperativity: float
    sites: float = 1.0
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)
    certificate: LateCertificate | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            if not value > 0.0 or (name.endswith("gain") and value > 1.0):
                raise RuleError("late phase", f"{name} must be positive, a gain at most 1 (got {value!r})")

    def replay(self, course: Course, times: Any) -> dict[str, np.ndarray]:
        """Tag, protein and late change at sorted `times` [s], each of shape (times,)."""
        times = np.asarray(times, dtype=float)
        end = times[-1]
        edges = [t for window in course.blocks for t in window]
        grid = np.unique(np.concatenate([np.arange(0.0, end, FINEST), times, course.times, edges]))
        grid = grid[grid <= end]
        tag = _jumps_and_decay(grid, course.times, self.tag_gain, self.tau_tag)
        signal = _jumps_and_decay(grid, course.times, self.signal_gain, self.tau_signal)
        h, middle = np.diff(grid), 0.5 * (grid[1:] + grid[:-1])
        made = signal[:-1] ** self.cooperativity / self.tau_protein
        for start, stop in course.blocks:
            made[(start <= middle) & (middle < stop)] = 0.0
        # between two points the source decays on its own: a linear equation with one exponential in it
        pace, loss = self.cooperativity / self.tau_signal, 1.0 / self.tau_protein
        gap = np.where(abs(loss - pace) * end < 1e-9, 1e-9 / end, loss - pace)
        gained = made * (np.exp(-h * pace) - np.exp(-h * (pace + gap))) / gap
        # protein(i + 1) = protein(i) exp(-h loss) + gained(i), summed up
        protein = np.append(0.0, np.cumsum(gained * np.exp(loss * (grid[1:] - end)))) * np.exp(
            loss * (end - grid)
        )
        left = tag[:-1]  # an episode at the right end does not act before it
        right = left * np.exp(-h / self.tau_tag)
        pull = left**self.sites * protein[:-1] + right**self.sites * protein[1:]
        grown = np.append(0.0, np.cumsum(0.5 * h * pull))
        late = -self.limit * np.expm1(-self.capture * grown / self.limit)
        rows = np.searchsorted(grid, times)
        return {"tag": tag[rows], "protein": protein[rows], "late": late[rows]}

    def to_json(self) -> str:
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return json.dumps(
            {"format": "cascades late phase 1", **numbers, "provenance": dict(self.provenance)}, indent=1
        )

    @classmethod
    def from_json(cls, text: str) -> LatePhase:
        """Raises RuleError if the text is not a late phase that `to_json` wrote."""
        try:
            content = json.loads(text)
            if content.pop("format", None) != "cascades late phase 1":
                raise RuleError("late phase file", "not a late phase")
            return cls(**content)
        except (ValueError, TypeError, AttributeError) as error:
            if isinstance(error, RuleError):
                raise
            raise RuleError("late phase file", f"not a late phase: {error}") from error

    def __str__(self) -> str:
        tag, signal = self.tau_tag / self.sites, self.tau_signal / self.cooperativity
        return (
            f"captures for {tag / HOUR:.2f} h, signals for {signal / HOUR:.2f} h, proteins last"
            f" {self.tau_protein / HOUR:.2f} h; an episode sets {self.tag_gain:.2f} of the tag; the weight"
            f" changes by {self.limit:.3g} at most\n{self.certificate or 'without a certificate'}"
        )


def derive_late_phase(
    compiled: CompiledModel,
    episode: Protocol,
    *,
    tag: str,
    protein: str,
    weight: str,
    synthesis: str,
    training: Sequence[Course] = TRAINING,
    held_out: Sequence[Course] = HELD_OUT,
    solver: str | Solver = "rodas5p",
    rtol: float = 1e-6,
) -> LatePhase:
    """Reduce a model with tag and capture.

    Parameters
    ----------
    episode : one strong stimulation of the model, from time 0
    tag, protein, weight : its states or observables; changes from rest are what counts
    synthesis : input that is 0 when proteins are not made

    Raises
    ------
    RuleError
        A stimulation that leaves the weight where it was.
    """
    from scipy.optimize import least_squares

    how: dict[str, Any] = {"solver": solver, "rtol": rtol}
    seen = _full(compiled, episode, training, (tag, protein, weight), synthesis, how)
    largest = np.abs(seen).max(axis=(0, 2))
    if not (largest > 0.0).all():
        still = [name for name, size in zip((tag, protein, weight), largest, strict=True) if not size > 0.0]
        raise RuleError(
            ", ".join(still), "the episode leaves it where it was: there is no late phase to reduce"
        )
    shapes = seen / largest[:, None]
    low, high = np.log(LOW), np.log(HIGH)

    def numbers(x: np.ndarray) -> LatePhase:
        return LatePhase(**dict(zip(NUMBERS, np.exp(x).tolist(), strict=True)))

    def residuals(x: np.ndarray) -> np.ndarray:
        reduced = numbers(x)
        runs = [reduced.replay(course, READ) for course in training]
        said = np.array([[run["tag"] ** reduced.sites, run["protein"], run["late"]] for run in runs])
        return np.concatenate(
            [_scaled(said[:, i], shapes[:, i], largest[2] if i == 2 else None) for i in range(3)]
        )

    fits = []
    for tau_tag, tau_signal in STARTS:
        start = (tau_tag, tau_signal, 3600.0, 1e-3 * largest[2], 2.0 * largest[2], 0.4, 0.4, 1.5, 1.5)
        begin = np.clip(np.log(start), low + 1e-6, high - 1e-6)
        fits.append(least_squares(residuals, begin, bounds=(low, high), diff_step=1e-4, max_nfev=100))
    found = min(fits, key=lambda fit: float(fit.cost))
    reduced = numbers(found.x)
    truth = _full(compiled, episode, held_out, (tag, protein, weight), synthesis, how)[:, 2]
    said = np.array([reduced.replay(course, READ)["late"] for course in held_out])
    rows = tuple(
        (str(course), np.array(READ), a, b) for course, a, b in zip(held_out, truth, said, strict=True)
    )
    error = said - truth
    certificate = LateCertificate(
        r2=1.0 - float(np.sum(error**2) / np.sum((truth - truth.mean()) ** 2)),
        rmse=float(np.sqrt(np.mean(error**2))),
        worst=float(np.abs(error).max()),
        no_change=float(np.sqrt(np.mean(truth**2))),
        rows=rows,
    )
    provenance = {
        "model": compiled.name, "equations": compiled.equations.content_hash, "tag": tag, "protein": protein,
        "weight": weight, "synthesis": synthesis, "episode": episode.name, "converged": bool(found.success),
        "training": [str(c) for c in training],
        "held_out": {"r2": certificate.r2, "rmse": certificate.rmse, "no_change": certificate.no_change},
    }  # fmt: skip
    return dataclasses.replace(reduced, provenance=provenance, certificate=certificate)


def _jumps_and_decay(grid: np.ndarray, times: Sequence[float], gain: float, tau: float) -> np.ndarray:
    """x' = -x / tau, and x += gain (1 - x) at each of the times; just after them."""
    x, found = 0.0, np.zeros(grid.size)
    for i, t in enumerate(times):
        x += gain * (1.0 - x)
        until = times[i + 1] if i + 1 < len(times) else np.inf
        here = (grid >= t) & (grid < until)
        found[here] = x * np.exp(-(grid[here] - t) / tau)
        x *= np.exp(-(until - t) / tau)
    return found


def _scaled(said: np.ndarray, true: np.ndarray, unit: float | None) -> np.ndarray:
    """Errors in parts of the largest change; tag and protein have a free unit, the weight has not."""
    if unit is not None:
        return (said / unit - true).ravel()
    size = float(np.sum(said * true) / max(float(np.sum(said * said)), 1e-300))
    return 0.3 * (size * said - true).ravel()


def _full(
    compiled: CompiledModel, episode: Protocol, courses: Sequence[Course], names: tuple[str, ...],
    synthesis: str, how: Mapping[str, Any],
) -> np.ndarray:  # fmt: skip
    """Changes from rest of the full model, shape (courses, names, times)."""
    protocols = []
    for course in courses:
        whole = Protocol(str(course), (), 0.0)
        for t in course.times:
            whole = whole + episode.shift(t)
        for start, stop in course.blocks:
            switch = (Setting(synthesis, start, 0.0), Setting(synthesis, stop, None))
            whole = whole + Protocol("", switch, stop)
        protocols.append(whole)
    run = simulate(compiled, [0.0, *READ], protocol=protocols, **how)
    values = np.stack([np.asarray(run[name]) for name in names], axis=1)
    return np.asarray(values[:, :, 1:] - values[:, :, :1])
