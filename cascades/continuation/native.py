"""Calls of compiled formulas from numba: by address, without Python."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def call_formulas(typingctx: Any, address: Any, y: Any, p: Any, x: Any, out: Any) -> Any:
    """f(y, p, x, out) for the addresses of a function and of four arrays."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.VoidType(), [pointer] * 4)
        target = builder.inttoptr(args[0], function.as_pointer())
        builder.call(target, [builder.inttoptr(a, pointer) for a in args[1:]])
        return context.get_dummy_value()

    word = types.uintp
    return types.void(word, word, word, word, word), generate


@njit(nogil=True, cache=True)
def call_one(address, y, p, x, out):  # type: ignore[no-untyped-def]
    """f for one member."""
    call_formulas(address, y.ctypes.data, p.ctypes.data, x.ctypes.data, out.ctypes.data)


@njit(nogil=True, cache=True)
def call_many(address, y, p, x, out):  # type: ignore[no-untyped-def]
    """f for every row of y (members, n) and of p (members or 1, m)."""
    last = p.shape[0] - 1
    for i in range(y.shape[0]):
        row = p[min(i, last)]
        call_formulas(address, y[i].ctypes.data, row.ctypes.data, x.ctypes.data, out[i].ctypes.data)
