"""Many networks, or one with many seeds, here or on other machines.

A member is a network and a seed, and its result does not depend on where it runs: what was computed once and
stored never has to be computed again.  Networks that do not fit into one machine are for `run_on_nest`.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from typing import Any

import numpy as np

from cascades.errors import NetworkError
from cascades.executors import under_way
from cascades.network.network import Network
from cascades.network.recording import Recording, write_whole
from cascades.network.run import run_network

Arrays = dict[str, np.ndarray]


def summary(recording: Recording) -> Arrays:
    """Rates [Hz] of the populations, and mean and spread of the efficacies at `times` [ms], by name."""
    found: dict[str, Any] = {f"rate {name}": np.array(rate) for name, rate in recording.rates.items()}
    for name, values in recording.mean_efficacy.items():
        found[f"mean efficacy {name}"] = values
        found[f"spread of efficacy {name}"] = recording.spread_of_efficacy[name]
    return {"times": recording.times, **found}


def run_networks(
    networks: Network | Sequence[Network],
    duration: float,
    *,
    seeds: Sequence[int],
    keep: Callable[[Recording], Mapping[str, Any]] = summary,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, members: None,
) -> list[Arrays | None]:
    """Run every member for `duration` [ms] of biological time.

    Parameters
    ----------
    networks : Network, or a sequence of as many as there are seeds
    seeds : sequence of int
        One per member.
    keep : function of a Recording
        What is kept of a member: numbers and arrays by name.  With an executor of other processes it must be
        a function of a module, not of a notebook cell.
    executor : any `concurrent.futures.Executor`, optional
        Processes, dask, MPI; each member is one task.  By default one after the other, here.
    store : path, optional
        A folder in which the results of finished members are kept, and looked up.
    progress : function of two numbers, optional
        Called with how many members are done, and of how many.

    Returns
    -------
    list of dict of arrays
        In the order of the seeds.  After Ctrl-C, None for a member that was not reached.

    Raises
    ------
    NetworkError
        Not as many networks as seeds; whatever a network cannot do.
    """
    seeds = [int(seed) for seed in seeds]
    each = [networks] * len(seeds) if isinstance(networks, Network) else list(networks)
    if len(each) != len(seeds):
        raise NetworkError("ensemble", f"one seed per network is needed (got {len(seeds)} for {len(each)})")
    folder = None if store is None else Path(store)
    found: list[Arrays | None] = [None] * len(seeds)
    members = list(zip(each, seeds))
    paths = [None if folder is None else folder / f"{_key(*m, duration, keep)}.npz" for m in members]
    for k, path in enumerate(paths):
        found[k] = None if path is None else _read(path)
    todo = [k for k, known in enumerate(found) if known is None]
    done = len(found) - len(todo)
    progress(done, len(found))
    results = _here(members, todo, duration, keep) if executor is None else _away(
        members, todo, duration, keep, executor)  # fmt: skip
    try:
        for k, result in results:
            path = paths[k]
            if path is not None:
                write_whole(path, result)
            found[k] = result
            done += 1
            progress(done, len(found))
    except KeyboardInterrupt:
        pass
    return found


def _member(network: Network, seed: int, duration: float, keep: Callable[[Recording], Any]) -> Arrays:
    recording = run_network(network, duration, seed=seed, threads=1)
    if not recording.complete:
        raise KeyboardInterrupt
    return {name: np.asarray(value) for name, value in keep(recording).items()}


Members = Sequence[tuple[Network, int]]
Keep = Callable[[Recording], Mapping[str, Any]]


def _here(members: Members, todo: list[int], duration: float, keep: Keep) -> Iterator[tuple[int, Arrays]]:
    for k in todo:
        yield k, _member(*members[k], duration, keep)


def _away(
    members: Members, todo: list[int], duration: float, keep: Keep, executor: Executor
) -> Iterator[tuple[int, Arrays]]:
    """Members in the order in which they finish; never many more than there are workers on the way."""
    running: dict[Future[Arrays], int] = {}
    waiting = iter(todo)
    try:
        while True:
            for k in waiting:
                running[executor.submit(_member, *members[k], duration, keep)] = k
                if len(running) >= under_way(executor):
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        for future in running:
            future.cancel()


def _key(network: Network, seed: int, duration: float, keep: Keep) -> str:
    """A hash of everything that a member's result depends on."""
    from cascades import __version__

    name = f"{keep.__module__}.{keep.__qualname__}"
    parts = (__version__, network.content_hash(), seed, float(duration), name)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read(path: Path) -> Arrays | None:
    """A stored result; a file that cannot be read is computed again."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
