"""How the functions of this folder are compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from cascades.kernels.entry import entry_point

# What threads run side by side counts no references to arrays, and so cannot make any: a part of an array
# would count the whole one up and down, and the threads would wait for each other's cache line.
UNCOUNTED = {"nogil": True, "error_model": "numpy", "boundscheck": False, "_nrt": False}

part_of_kernel: Any = njit(**UNCOUNTED, forceinline=True)

# Exact arithmetic apart, sums may be reordered and multiply-adds fused; infinities stay what they are.
tick_function: Any = njit(
    **UNCOUNTED, forceinline=True, fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"}
)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile for calls from Python, and keep the code on disk as long as no file of this folder changes."""
    return entry_point(function, Path(__file__).parent)


def kernel(function: Callable[..., Any]) -> Any:
    """`compiled`, for what threads run side by side."""
    return entry_point(function, Path(__file__).parent, **UNCOUNTED)
