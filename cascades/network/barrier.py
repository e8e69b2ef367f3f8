"""Where threads of compiled code wait for each other, without going back to Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

SPINS = 2000  # looks at the counter before the processor is offered to others


def _first(context: Any, builder: Any, array: Any, kind: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


@intrinsic
def arrive(typing, counter):  # type: ignore[no-untyped-def]
    """Add one to counter[0] (int64), visibly to all threads; returns what it was."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _first(context, builder, values[0], signature.args[0])
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(counter), lower


@intrinsic
def seen(typing, counter):  # type: ignore[no-untyped-def]
    """counter[0] as the other threads left it."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _first(context, builder, values[0], signature.args[0])
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(counter), lower


@intrinsic
def offer_processor(typing):  # type: ignore[no-untyped-def]
    """Let another thread run (POSIX sched_yield)."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), lower


@njit(nogil=True)
def meet(counter, threads):  # type: ignore[no-untyped-def]
    """Wait until all threads are here."""
    ticket = arrive(counter)
    goal = (ticket // threads + np.int64(1)) * threads
    spins = 0
    while seen(counter) < goal:
        spins += 1
        if spins > SPINS:
            offer_processor()
