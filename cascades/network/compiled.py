"""How the functions of this folder are compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from cascades.kernels.entry import entry_point

# Exact arithmetic apart, sums may be reordered and multiply-adds fused; infinities stay what they are.
tick_function: Any = njit(
    nogil=True,
    error_model="numpy",
    boundscheck=False,
    forceinline=True,
    fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"},
)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile for calls from Python, and keep the code on disk as long as no file of this folder changes."""
    return entry_point(function, Path(__file__).parent)
