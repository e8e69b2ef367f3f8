"""Formulas compiled to one function of a few vectors, for one member or a batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from cascades.compiler.build import build
from cascades.compiler.emit import emit_function, module_text
from cascades.continuation.native import call_many, call_one
from cascades.expression import Expr, flatten
from cascades.kernels.sources import source_hash

_NOTHING = np.zeros(1)


class Formulas:
    """A compiled function of states, parameters and any directions; it gives a vector.

    Parameters
    ----------
    outputs : formulas
    arguments : sequences of names
        The entries of the vectors: states, parameters, then directions.
    lanes : int
        With more than one, `address` is code for vectors of shape (entries, lanes), and the object
        itself cannot be called.
    """

    def __init__(self, outputs: Sequence[Expr], arguments: Sequence[Sequence[str]], lanes: int = 1):
        states, parameters, *directions = [tuple(names) for names in arguments]
        context = [name for names in directions for name in names]
        rows = {name: ("y", i) for i, name in enumerate(states)}
        rows |= {name: ("p", i) for i, name in enumerate(parameters)}
        rows |= {name: ("x", i) for i, name in enumerate(context)}
        self.n_outputs = len(outputs)
        text = repr((flatten(*outputs), [o.key for o in outputs], states, parameters, context))
        key = f"formulas in {lanes} lanes {source_hash(__file__)} {hashlib.sha256(text.encode()).hexdigest()}"

        def write() -> str:
            return module_text([emit_function("one", outputs, rows, lanes)], lanes)

        self._library = build(key, ("one",), write)
        self.address = self._library["one"]

    def __call__(self, states: np.ndarray, parameters: np.ndarray, *directions: np.ndarray) -> np.ndarray:
        """Shape (..., outputs) for states (..., n), parameters (..., m) and directions (n,)."""
        x = np.concatenate(directions) if directions else _NOTHING
        if states.ndim == 1 and parameters.ndim == 1:
            out = np.empty(self.n_outputs)
            call_one(self.address, _floats(states), _floats(parameters), x, out)
            return out
        shape = np.broadcast_shapes(states.shape[:-1], parameters.shape[:-1])
        y = _floats(np.broadcast_to(states, (*shape, states.shape[-1]))).reshape(-1, states.shape[-1])
        p = (
            parameters
            if parameters.ndim == 1
            else np.broadcast_to(parameters, (*shape, parameters.shape[-1]))
        )
        out = np.empty((y.shape[0], self.n_outputs))
        call_many(self.address, y, _floats(p).reshape(-1, p.shape[-1]), x, out)
        return out.reshape(*shape, self.n_outputs)


def _floats(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float64)
