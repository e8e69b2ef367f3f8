"""Steady states: where all rates vanish, by Newton's method on the system without conserved totals,
with the time course as a guide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cascades.compiler.signs import refuse_negative
from cascades.errors import NoEquilibrium, UnknownName
from cascades.expression import ZERO
from cascades.solvers import Integration, solver_named
from cascades.solvers.tolerance import absolute_tolerance, state_scales
from cascades.stops import resolve

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.compiler.reduced import ReducedSystem

_NEWTON_STEPS = 40
_CONVERGED = 1e-11  # last Newton step, relative to each state (and a millionth of its scale)
_LONGEST = 1e14  # of the fastest time constant
_NEGATIVE = 1e-9  # of a state's scale: below this a root is not a concentration
_CONSTANT = 1e-9  # of the rates that cancel: below this a combination of them is zero


@dataclass(frozen=True, eq=False)
class SteadyState:
    """An equilibrium by names, in the model's own units.

    state : all states, those that conserved totals give back included
    values : all parameters
    totals : conserved totals
    eigenvalues : of the Jacobian without conserved totals, largest real part first [1/time]
    residual : largest rate, each relative to its state's size [1/time]
    observables : what follows from the state
    """

    state: Mapping[str, float]
    values: Mapping[str, float]
    totals: Mapping[str, float]
    eigenvalues: np.ndarray
    residual: float
    observables: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_stable(self) -> bool:
        """Whether every small perturbation decays."""
        return bool((self.eigenvalues.real < 0.0).all())

    @property
    def n_unstable(self) -> int:
        """The number of directions in which perturbations grow."""
        return int(np.count_nonzero(self.eigenvalues.real > 0.0))

    @property
    def slowest_time(self) -> float:
        """The time constant of the slowest decay or growth [time]."""
        return float(1.0 / np.abs(self.eigenvalues.real).min())

    def __getitem__(self, name: str) -> float:
        """A state, observable, parameter or conserved total."""
        for group in (self.state, self.observables, self.values, self.totals):
            if name in group:
                return group[name]
        raise UnknownName("quantity", name, (*self.state, *self.observables))

    def __repr__(self) -> str:
        kind = "stable" if self.is_stable else f"unstable ({self.n_unstable} growing)"
        shown = ", ".join(f"{name} = {value:.6g}" for name, value in list(self.state.items())[:6])
        return f"<SteadyState {kind}: {shown}{', ...' if len(self.state) > 6 else ''}>"


def steady_state(
    compiled: CompiledModel,
    *,
    values: Mapping[str, float] | None = None,
    guess: Mapping[str, float] | None = None,
) -> SteadyState:
    """The steady state that the model goes to from its initial state, or the one near `guess`.

    Parameters
    ----------
    values : parameter values and conserved totals that differ from the model's own
    guess : states by name; the rest are initial values

    Raises
    ------
    UnknownName
        A value or state that does not exist.
    ModelError
        A concentration, an amount or a volume below zero.
    NoEquilibrium
        Neither Newton's method nor a long time course ends in one; the error carries the last state.
    """
    system = _system(compiled, values or {})
    start = system.expand(system.restrict(compiled.initial_array(system.p[None, :], guess)[0]))
    scale = state_scales(compiled)
    held = _held(system, start, scale)
    if guess:
        found = _newton(system, start, scale, held)
        if found is not None:
            return describe(system, found, held)
    y = start
    for y in _course(system, start):
        if compiled.equations.events:
            system = system.with_totals_of(y)  # events change what reactions conserve
        found = _newton(system, y, scale, held)
        if found is not None and _is_near(found, y, scale):
            return describe(system, found, held)
    names = compiled.state_names
    moving = np.abs(compiled.rates(y, system.p)) / scale
    worst = names[int(np.argmax(moving))]
    drifting = _drifting(system, y)
    if drifting:
        what = drifting[0] if len(drifting) == 1 else f"a combination of {', '.join(drifting)}"
        reason = f"{what} is only made, or only removed, and does not come to rest"
    else:
        reason = f"the state still changes after a long time, {worst} most"
    raise NoEquilibrium(reason, dict(zip(names, y.tolist(), strict=True)), float(moving.max()))


def describe(system: ReducedSystem, y: np.ndarray, held: np.ndarray | None = None) -> SteadyState:
    """A steady state with its eigenvalues, without those of what is `held`, and observables."""
    compiled = system.compiled
    jacobian = _without_algebraic(system, system.restrict(y))
    if held is not None and held.size:
        moving = _null_space(held[:, ~_algebraic(system)])
        jacobian = moving.T @ jacobian @ moving
    eigenvalues = np.linalg.eigvals(jacobian)
    residual = np.abs(compiled.rates(y, system.p)) / np.maximum(np.abs(y), 1e-6 * state_scales(compiled))
    observables = {
        name: float(compiled.observable(name, y, system.p)) for name in compiled.equations.observables
    }
    return SteadyState(
        state=dict(zip(compiled.state_names, y.tolist(), strict=True)),
        values=dict(zip(compiled.parameter_names, system.p.tolist(), strict=True)),
        totals=dict(zip(system.total_names, system.total_values.tolist(), strict=True)),
        eigenvalues=eigenvalues[np.argsort(-eigenvalues.real)],
        residual=float(residual.max(initial=0.0)),
        observables=observables,
    )


def _system(compiled: CompiledModel, values: Mapping[str, float]) -> ReducedSystem:
    refuse_negative(compiled, values)
    names = {total.name for total in compiled.equations.conserved}
    totals = {name: float(value) for name, value in values.items() if name in names}
    p = compiled.parameter_array({name: value for name, value in values.items() if name not in names})[0]
    return compiled.reduced(p, totals)


def _algebraic(system: ReducedSystem) -> np.ndarray:
    """Which of the independent states have algebraic equations."""
    return np.array(system.compiled.equations.is_algebraic, dtype=bool)[system.independent]


def _held(system: ReducedSystem, start: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Combinations of the independent states that stay as they are, shape (k, independent): states that
    only events change; and what is conserved at these parameter values alone, a step being switched off.

    The latter are sought where the Jacobian is singular: rates at random states lack them.
    """
    independent = system.independent
    rates = system.compiled.equations.rates
    rests = np.array([rates[i] is ZERO for i in independent], dtype=bool)
    own = np.eye(len(independent))[rests]
    moves = np.flatnonzero(~rests & ~_algebraic(system))
    with np.errstate(all="ignore"):
        jacobian = system.jacobian(system.restrict(start))[np.ix_(~rests, ~rests)]
    if not moves.size or not np.isfinite(jacobian).all():
        return own
    if np.linalg.matrix_rank(jacobian) == len(jacobian):
        return own
    some, others = (_rates_at_random(system, scale, seed)[:, moves] for seed in (0, 1))
    if not len(some) or not len(others):
        return own
    size = np.linalg.norm(some, axis=0)
    size[size == 0.0] = 1.0
    found = np.zeros((0, len(independent)))
    for weights in _null_space(some / size, _CONSTANT).T / size:
        if (np.abs(others @ weights) <= 10.0 * _CONSTANT * (np.abs(others) @ np.abs(weights))).all():
            row = np.zeros(len(independent))
            row[moves] = weights / np.linalg.norm(weights)
            found = np.vstack([found, row])
    return np.vstack([own, found])


def _rates_at_random(system: ReducedSystem, scale: np.ndarray, seed: int) -> np.ndarray:
    """Finite rates, each row divided by its largest, at states of the model's own size."""
    rng = np.random.default_rng(seed)
    size = scale[system.independent]
    with np.errstate(all="ignore"):
        rows = np.array(
            [system.rates(size * np.exp(rng.normal(size=size.size))) for _ in range(2 * size.size + 8)]
        )
    rows = rows[np.isfinite(rows).all(axis=1)]
    return rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.finfo(float).tiny)


def _null_space(rows: np.ndarray, tolerance: float = 1e-12) -> np.ndarray:
    """An orthonormal basis of what all rows are orthogonal to, as columns."""
    _, s, vt = np.linalg.svd(rows)
    rank = int(np.count_nonzero(s > tolerance * s.max(initial=0.0)))
    return vt[rank:].T


def _newton(
    system: ReducedSystem, start: np.ndarray, scale: np.ndarray, held: np.ndarray
) -> np.ndarray | None:
    """Newton's method, with steps shortened while they do not reduce the residual; no step moves what is
    held."""
    z = system.restrict(start).copy()
    size = scale[system.independent]
    with np.errstate(all="ignore"):
        residual = system.rates(z)
        for _ in range(_NEWTON_STEPS):
            step = _step(system.jacobian(z), residual, size, held)
            if step is None:
                return None
            length = 1.0
            while True:
                trial = z + length * step
                new = system.rates(trial)
                if (
                    np.abs(new / size).max() <= (1.0 - 0.25 * length) * np.abs(residual / size).max()
                    or length < 1e-3
                ):
                    break
                length *= 0.5
            z, residual = trial, new
            if (np.abs(length * step) <= _CONVERGED * (np.abs(z) + 1e-6 * size)).all():
                break
        else:
            return None
    y = system.expand(z)
    concentrations = ~np.array(system.compiled.equations.is_algebraic)
    starts_negative = start < 0.0
    negative = (y < -_NEGATIVE * scale) & concentrations & ~starts_negative
    return None if negative.any() or not np.isfinite(y).all() else y


def _step(
    jacobian: np.ndarray, residual: np.ndarray, size: np.ndarray, held: np.ndarray
) -> np.ndarray | None:
    """The step of Newton's method, states measured in their own size.

    What is held, H, is no combination of rates that the others lack: H J = 0.  So the solution of
    (J + S H^T H) x = -r, S a positive scale of each row, has H x = 0 and J x = -r.
    """
    scaled = jacobian * size
    if len(held):
        rows = np.abs(scaled).max(axis=1)
        rows[rows == 0.0] = 1.0
        weights = held * size
        weights = weights / np.abs(weights).max(axis=1, keepdims=True)
        scaled = scaled + rows[:, None] * (held.T @ weights)
    try:
        step = size * np.linalg.solve(scaled, -residual)
    except np.linalg.LinAlgError:
        return None
    return step if np.isfinite(step).all() else None


def _course(system: ReducedSystem, start: np.ndarray):  # type: ignore[no-untyped-def]
    """States along the time course, at times a factor of ten apart."""
    compiled = system.compiled
    with np.errstate(all="ignore"):
        fastest = np.abs(system.jacobian(system.restrict(start))).sum(axis=1).max(initial=0.0)
    time = 10.0 / fastest if np.isfinite(fastest) and fastest > 0.0 else 1.0
    end, y = time * _LONGEST, start
    rtol = 1e-6
    while time < end:
        problem = Integration(
            compiled, np.array([time]), y[None, :], system.p[None, :], [resolve(None, compiled.equations)],
            rtol, absolute_tolerance(compiled, rtol),
        )  # fmt: skip
        solution = solver_named("rodas5p").integrate(problem)
        if solution.status[0] != 0:
            return
        y = solution.values[0, -1]
        yield y
        time *= 10.0


def _is_near(found: np.ndarray, y: np.ndarray, scale: np.ndarray) -> bool:
    """Whether Newton's method stayed in the neighbourhood it was sent to."""
    return bool((np.abs(found - y) <= 0.05 * np.abs(y) + 1e-3 * scale).all())


def _without_algebraic(system: ReducedSystem, z: np.ndarray) -> np.ndarray:
    """The Jacobian of the differential states, the algebraic ones following them."""
    jacobian = system.jacobian(z)
    algebraic = np.array(system.compiled.equations.is_algebraic)[system.independent]
    if not algebraic.any():
        return jacobian
    d, a = ~algebraic, algebraic
    follows = np.linalg.solve(jacobian[np.ix_(a, a)], jacobian[np.ix_(a, d)])
    return jacobian[np.ix_(d, d)] - jacobian[np.ix_(d, a)] @ follows


def _drifting(system: ReducedSystem, y: np.ndarray) -> list[str]:
    """The states of a combination that the Jacobian does not see and whose rate is not zero; none if the
    Jacobian is regular."""
    z = system.restrict(y)
    jacobian, rates = system.jacobian(z), system.rates(z)
    if not jacobian.size or not np.isfinite(jacobian).all():
        return []
    u, s, _ = np.linalg.svd(jacobian)
    for weights in u[:, s <= s.max() * len(s) * np.finfo(float).eps].T:
        if abs(weights @ rates) > 1e-6 * (np.abs(weights) @ np.abs(rates)):
            largest = np.argsort(-np.abs(weights))[:3]
            return [system.names[i] for i in largest if abs(weights[i]) > 0.1 * np.abs(weights).max()]
    return []
