"""Compiled entry points, kept on disk between sessions.

numba renews what it kept when the file of the entry point changes; here an entry point is made of several
files, so each of them counts.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}


# Exact arithmetic apart, sums may be reordered and multiply-adds fused; infinities stay what they are.
tick_function: Any = njit(
    nogil=True,
    error_model="numpy",
    boundscheck=False,
    forceinline=True,
    fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"},
)


@cache
def _sources() -> str:
    """A hash of every file that a kernel of this folder is made of."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: Any = None, **options: Any) -> Any:
    """Compile for calls from Python, and keep the code on disk as long as no file of this folder changes."""
    if function is None:
        return lambda f: compiled(f, **options)
    dispatcher = njit(**OPTIONS, **options, cache=True)(function)
    # numba has no setting for this; without the attribute it falls back to stamping the one file
    kept: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (_sources(), kept._source_stamp)
    return dispatcher
