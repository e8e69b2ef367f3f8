"""Formulas compiled to one function of a few vectors, for one member or a batch."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence

import numpy as np

from cascades.compiler.build import build
from cascades.compiler.emit import emit_function, module_text
from cascades.expression import Expr, flatten

_POINTER, _WORD = ctypes.c_void_p, ctypes.c_int64
_ONE = ctypes.CFUNCTYPE(None, *[_POINTER] * 4)
_MANY = ctypes.CFUNCTYPE(None, *[_POINTER] * 4, *[_WORD] * 5)

# f for each of `members` rows: strides in bytes, zero where all members share a vector
_LOOP = """
define void @many(ptr %y, ptr %p, ptr %x, ptr %out,
                  i64 %members, i64 %sy, i64 %sp, i64 %sx, i64 %so) {
entry:
  br label %test
test:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp slt i64 %i, %members
  br i1 %more, label %body, label %done
body:
  %oy = mul i64 %i, %sy
  %op = mul i64 %i, %sp
  %ox = mul i64 %i, %sx
  %oo = mul i64 %i, %so
  %py = getelementptr i8, ptr %y, i64 %oy
  %pp = getelementptr i8, ptr %p, i64 %op
  %px = getelementptr i8, ptr %x, i64 %ox
  %po = getelementptr i8, ptr %out, i64 %oo
  call void @one(ptr %py, ptr %pp, ptr %px, ptr %po)
  %next = add i64 %i, 1
  br label %test
done:
  ret void
}
"""


class Formulas:
    """A compiled function of states, parameters and any directions; it gives a vector.

    Parameters
    ----------
    outputs : formulas
    arguments : sequences of names
        The entries of the vectors: states, parameters, then directions.
    """

    def __init__(self, outputs: Sequence[Expr], arguments: Sequence[Sequence[str]]):
        states, parameters, *directions = [tuple(names) for names in arguments]
        context = [name for names in directions for name in names]
        rows = {name: ("y", i) for i, name in enumerate(states)}
        rows |= {name: ("p", i) for i, name in enumerate(parameters)}
        rows |= {name: ("x", i) for i, name in enumerate(context)}
        self.n_outputs = len(outputs)
        code = emit_function("one", outputs, rows)
        text = repr((flatten(*outputs), [o.key for o in outputs], states, parameters, context))
        key = "vector formulas " + hashlib.sha256(text.encode()).hexdigest()
        self.library = build(key, ("one", "many"), lambda: module_text([code], 1) + _LOOP)
        self._one = _ONE(self.library["one"])
        self._many = _MANY(self.library["many"])

    def __call__(self, states: np.ndarray, parameters: np.ndarray, *directions: np.ndarray) -> np.ndarray:
        """Shape (..., outputs) for states (..., n), parameters (..., m) and directions (n,)."""
        y = _floats(states)
        p = _floats(parameters)
        x = (
            _floats(directions[0] if len(directions) == 1 else np.concatenate(directions))
            if directions
            else y
        )
        if y.ndim == 1 and p.ndim == 1:
            out = np.empty(self.n_outputs)
            self._one(_address(y), _address(p), _address(x), _address(out))
            return out
        shape = np.broadcast_shapes(y.shape[:-1], p.shape[:-1])
        y, sy = _rows(y, shape)
        p, sp = _rows(p, shape)
        out = np.empty((*shape, self.n_outputs))
        members = int(np.prod(shape))
        pointers = (_address(y), _address(p), _address(x), _address(out))
        self._many(*pointers, members, sy, sp, 0, 8 * self.n_outputs)
        return out


def _rows(vectors: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """One row per member and the distance between rows in bytes (0: shared)."""
    if vectors.ndim == 1:
        return vectors, 0
    width = vectors.shape[-1]
    return np.ascontiguousarray(np.broadcast_to(vectors, (*shape, width))), 8 * width


def _floats(vector: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(vector, dtype=np.float64)


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
