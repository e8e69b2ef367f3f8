"""Entry points from Python, kept on disk between sessions.

numba renews what it kept when the file of the entry point changes; ours are made of several files, so each of
them counts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from cascades.kernels.sources import source_hash

HERE = Path(__file__).parent


def entry_point(function: Callable[..., Any], folder: Path = HERE, **options: Any) -> Any:
    """Compile for calls from Python, and keep the code as long as no file of `folder` changes."""
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, **options}
    dispatcher = njit(cache=True, **options)(function)
    # numba has no setting for this; without the attribute it falls back to stamping the one file
    kept: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (source_hash(str(folder)), kept._source_stamp)
    return dispatcher
