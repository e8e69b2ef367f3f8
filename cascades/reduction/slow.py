"""The own dynamics of a slow variable: where activity drives it, and how fast it follows.

    v' = (target(rate) - v) / tau

The full model is driven by Poisson spikes before and after the synapse; the slow variable itself averages
over what fast calcium and its sensors do.  `tau` is one number for all rates, `target` a table over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import RuleError, UnknownName
from cascades.protocols import spikes
from cascades.reduction.cut import POST, PRE
from cascades.simulate import simulate

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.solvers import Solver

RATES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # of spikes before and after the synapse [Hz]
POINTS = 24
LIFETIMES = 1.5  # of the variable, by its own decay at rest, that it is watched for
SHORTEST, LONGEST = 60.0, 4.0 * 3600.0  # [s]
MOST_SPIKES = 20_000  # per run and side; runs at high rates are cut short
WIDEST = 30.0  # factor by which tau may differ from the decay at rest


@dataclass(frozen=True)
class SlowDynamics:
    """The slow variable `name`: `tau` [s], and its `targets` at `rates` [Hz] of spikes.

    start : its value at rest
    r2 : share of the variance of its time courses that this equation says right
    """

    name: str
    tau: float
    rates: tuple[float, ...]
    targets: tuple[float, ...]
    start: float
    r2: float

    def target(self, rate: Any) -> Any:
        """Where activity at `rate` [Hz] drives it; constant beyond the highest rate."""
        return np.interp(rate, self.rates, self.targets)

    def at(self, rate: float, times: Any) -> np.ndarray:
        """Its course at `times` [s] of activity from rest."""
        left = np.exp(-np.asarray(times, dtype=float) / self.tau)
        return np.asarray(self.start * left + self.target(rate) * (1.0 - left))

    def __str__(self) -> str:
        table = ", ".join(f"{r:g} Hz: {t:.4g}" for r, t in zip(self.rates, self.targets, strict=True))
        return f"{self.name} follows in {self.tau:.4g} s (R2 {self.r2:.3f}) {table}"


def derive_slow_dynamics(
    compiled: CompiledModel,
    name: str,
    *,
    rates: Sequence[float] = RATES,
    seed: int = 0,
    solver: str | Solver = "rodas5p",
    rtol: float = 1e-5,
) -> SlowDynamics:
    """Drive the model at each rate and read off target and pace of the state `name`.

    Raises
    ------
    UnknownName
        No such state.
    RuleError
        A model that spikes do not reach, a state that does not decay, or one that activity does not move.
    """
    from scipy.optimize import minimize_scalar

    if name not in compiled.state_names:
        raise UnknownName("slow variable (a state)", name, compiled.state_names)
    ports = {port.name for port in compiled.equations.ports}
    reached = [port for port in (PRE, POST) if port in ports]
    if not reached:
        raise RuleError(name, f"no spikes reach the model: it has no port {PRE!r} or {POST!r}")
    rates = tuple(sorted({0.0, *map(float, rates)}))
    row = compiled.state_names.index(name)
    settled = simulate(compiled, [0.0, LONGEST], solver=solver, rtol=rtol).values[0, -1]
    p = compiled.parameter_array({})[0]
    decay = -float(compiled.jacobian(settled, p)[row, row])
    if decay <= 0.0:
        raise RuleError(name, "it does not decay by itself: it has no time of its own")
    whole = float(np.clip(LIFETIMES / decay, SHORTEST, LONGEST))
    rng = np.random.default_rng(seed)
    ends = np.array([min(whole, MOST_SPIKES / rate) if rate else whole for rate in rates])
    protocols = [
        sum((spikes(_poisson(rng, rate, end), target=port) for port in reached[1:]),
            start=spikes(_poisson(rng, rate, end), target=reached[0]))
        for rate, end in zip(rates, ends, strict=True)
    ]  # fmt: skip
    grid = whole * np.linspace(0.0, 1.0, POINTS + 1)
    start = {n: np.full(len(rates), v) for n, v in zip(compiled.state_names, settled, strict=True)}
    run = simulate(compiled, grid, protocol=protocols, initial=start, solver=solver, rtol=rtol)
    seen = np.asarray(run[name])
    known = grid <= ends[:, None] * (1.0 + 1e-9)
    spread = float(np.abs(np.where(known, seen - settled[row], 0.0)).max())
    if spread <= 1e-6 * max(abs(float(settled[row])), 1e-12):
        raise RuleError(name, f"activity up to {rates[-1]:g} Hz does not move it")

    def fitted(log_tau: float) -> tuple[np.ndarray, np.ndarray]:
        """The best targets at this tau, and the errors."""
        rise = 1.0 - np.exp(-grid / np.exp(log_tau))
        change = np.where(known, seen - settled[row], 0.0)
        size = np.sum(change * rise * known, axis=1) / np.sum(rise**2 * known, axis=1)
        return settled[row] + size, np.where(known, change - size[:, None] * rise, 0.0)

    middle = -np.log(decay)
    best = minimize_scalar(
        lambda x: float(np.sum(fitted(x)[1] ** 2)),
        bounds=(middle - np.log(WIDEST), middle + np.log(WIDEST)),
        method="bounded",
    )
    targets, errors = fitted(float(best.x))
    change = seen[known] - seen[known].mean()
    r2 = 1.0 - float(np.sum(errors**2)) / float(np.sum(change**2))
    return SlowDynamics(name, float(np.exp(best.x)), rates, tuple(targets.tolist()), float(settled[row]), r2)


def _poisson(rng: np.random.Generator, rate: float, duration: float) -> np.ndarray:
    return np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration)))
