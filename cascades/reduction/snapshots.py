"""States that random trains lead through, and what the weight later feels of a small change in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.reduction.answers import MEMBERS
from cascades.reduction.drive import Drive
from cascades.reduction.families import Case
from cascades.reduction.states import RestingStates
from cascades.simulate import simulate
from cascades.solvers import Solver

DURING, AFTER = 40, 25  # readings while a train lasts, and in the rest after it
PLACES, LAGS, HORIZON = 80, 14, 3.0  # states and lags of the Gramian; the longest lag in slowest relaxations


def snapshots(
    drive: Drive,
    clamped: CompiledModel,
    states: RestingStates,
    cases: Sequence[Case],
    rest: float,
    *,
    solver: str | Solver,
    rtol: float,
) -> np.ndarray:
    """States of the clamped model, shape (snapshots, n), from DOWN and UP, while trains last and after."""
    starts = 2 if states.is_bistable else 1
    columns = [drive.model.state_index[name] for name in clamped.state_names]
    order = sorted(cases, key=lambda case: case.end)
    found = []
    for first in range(0, len(order), MEMBERS):
        batch = order[first : first + MEMBERS]
        whole = batch[-1].end
        times = np.concatenate(
            [np.linspace(0.0, whole, DURING + 1), whole + np.geomspace(0.001 * rest, rest, AFTER)]
        )
        protocols = [c.protocol(shift=whole - c.end, delay=drive.delay, ports=drive.ports) for c in batch]
        y = np.repeat(drive.initial[:starts], len(batch), axis=0)
        run = simulate(
            drive.model, times, protocol=protocols * starts, rtol=rtol, solver=solver, throw=False,
            initial={name: y[:, i] for i, name in enumerate(drive.model.state_names)},
        )  # fmt: skip
        begun = times >= np.array([whole - c.end for c in batch] * starts)[:, None]
        found.append(run.values[:, :, columns][begun])
    every = np.concatenate(found)
    return np.asarray(every[np.isfinite(every).all(axis=1)])


def observability(
    clamped: CompiledModel,
    calcium: str,
    states: RestingStates,
    every: np.ndarray,
    rows: np.ndarray,
    slope: np.ndarray,
) -> np.ndarray:
    """The observability Gramian of the weight, shape (k, k), for the states at `rows`: the mean over
    snapshots of the integral of g g', where g(t) is what a change of a state does to the weight t later.

    All other states are held.  Lall, Marsden & Glavaski (2002) Int. J. Robust Nonlinear Control 12:519.
    """
    from scipy.linalg import expm

    p = clamped.parameter_array({calcium: states.rest})[0]
    slowest = float(states.slowest[0]) if states.slowest.size else 0.05
    lags = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, LAGS) * HORIZON / max(slowest, 1e-6)])
    places = np.random.default_rng(0).choice(len(every), min(PLACES, len(every)), replace=False)
    whole = np.zeros((rows.size, rows.size))
    for place in places:
        jacobian = clamped.jacobian(every[place], p)[np.ix_(rows, rows)].T
        for lag, step in zip(lags[:-1], np.diff(lags), strict=True):
            felt = expm(jacobian * lag) @ slope
            if np.isfinite(felt).all():
                whole += step * np.outer(felt, felt) / len(places)
    return whole
