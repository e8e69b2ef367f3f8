"""Run a network: compiled windows of ticks, mechanisms and readings in between."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cascades.errors import NetworkError
from cascades.network.interrupt import undisturbed
from cascades.network.network import Network
from cascades.network.recording import Recording

READINGS = 100  # of the efficacies, unless said
CHUNK = 100.0  # [ms] between looks at the clock, the keyboard and the progress display
SAVE_EVERY = 60.0  # [s] of real time between checkpoints


def run_network(
    network: Network,
    duration: float,
    *,
    seed: int = 0,
    threads: int | None = None,
    read_every: float | None = None,
    keep_spikes: Sequence[str] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Recording:
    """Run a network for `duration` [ms] of biological time.

    Parameters
    ----------
    network : Network
    duration : float
        [ms].  If `checkpoint` exists, the run continues from it for so much longer, unless `resume` is said.
    seed : int
        Of the wiring, the initial state, the arrivals and the noise.  The same seed gives the same spikes on
        any number of threads.
    threads : int, optional
        One if not said.
    read_every : float, optional
        Efficacies are read so often [ms]; by default a hundred times in all.
    keep_spikes : names of populations, optional
        Whose spikes are recorded; all if not said.  An hour of ten thousand neurons at 5 Hz is 3 GB.
    checkpoint : path, optional
        The state is saved here now and then and at the end: `duration` twice is `duration`, stop, `duration`.
    resume : bool
        Finish a run that was interrupted or killed: `duration` counts from its beginning.
    progress : function of one number, optional
        Called with the fraction that is done.

    Returns
    -------
    Recording
        Of this run.  After Ctrl-C it holds what was reached, and `complete` is False.

    Raises
    ------
    NetworkError
        A duration or thread number that makes no sense; more synapses than memory; nothing left to resume.
    CheckpointError
        A checkpoint that is foreign, damaged, or of another network or seed.
    """
    from cascades.network.checkpoint import load, save
    from cascades.network.session import Session

    if not duration >= network.dt:
        raise NetworkError("run", f"duration must be at least dt (got {duration!r} ms)")
    threads = 1 if threads is None else threads
    if not 1 <= threads <= (os.cpu_count() or 1):
        raise NetworkError("run", f"threads must lie between 1 and {os.cpu_count()} (got {threads})")
    path = None if checkpoint is None else Path(checkpoint)
    session = (
        load(path, network, seed, threads) if path and path.exists() else Session.new(network, seed, threads)
    )
    session.keep(keep_spikes)
    begin, counted = session.tick, session.spike_counts.copy()
    end = (1 if resume else begin) + round(duration / network.dt)
    if end <= begin:
        raise NetworkError(
            "run", f"{checkpoint} stands at {(begin - 1) * network.dt:g} ms: nothing is left to run"
        )
    reading = round((read_every if read_every is not None else duration / READINGS) / network.dt)
    readings = set(range(begin - 1 + max(reading, 1), end, max(reading, 1)))
    chunk = max(round(CHUNK / network.dt), 1)
    saved = time.monotonic()
    complete = True
    session.read()
    try:
        while session.tick < end:
            stop = min(end, session.tick + chunk, *_next(readings, session.tick))
            with undisturbed():
                session.advance(stop)
                if session.tick - 1 in readings:
                    session.read()
            if path and time.monotonic() - saved > SAVE_EVERY:
                save(session, path)
                saved = time.monotonic()
            if progress:
                progress((session.tick - begin) / (end - begin))
    except KeyboardInterrupt:
        complete = False
    if path:
        save(session, path)
    return session.recording(begin, counted, complete)


def _next(readings: set[int], tick: int) -> list[int]:
    """The tick after the next reading, if there is one."""
    later = [r + 1 for r in readings if r >= tick]
    return [min(later)] if later else []
