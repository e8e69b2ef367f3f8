"""Absolute tolerances from the sizes that a model's states can have."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cascades.expression import evaluate

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

# The absolute tolerance of a state is rtol * ATOL_SCALE times the state's own scale.
ATOL_SCALE = 1e-6


@lru_cache(maxsize=64)
def state_scales(compiled: CompiledModel) -> np.ndarray:
    """The size of each state, shape (n,): what the conserved totals that it is part of leave room for,
    else its initial value, else the median of the others; an algebraic state's initial value is only a
    guess, so that it has at least the median.

    Taken from the model's own values, so that a member's result does not depend on its batch.
    """
    initial = np.abs(np.array(list(compiled.initial_values.values())))
    room = np.full(initial.size, np.inf)
    totals = compiled.conserved_totals
    for total in compiled.equations.conserved:
        weights = evaluate(total.weights.values(), compiled.default_values)
        for name, weight in zip(total.weights, weights, strict=True):
            i = compiled.state_index[name]
            if min(weights) > 0.0:
                room[i] = min(room[i], abs(totals[total.name]) / weight)
    scale = np.where(np.isfinite(room), np.maximum(room, initial), initial)
    known = scale[(scale > 0.0) & np.isfinite(scale)]
    usual = float(np.median(known)) if known.size else 1.0
    scale[~((scale > 0.0) & np.isfinite(scale))] = usual
    algebraic = np.array(compiled.equations.is_algebraic, dtype=bool)
    scale[algebraic] = np.maximum(scale[algebraic], usual)
    scale.flags.writeable = False
    return scale


def absolute_tolerance(compiled: CompiledModel, rtol: float) -> np.ndarray:
    """The absolute tolerance of each state, shape (n,)."""
    return rtol * ATOL_SCALE * state_scales(compiled)
