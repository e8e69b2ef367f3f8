"""How far each thread of compiled code has come, for the others to see, without going back to Python.

There is no point at which all threads meet: one may be ahead of another by as much as the shortest delay, so
that short differences in their work even out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from cascades.network.compiled import UNCOUNTED, part_of_kernel

APART = 16  # words between two counters: none shares a cache line with anything else
LOOKS = 2000  # at a counter before the processor is offered to others: some tenths of a millisecond
BETWEEN = 64  # looks at the own counter between two at another's: looking makes the other's next step slow


def counters(count: int) -> np.ndarray:
    """Room for `count` counters at zero, int64; number k stands at `place(k)`."""
    return np.zeros((count + 2) * APART, dtype=np.int64)


@part_of_kernel
def place(number):  # type: ignore[no-untyped-def]
    """Index of a counter."""
    return (number + 1) * APART


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """Address of array[index], the first two arguments."""
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.gep(array.data, [context.cast(builder, values[1], signature.args[1], types.int64)])


@intrinsic
def publish(typing, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] = value (int64), after everything that this thread wrote before."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = context.cast(builder, values[2], signature.args[2], types.int64)
        builder.store_atomic(number, _address(context, builder, signature, values), "release", 8)
        return context.get_dummy_value()

    return types.void(array, index, value), lower


@intrinsic
def seen(typing, array, index):  # type: ignore[no-untyped-def]
    """array[index] (int64) as the other threads left it, and before everything that this one reads next."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, values), "acquire", 8)

    return types.int64(array, index), lower


@intrinsic
def lower_to(typing, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] = min(array[index], value) (int64), whoever else does the same."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = context.cast(builder, values[2], signature.args[2], types.int64)
        builder.atomic_rmw("min", _address(context, builder, signature, values), number, "seq_cst")
        return context.get_dummy_value()

    return types.void(array, index, value), lower


@intrinsic
def offer_processor(typing):  # type: ignore[no-untyped-def]
    """Let another thread run (POSIX sched_yield)."""

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), lower


@njit(**UNCOUNTED)
def wait_for_others(done, thread, threads, goal):  # type: ignore[no-untyped-def]
    """Wait until every other thread has published `goal` or more; returns the least that one has."""
    least = np.int64(2**62)
    for other in range(threads):
        if other == thread:
            continue
        looks = 0
        while seen(done, place(other)) < goal:
            looks += 1
            for _ in range(BETWEEN):
                seen(done, place(thread))
            if looks > LOOKS:
                offer_processor()
        least = min(least, seen(done, place(other)))
    return least
