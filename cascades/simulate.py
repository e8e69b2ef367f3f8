"""Where a compiled model, a protocol and a solver meet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.signs import refuse_negative
from cascades.ensemble import Batch, Outcome, Values, observe, run_ensemble, solve_batch
from cascades.errors import ProtocolError, SolverFailure, UnknownName
from cascades.protocols import Protocol
from cascades.solvers import DEFAULT, REASONS, Solver, solver_named
from cascades.solvers.tolerance import ATOL_SCALE, state_scales
from cascades.steady import steady_state as steady_state
from cascades.stops import seconds_per
from cascades.trajectory import Trajectory

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

_PATIENCE = 3.0  # s after which a run that goes on shows its progress


def simulate(
    compiled: CompiledModel,
    times: np.ndarray | Sequence[float],
    *,
    protocol: Protocol | Sequence[Protocol] | None = None,
    values: Values | None = None,
    initial: Values | None = None,
    solver: str | Solver = DEFAULT,
    rtol: float = 1e-6,
    observables: Sequence[str] | None = None,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> Trajectory:
    """The trajectories of one member or of a batch, from time 0.

    Parameters
    ----------
    times : array, shape (times,)
        When the states are reported [the model's time unit, s for shipped models].
    protocol : Protocol, or one per member
        Spikes are exact stops at which states jump; nothing is missed, whatever `times` are.
    values, initial : mapping of a name to a number or an array of shape (members,)
        Parameter values and initial states that differ from the model's own.
    solver : an entry of `cascades.solvers.METHODS`, or a Solver
    rtol : relative tolerance
        The error of a state is kept below rtol * (|state| + a millionth of the state's own scale).
    observables : names of states and observables
        Keep only these: a million members then need little memory.
    executor : a `concurrent.futures.Executor`
        Chunks of some seconds are sent to it: processes, dask.distributed's `client.get_executor()`,
        mpi4py.futures.
    store : a folder
        Finished chunks are kept there under a hash of all they depend on; run again, a sweep that was
        stopped goes on where it was.
    progress : whether to show a progress bar; by default after some seconds on a terminal
    throw : whether a failed member raises; otherwise `status` says why and NaN fills the rest

    Returns
    -------
    Trajectory
        Ctrl-C stops early and keeps the members that are done; the others have the status
        "interrupted".

    Raises
    ------
    UnknownName
        A value, initial state, stimulus target, observable or solver that does not exist.
    ValueError
        Times that are not sorted, or different numbers of members.
    ModelError
        A value is missing, or a concentration, an amount or a volume is below zero.
    ProtocolError
        A stimulus would come only after the last time.
    SolverFailure
        Some member failed; the error carries the trajectory so far.
    """
    batch = make_batch(compiled, times, protocol, values, initial, solver_named(solver), rtol, observables)
    if batch.n_members == 1 and executor is None and store is None:
        outcome = solve_batch(batch)
    else:
        with _Bar(progress) as bar:
            folder = None if store is None else Path(store)
            outcome = run_ensemble(batch, executor=executor, store=folder, progress=bar)
    trajectory = _trajectory(batch, outcome)
    failed = np.flatnonzero(outcome.status)
    if throw and failed.size:
        reasons = {int(m): (float(outcome.reached[m]), REASONS[outcome.status[m]]) for m in failed}
        raise SolverFailure(trajectory, reasons)
    return trajectory


def make_batch(
    compiled: CompiledModel,
    times: np.ndarray | Sequence[float],
    protocol: Protocol | Sequence[Protocol] | None,
    values: Values | None,
    initial: Values | None,
    solver: Solver,
    rtol: float,
    observables: Sequence[str] | None = None,
) -> Batch:
    """Check what a user gives and count the members.

    Raises ValueError if values, initial states and protocols differ in the number of members, and
    ModelError for a concentration below zero.
    """
    if not 0.0 < rtol < 1.0:
        raise ValueError(f"rtol must lie between 0 and 1 (got {rtol!r})")
    alone = protocol is None or isinstance(protocol, Protocol)
    protocols: list[Protocol | None] = [protocol] if alone else list(protocol)  # type: ignore[list-item, arg-type]
    columns = [
        {name: np.asarray(value, dtype=float).reshape(-1) for name, value in (group or {}).items()}
        for group in (values, initial)
    ]
    for kind, group, known in (
        ("parameter", columns[0], compiled.parameter_index),
        ("state", columns[1], compiled.state_index),
    ):
        for name in group:
            if name not in known:
                raise UnknownName(kind, name, known)
    refuse_negative(compiled, columns[0])
    if columns[1]:
        allowed = ATOL_SCALE * state_scales(compiled)
        refuse_negative(compiled, columns[1], dict(zip(compiled.state_names, allowed.tolist(), strict=True)))
    for name in observables or ():
        compiled.formula(name)
    counts = {len(protocols)} | {column.size for group in columns for column in group.values()}
    members = max(counts)
    if counts - {1, members} or 0 in counts:
        sizes = ", ".join(str(n) for n in sorted(counts))
        raise ValueError(f"values, initial states and protocols have different numbers of members: {sizes}")
    kept = None if observables is None else tuple(observables)
    at = checked_times(times)
    for one in protocols:
        if one is not None:
            _check_end(one, float(at[-1]), compiled.equations.time_unit)
    return Batch(compiled, at, protocols, columns[0], columns[1], solver, rtol, kept, members)


def checked_times(times: np.ndarray | Sequence[float]) -> np.ndarray:
    """The output times as an array.  Raises ValueError if they are not finite, sorted and >= 0."""
    array = np.atleast_1d(np.asarray(times, dtype=float))
    if array.size == 0 or not np.isfinite(array).all() or array[0] < 0.0 or (array[1:] < array[:-1]).any():
        raise ValueError("times must be finite, sorted and not negative; the run starts at 0")
    return array


def _check_end(protocol: Protocol, end: float, unit: str) -> None:
    """Raise ProtocolError for stimuli that would come only after the run has ended."""
    last = protocol.last_stimulus() / seconds_per(unit)
    if last > end:
        raise ProtocolError(
            protocol.name,
            last,
            f"a stimulus comes after the run ends at {end:g}; simulate longer, or leave it out",
        )


def _trajectory(batch: Batch, outcome: Outcome) -> Trajectory:
    equations = batch.compiled.equations
    observe_one: Callable[[str], np.ndarray] | None = None
    if batch.kept is None:

        def observe_one(name: str) -> np.ndarray:
            return observe(batch.problem(), outcome.values, name)

    return Trajectory(
        times=batch.times,
        values=outcome.values,
        names=equations.state_names if batch.kept is None else batch.kept,
        units=equations.units,
        status=outcome.status,
        reached=outcome.reached,
        time_unit=equations.time_unit,
        provenance=_provenance(batch.compiled, list(batch.protocols), batch.solver, batch.rtol),
        observable_names=tuple(equations.observables) if batch.kept is None else (),
        _observe=observe_one,
    )


class _Bar:
    """A progress bar that appears when a run takes longer than one wants to wait in the dark."""

    def __init__(self, wanted: bool | None):
        self.wanted = sys.stderr.isatty() if wanted is None else wanted
        self.patience = _PATIENCE if wanted is None else 0.0
        self.start = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, done: int, members: int) -> None:
        if not self.wanted or (self.bar is None and (time.monotonic() - self.start < self.patience)):
            return
        if self.bar is None:
            self._show(members)
        rate = done / max(time.monotonic() - self.start, 1e-9)
        self.bar.update(self.task, completed=done, rate=f"{rate:,.3g} members/s")

    def _show(self, members: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self.bar.start()
        self.task = self.bar.add_task("simulate", total=members, rate="")


def _provenance(
    compiled: Any, protocols: list[Protocol | None], method: Solver, rtol: float
) -> dict[str, Any]:
    names = [protocol.name if protocol else "none" for protocol in protocols]
    return {
        "model": compiled.equations.name,
        "equations": compiled.equations.content_hash,
        "protocol": names[0] if len(names) == 1 else names,
        "solver": method.name,
        "rtol": rtol,
    }
