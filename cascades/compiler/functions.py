"""Compiled formulas that can be called with numpy arrays, one member at a time."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cascades.compiler.build import Library, build
from cascades.compiler.emit import emit_function, module_text
from cascades.compiler.tape import Row
from cascades.expression import Expr

Array = npt.NDArray[np.float64]
_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)


class ScalarFunction:
    """`n_out` formulas of a state `y`, parameter values `p` and a context `x` (time first).

    Arrays must be float64, contiguous and of the sizes given to the constructor: the callers in this
    package see to it, and `__call__` checks it, because machine code does not.
    """

    def __init__(self, library: Library, name: str, sizes: tuple[int, int, int], n_out: int):
        self.address = library[name]
        self.sizes, self.n_out = sizes, n_out
        self._library = library  # keeps the code in memory
        self._call = _SIGNATURE(self.address)

    def __call__(self, y: Array, p: Array, x: Array) -> Array:
        out = np.empty(self.n_out)
        if (y.size, p.size, x.size) != self.sizes:
            raise ValueError(f"arrays of sizes {(y.size, p.size, x.size)} given, {self.sizes} needed")
        self._call(_address(y), _address(p), _address(x), _address(out))
        return out


def _address(array: Array) -> int:
    return array.__array_interface__["data"][0]


def as_row(values: Any, size: int) -> Array:
    """A contiguous float64 vector of the given size.

    Raises
    ------
    ValueError
        If `values` has another shape.
    """
    row = np.ascontiguousarray(values, dtype=np.float64)
    if row.shape != (size,):
        raise ValueError(f"an array of shape ({size},) is needed, not {row.shape}")
    return row


def scalar_functions(
    key: str,
    sizes: tuple[int, int, int],
    rows: Mapping[str, Row],
    outputs: Mapping[str, tuple[int, Callable[[], Sequence[Expr]]]],
) -> dict[str, ScalarFunction]:
    """Several functions in one module: name -> (number of formulas, how to get them if not cached)."""

    def text() -> str:
        return module_text([emit_function(name, write(), rows) for name, (_, write) in outputs.items()], 1)

    library = build(f"{key} scalar {' '.join(outputs)}", list(outputs), text)
    return {name: ScalarFunction(library, name, sizes, n) for name, (n, _) in outputs.items()}
