"""Progress on stderr: a live display in a terminal, one line per finished step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Report(Protocol):
    """Takes the fraction done, from 0 to 1, and a few words on how it goes."""

    def __call__(self, fraction: float, note: str = "") -> None: ...


class Steps:
    """Names each step when it begins and its duration when it ends; `seconds` keeps the durations."""

    def __init__(self, progress: Progress, console: Console):
        self._progress, self._console = progress, console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[Report]:
        """Give the block a function that it may tell how far it is."""
        task: TaskID = self._progress.add_task(what, total=None)
        start = time.perf_counter()

        def report(fraction: float, note: str = "") -> None:
            said = f"{what}: {note}" if note else what
            self._progress.update(task, total=1.0, completed=fraction, description=said)

        yield report
        self._progress.remove_task(task)
        self.seconds[what] = time.perf_counter() - start
        self._console.print(f"[green]✓[/] {what} [dim]{self.seconds[what]:.1f} s[/]", highlight=False)


@contextmanager
def show_steps() -> Iterator[Steps]:
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Steps(progress, console)
