"""Other simulators on our own tasks: the same rule and network through our exports, side by side.

Every peer is a process of its own that builds what it needs, waits, and on each request runs a stretch of
biological time and answers with the CPU seconds of its loop alone.  Ours and theirs are taken in turn, on one
thread.  CASCADES_SIMULATORS names the interpreter that has Brian2, NEST 3.10 and NESTML; without it, or
without one of them, its rows are left out.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis._speed import Row

HOW = "ours and theirs in turn, each peer in a process of its own, its loop alone"
REPEATS = 5
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Peer:
    """A program that answers every line on its input with CPU seconds per biological second."""

    def __init__(self, python: str, files: dict[str, str], arguments: Sequence[object], **environment: str):
        self.folder = tempfile.TemporaryDirectory()
        for name, text in files.items():
            (Path(self.folder.name) / name).write_text(text)
        # what it says beside its answers goes to a file: a full pipe would stop it
        self.log = open(Path(self.folder.name) / "log", "w+")  # noqa: SIM115 (closed with the peer)
        self.process = subprocess.Popen(
            [python, "go.py", *map(str, arguments)], cwd=self.folder.name, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, **ONE_THREAD, **environment},
        )  # fmt: skip

    def ask(self) -> float:
        """One stretch of biological time."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("a peer without pipes")
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        self.log.seek(0)
        raise RuntimeError(f"a peer stopped: {self.log.read()[-2000:]}")

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()


class Contest(NamedTuple):
    """One task: ours and a peer's program for it, and the ratio that is the bar."""

    name: str
    ours: Callable[[], float]
    theirs: Callable[[], Peer]
    bar: float


def run(quick: bool) -> list[Row]:
    """All rows whose peers are there."""
    return measure(contests(quick), 2 if quick else REPEATS)


def contests(quick: bool) -> list[Contest]:
    """What can be measured with the simulators that are there."""
    from analysis._speed import peers_brian2, peers_nest

    python = os.environ.get("CASCADES_SIMULATORS")
    if not python:
        return []
    return [c for module in (peers_brian2, peers_nest) if module.is_there(python)
            for c in module.contests(python, quick)]  # fmt: skip


def measure(found: Sequence[Contest], repeats: int, *, ready: Callable[[], None] = lambda: None) -> list[Row]:
    """Rows of ratios: medians over repeats, ours and theirs in turn.  Everything is built before `ready` is
    called, and measured after it."""
    peers: list[Peer] = []
    try:
        for contest in found:  # each builds and warms up before the next one starts
            peers.append(contest.theirs())
            peers[-1].ask()
            contest.ours()
        ready()
        rows = []
        for contest, peer in zip(found, peers):
            pairs = np.array([(contest.ours(), peer.ask()) for _ in range(repeats)])
            ours, theirs = np.median(pairs, axis=0)
            said = f"{contest.name} / ours (theirs {theirs:.3g}, ours {ours:.3g} CPU s per biological s)"
            rows.append(Row(said, theirs / ours, "x", contest.bar, False))
        return rows
    finally:
        for peer in peers:
            peer.close()


def has(python: str, modules: str) -> bool:
    """Whether an interpreter can import them."""
    done = subprocess.run([python, "-c", f"import {modules}"], capture_output=True)
    return done.returncode == 0


def our_network(neurons: int, inputs: int, biological: float) -> Callable[[], float]:
    """CPU seconds per biological second of our own run, which is made once and continued."""
    from analysis._speed.network import RULE
    from cascades.network import balanced_network
    from cascades.network.session import Session

    sessions: list[Session] = []

    def go() -> float:
        if not sessions:
            sessions.append(Session.new(balanced_network(RULE, neurons=neurons, inputs=inputs), 1, 1))
            sessions[0].advance(2001)
        begun = time.process_time()
        sessions[0].advance(sessions[0].tick + round(biological * 1e4))
        return (time.process_time() - begun) / biological

    return go


def main() -> None:
    """Print the rows."""
    for row in run(False):
        print(f"{row.name:<110}{row.value:>8.3g} {row.unit}  bar >= {row.bar:g}: {row.holds}", flush=True)


if __name__ == "__main__":
    main()
