"""A real Ctrl-C in the middle of a test."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c(after: float) -> Iterator[threading.Timer]:
    """A timer that sends a SIGINT to the main thread so many seconds after its start.

    The collector rests meanwhile: Python drops an exception that is raised inside a collector's
    callback, and Hypothesis installs one, so that the key would now and then be pressed in vain.
    """
    gc.disable()
    timer = threading.Timer(after, signal.raise_signal, (signal.SIGINT,))
    try:
        yield timer
        timer.join()
    finally:
        timer.cancel()
        gc.enable()
