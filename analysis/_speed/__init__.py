"""The sections of `analysis.speed`, one file each: `SECTIONS` names them, `run(quick)` measures.

A section is a module with a function `run(quick: bool) -> list[Row]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

SECTIONS = (
    "engine",
    "long",
    "sensitivities",
    "members",
    "continuation",
    "network",
    "peers",
    "fitting",
    "spine",
)


class Row(NamedTuple):
    """What was measured, and the bar it should meet (None: no bar); `is_less` says which way."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    is_less: bool = True

    @property
    def holds(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value <= self.bar if self.is_less else self.value >= self.bar


SAMPLE = 0.02  # s that a sample lasts at least
_LONG = 10.0  # s after which compiling no longer matters


def cpu_seconds(runs: Sequence[Callable[[], Any]], repeats: int) -> list[float]:
    """Median CPU seconds of each, taken in turn; short ones are run several times in a row for a sample."""
    calls = [_calls(run) for run in runs]
    found = np.empty((repeats, len(runs)))
    for i in range(repeats):
        for k, run in enumerate(runs):
            start = time.process_time()
            for _ in range(calls[k]):
                run()
            found[i, k] = (time.process_time() - start) / calls[k]
    return list(np.median(found, axis=0))


def _calls(run: Callable[[], Any]) -> int:
    """How many calls make a sample, by the second: the first may compile."""
    for _ in range(2):
        start = time.process_time()
        run()
        seconds = time.process_time() - start
        if seconds > _LONG:
            return 1
    return max(1, int(SAMPLE / max(seconds, 1e-6)))
