"""Entry points from Python, kept on disk between sessions.

numba renews what it kept when the file of the entry point changes; the drivers are made of several files,
so each of them counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit


def entry_point(function: Callable[..., Any]) -> Any:
    """Compile for calls from Python, and keep the code as long as no file of this folder changes."""
    dispatcher = njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    # numba has no setting for this; without the attribute it falls back to stamping the one file
    kept: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (_sources(), kept._source_stamp)
    return dispatcher


@cache
def _sources() -> str:
    """A hash of every file of this folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
