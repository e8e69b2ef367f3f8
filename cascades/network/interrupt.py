"""Ctrl-C at moments at which a run can be left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def undisturbed() -> Iterator[None]:
    """A Ctrl-C that comes inside is felt at the end: arrays and counters change together or not at all."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    felt = []

    def note(number: int, frame: Any) -> None:
        felt.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        # None: the handler was not set from Python
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if felt:
        raise KeyboardInterrupt
