"""Ensembles: members in chunks, here or on other machines, with results that can be kept.

A chunk is a value: model, times, protocols, parameter values, initial states, solver.  Where it runs
and in which order does not change its result, so a chunk that was computed once and stored never
has to be computed again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.executors import under_way
from cascades.protocols import Protocol
from cascades.solvers import Integration, Solution, Solver
from cascades.solvers.base import INTERRUPTED
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import RESTORE_PARAMETER, SET_PARAMETER, Stops, resolve

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

Values = Mapping[str, float | np.ndarray | Sequence[float]]

CHUNK_BYTES = 64e6  # of states and parameters that a chunk holds at once
SECONDS_HERE, SECONDS_AWAY = 1.0, 5.0  # of work in a chunk: for a lively progress bar; to be worth sending
_PILOT = 64  # members of the first chunk, which is timed
LEAST = 2  # members of a chunk


@dataclass(frozen=True, eq=False)
class Batch:
    """Members, without arrays of the size members x parameters.

    protocols : one for all, or one per member
    values, initial : name -> a number, or one per member
    kept : states and observables that are kept (None: all states)
    """

    compiled: CompiledModel
    times: np.ndarray
    protocols: Sequence[Protocol | None]
    values: Mapping[str, np.ndarray]
    initial: Mapping[str, np.ndarray]
    solver: Solver
    rtol: float
    kept: tuple[str, ...] | None
    n_members: int

    def part(self, first: int, last: int) -> Batch:
        """Some of the members."""

        def cut(group: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: v[first:last] if v.size > 1 else v for name, v in group.items()}

        protocols = self.protocols[first:last] if len(self.protocols) > 1 else self.protocols
        return replace(
            self,
            protocols=protocols,
            values=cut(self.values),
            initial=cut(self.initial),
            n_members=last - first,
        )

    def problem(self) -> Integration:
        """The arrays that a solver needs."""
        p = self.compiled.parameter_array(self.values)
        y = self.compiled.initial_array(p, self.initial)
        p = np.broadcast_to(p, (self.n_members, p.shape[1]))
        y = np.broadcast_to(y, (self.n_members, y.shape[1]))
        stops = [resolve(protocol, self.compiled.equations) for protocol in self.protocols]
        atol = absolute_tolerance(self.compiled, self.rtol)
        return Integration(self.compiled, self.times, y, p, stops, self.rtol, atol)

    def key(self) -> str:
        """A hash of everything that the result depends on."""
        from cascades import __version__

        digest = hashlib.sha256()
        head = (__version__, self.compiled.equations.content_hash, self.rtol, self.kept, self.n_members)
        digest.update(repr((*head, self.solver.identity(), list(self.protocols))).encode())
        for group in ({"times": self.times}, self.values, self.initial):
            for name in sorted(group):
                digest.update(name.encode() + np.asarray(group[name], dtype=float).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a chunk gives: values (members, times, kept), status (members,), reached (members,)."""

    values: np.ndarray
    status: np.ndarray
    reached: np.ndarray


def solve_batch(batch: Batch) -> Outcome:
    """Integrate the members and keep what is asked for."""
    problem = batch.problem()
    solution = batch.solver.integrate(problem) if problem.compiled.state_names else _at_rest(problem)
    if batch.kept is None:
        return Outcome(solution.values, solution.status, solution.reached)
    values = np.empty((batch.n_members, batch.times.size, len(batch.kept)))
    for k, name in enumerate(batch.kept):
        values[:, :, k] = observe(problem, solution.values, name)
    return Outcome(values, solution.status, solution.reached)


def _at_rest(problem: Integration) -> Solution:
    """A model without states: everything is a formula of time and parameters."""
    members, times = problem.n_members, problem.times
    none = np.zeros(members, dtype=np.int64)
    return Solution(np.empty((members, times.size, 0)), none, np.full(members, times[-1]), none)


def observe(problem: Integration, values: np.ndarray, name: str) -> np.ndarray:
    """A state or observable along trajectories, shape (members, times), with the parameters that the
    protocols had set."""
    compiled = problem.compiled
    if name in compiled.state_index:
        return values[:, :, compiled.state_index[name]]
    if not any(_sets_parameters(stops).size for stops in problem.stops):
        return compiled.observable(name, values, problem.parameters[:, None, :], problem.times)
    out = np.empty(values.shape[:2])
    for member in range(len(values)):
        p = _parameters_over_time(problem, member)
        out[member] = compiled.observable(name, values[member], p, problem.times)
    return out


def _sets_parameters(stops: Stops) -> np.ndarray:
    return np.flatnonzero((stops.action == SET_PARAMETER) | (stops.action == RESTORE_PARAMETER))


def _parameters_over_time(problem: Integration, member: int) -> np.ndarray:
    """Shape (times, parameters)."""
    stops: Stops = problem.stops_of(member)
    start = problem.parameters[member]
    p = np.repeat(start[None, :], problem.times.size, axis=0)
    for row in _sets_parameters(stops):
        i = stops.index[row]
        value = stops.value[row] if stops.action[row] == SET_PARAMETER else start[i]
        p[problem.times >= stops.time[row], i] = value
    return p


# --- chunks -------------------------------------------------------------------------------------


def largest_chunk(batch: Batch) -> int:
    """Members whose arrays fit into `CHUNK_BYTES`."""
    compiled = batch.compiled
    n, m = len(compiled.state_names), len(compiled.parameter_names)
    return max(1, int(CHUNK_BYTES / (8 * (n * (batch.times.size + 1) + m))))


def run_ensemble(
    batch: Batch,
    *,
    executor: Executor | None = None,
    store: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, members: None,
) -> Outcome:
    """All members, chunk by chunk.  Ctrl-C keeps what is done; the rest has the status "interrupted".

    executor : any `concurrent.futures.Executor` (processes, dask, mpi4py) that chunks are sent to
    store : a folder in which finished chunks are kept, and looked up
    progress : called with the number of members done and of all
    """
    size = len(batch.kept) if batch.kept is not None else len(batch.compiled.state_names)
    values = np.full((batch.n_members, batch.times.size, size), np.nan)
    outcome = Outcome(values, np.full(batch.n_members, INTERRUPTED), np.zeros(batch.n_members))
    done = 0
    chunks = _away(batch, executor, store) if executor is not None else _here(batch, store)
    try:
        for first, last, found in chunks:
            values[first:last] = found.values
            outcome.status[first:last], outcome.reached[first:last] = found.status, found.reached
            done += last - first
            progress(done, batch.n_members)
            if (found.status == INTERRUPTED).any():
                break
    except KeyboardInterrupt:
        pass
    return outcome


def _here(batch: Batch, store: Path | None) -> Iterator[tuple[int, int, Outcome]]:
    """Chunks in this process, about a second each; of a fixed size if they are stored."""
    limit = largest_chunk(batch)
    size = min(limit, _PILOT) if store is None else _stored_size(batch, store, min(limit, 4096))
    first = 0
    while first < batch.n_members:
        last = _end_of_chunk(batch, first, size)
        start = time.perf_counter()
        yield first, last, _looked_up(batch.part(first, last), store)
        if store is None:
            spent = max(time.perf_counter() - start, 1e-6)
            size = int(max(LEAST, min(limit, size * min(SECONDS_HERE / spent, 16.0))))
        first = last


def _end_of_chunk(batch: Batch, first: int, size: int) -> int:
    """Where the chunk from `first` ends.  No chunk has a single member unless the ensemble has: a lone member
    runs on other code, whose last digits differ."""
    last = min(first + max(size, LEAST), batch.n_members)
    return batch.n_members if batch.n_members - last < LEAST else last


def _away(batch: Batch, executor: Executor, store: Path | None) -> Iterator[tuple[int, int, Outcome]]:
    """Chunks of a few seconds through an executor, in the order in which they finish."""
    size = _worth_sending(batch)
    if store is not None:
        size = _stored_size(batch, store, size)
    firsts = [0]
    while (end := _end_of_chunk(batch, firsts[-1], size)) < batch.n_members:
        firsts.append(end)
    todo = iter(firsts)
    running: dict[Future[Outcome], tuple[int, int, Path | None]] = {}
    try:
        while True:
            while len(running) < under_way(executor):
                first = next(todo, None)
                if first is None:
                    break
                last = _end_of_chunk(batch, first, size)
                part = batch.part(first, last)
                path = None if store is None else store / f"{part.key()}.npz"
                known = None if path is None else _read(path)
                if known is not None:
                    yield first, last, known
                else:
                    running[executor.submit(solve_batch, part)] = first, last, path
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                first, last, path = running.pop(future)
                found = future.result()
                if path is not None:
                    _write(path, found)
                yield first, last, found
    finally:
        for future in running:
            future.cancel()


def _worth_sending(batch: Batch) -> int:
    """Members of a chunk that takes `SECONDS_AWAY`, by a trial run of a few."""
    pilot = min(batch.n_members, 16)
    solve_batch(batch.part(0, min(pilot, 2)))  # compiles what has to be compiled
    start = time.perf_counter()
    solve_batch(batch.part(0, pilot))
    each = max((time.perf_counter() - start) / pilot, 1e-7)
    return max(1, min(largest_chunk(batch), int(SECONDS_AWAY / each), -(-batch.n_members // 2)))


# --- the store ----------------------------------------------------------------------------------


def _stored_size(batch: Batch, store: Path, suggested: int) -> int:
    """The chunk size that this ensemble was begun with, so that its chunks are found again."""
    store.mkdir(parents=True, exist_ok=True)
    path = store / f"{batch.key()}.size"
    try:
        return max(1, int(path.read_text()))
    except (OSError, ValueError):
        _replace(path, lambda file: file.write(str(suggested).encode()))
        return suggested


def _looked_up(part: Batch, store: Path | None) -> Outcome:
    if store is None:
        return solve_batch(part)
    path = store / f"{part.key()}.npz"
    found = _read(path)
    if found is None:
        found = solve_batch(part)
        if not (found.status == INTERRUPTED).any():
            _write(path, found)
    return found


def _read(path: Path) -> Outcome | None:
    """A stored chunk; a file that cannot be read is computed again."""
    import zipfile

    try:
        with path.open("rb") as file, np.load(file) as stored:
            return Outcome(stored["values"], stored["status"], stored["reached"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, found: Outcome) -> None:
    columns: dict[str, Any] = {"values": found.values, "status": found.status, "reached": found.reached}
    _replace(path, lambda file: np.savez(file, **columns))


def _replace(path: Path, write: Callable[[Any], Any]) -> None:
    """Write under a temporary name first: a file is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
