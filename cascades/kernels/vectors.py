"""A numba type "vector of float64 lanes", its arithmetic, and loads and stores of rows.

numba neither vectorises reliably nor knows that arrays do not overlap, so kernels that need speed say
what they mean: `lanes` is a tuple of as many zeros as there are lanes (its length is part of its type,
which is what a compiled function is cached by), `load(lanes, rows, i)` reads row i of an array of
rows, `store` writes it.  Arrays may be given as addresses (integers), which keeps the code of kernels with
many arrays small; nobody checks an index, so callers size their arrays and keep them alive.

    lanes = lane_tuple(8)
    @njit
    def axpy(lanes, a, x, y, n):          # x, y: shape (n, 8), from `aligned_rows`
        for i in range(n):
            store(y, i, fma(splat(lanes, a), load(lanes, x, i), load(lanes, y, i)))
"""

from __future__ import annotations

import ctypes
import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from cascades.kernels import elementary
from cascades.kernels.processor import native_lanes as native_lanes

ALIGNMENT = 64  # bytes; one AVX-512 register, one cache line
_DOUBLE, _INT64, _INT32 = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_NO_BYTES = ctypes.c_char * 0  # what also an empty array has


def lane_tuple(lanes: int) -> tuple[int, ...]:
    """What the compiled functions take as `lanes`."""
    return (0,) * lanes


def address(array: Any) -> int:
    """Where a contiguous numpy array begins in memory."""
    try:
        return ctypes.addressof(_NO_BYTES.from_buffer(array))  # the quickest way by far
    except (TypeError, ValueError):  # arrays that cannot be written
        return int(array.__array_interface__["data"][0])


def aligned_rows(rows: int, lanes: int) -> np.ndarray:
    """Zeros of shape (rows, lanes) that begin at a multiple of `ALIGNMENT`."""
    raw = np.zeros(rows * lanes + ALIGNMENT // 8)
    offset = (-address(raw) // 8) % (ALIGNMENT // 8)
    return raw[offset : offset + rows * lanes].reshape(rows, lanes)


class Vector(types.Type):
    """The numba type; one per number of lanes."""

    def __init__(self, lanes: int):
        self.lanes = lanes
        super().__init__(name=f"Vector({lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, fe_type: Vector):
        super().__init__(manager, fe_type, ir.VectorType(_DOUBLE, fe_type.lanes))


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    vector = ir.VectorType(_DOUBLE, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT32, lanes), [0] * lanes))


def _as_vector(context: Any, builder: Any, type_: Any, value: Any, lanes: int) -> Any:
    if isinstance(type_, Vector):
        return value
    return _splat(builder, context.cast(builder, value, type_, types.float64), lanes)


def _width(*args: Any) -> int | None:
    """The lanes of the vectors among the arguments; None if there is none."""
    return next((a.lanes for a in args if isinstance(a, Vector)), None)


def _arithmetic(function: Any, method: str) -> None:
    @intrinsic
    def compute(typing_context, a, b):  # type: ignore[no-untyped-def]
        lanes = _width(a, b) or 1

        def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
            x, y = (
                _as_vector(context, builder, t, v, lanes) for t, v in zip(signature.args, args, strict=True)
            )
            return getattr(builder, method)(x, y, flags=("contract",))

        return Vector(lanes)(a, b), generate

    @overload(function)
    def dispatch(a, b):  # type: ignore[no-untyped-def]
        if _width(a, b) and all(isinstance(t, Vector | types.Float | types.Integer) for t in (a, b)):
            return lambda a, b: compute(a, b)
        return None


for _function, _method in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _arithmetic(_function, _method)


def _code(write: Any) -> Any:
    return lambda context, builder, signature, values: write(builder, *values)


def _of_one(write: Any) -> Any:
    """An intrinsic of a vector: `write(builder, vector)` makes its code."""

    @intrinsic
    def function(typing_context, a):  # type: ignore[no-untyped-def]
        return a(a), _code(write)

    return function


def _of_two(write: Any) -> Any:
    @intrinsic
    def function(typing_context, a, b):  # type: ignore[no-untyped-def]
        return a(a, b), _code(write)

    return function


def _of_three(write: Any) -> Any:
    @intrinsic
    def function(typing_context, a, b, c):  # type: ignore[no-untyped-def]
        return a(a, b, c), _code(write)

    return function


def _llvm(name: str) -> Any:
    def write(builder: Any, *args: Any) -> Any:
        type_ = args[0].type
        signature = ir.FunctionType(type_, [type_] * len(args))
        full = f"llvm.{name}.v{type_.count}f64"
        return builder.call(cgutils.get_or_insert_function(builder.module, signature, full), args)

    return write


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _choose(builder: Any, mask: Any, a: Any, b: Any) -> Any:
    zero = ir.Constant(mask.type, [0.0] * mask.type.count)
    return builder.select(builder.fcmp_ordered(">", mask, zero), a, b)


fma = _of_three(_llvm("fmuladd"))
absolute = _of_one(_llvm("fabs"))
root = _of_one(_llvm("sqrt"))
exponential = _of_one(elementary.exp)
logarithm = _of_one(elementary.log)
power = _of_two(elementary.power)
larger = _of_two(_larger)
choose = _of_three(_choose)  # choose(mask, a, b): a where mask > 0, else b


def _start(context: Any, builder: Any, type_: Any, array: Any) -> Any:
    """Where the numbers of an array, or those at an address, begin."""
    if isinstance(type_, types.Integer):
        return builder.inttoptr(array, _DOUBLE.as_pointer())
    return cgutils.create_struct_proxy(type_)(context, builder, array).data


def _row_pointer(context: Any, builder: Any, type_: Any, array: Any, index: Any, lanes: int) -> Any:
    start = _start(context, builder, type_, array)
    return builder.gep(builder.bitcast(start, ir.VectorType(_DOUBLE, lanes).as_pointer()), [index])


def _index(context: Any, builder: Any, type_: Any, value: Any) -> Any:
    return context.cast(builder, value, type_, types.int64)


@intrinsic
def load(typing_context, lanes, rows, i):  # type: ignore[no-untyped-def]
    """Row i of an aligned array, counted in rows of `lanes`."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        index = _index(context, builder, signature.args[2], args[2])
        value = builder.load(_row_pointer(context, builder, signature.args[1], args[1], index, width))
        value.align = 8 * width
        return value

    return Vector(width)(lanes, rows, i), generate


@intrinsic
def store(typing_context, rows, i, value):  # type: ignore[no-untyped-def]
    """Write row i of an aligned array."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        index = _index(context, builder, signature.args[1], args[1])
        width = signature.args[2].lanes
        done = builder.store(
            args[2], _row_pointer(context, builder, signature.args[0], args[0], index, width)
        )
        done.align = 8 * width
        return context.get_dummy_value()

    return types.void(rows, i, value), generate


@intrinsic
def load_at(typing_context, lanes, array, i):  # type: ignore[no-untyped-def]
    """The `lanes` elements of a flat float64 array that begin at element i, aligned or not."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = _start(context, builder, signature.args[1], args[1])
        index = _index(context, builder, signature.args[2], args[2])
        pointer = builder.bitcast(builder.gep(start, [index]), ir.VectorType(_DOUBLE, width).as_pointer())
        value = builder.load(pointer)
        value.align = 8
        return value

    return Vector(width)(lanes, array, i), generate


@intrinsic
def store_at(typing_context, array, i, value):  # type: ignore[no-untyped-def]
    """Write the elements of a flat float64 array that begin at element i, aligned or not."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = _start(context, builder, signature.args[0], args[0])
        index = _index(context, builder, signature.args[1], args[1])
        pointer = builder.bitcast(builder.gep(start, [index]), args[2].type.as_pointer())
        builder.store(args[2], pointer).align = 8
        return context.get_dummy_value()

    return types.void(array, i, value), generate


def _first_lanes(builder: Any, count: Any, width: int) -> Any:
    """A mask of the lanes below `count`."""
    kind = ir.VectorType(_INT64, width)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), count, ir.Constant(_INT32, 0))
    counts = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT32, width), [0] * width))
    return builder.icmp_signed("<", ir.Constant(kind, list(range(width))), counts)


@intrinsic
def load_some(typing_context, lanes, array, i, count):  # type: ignore[no-untyped-def]
    """As `load_at`, but only the first `count` elements are read; the others are 0."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = ir.VectorType(_DOUBLE, width)
        start = _start(context, builder, signature.args[1], args[1])
        pointer = builder.gep(start, [_index(context, builder, signature.args[2], args[2])])
        pointer = builder.bitcast(pointer, vector.as_pointer())
        mask = _first_lanes(builder, _index(context, builder, signature.args[3], args[3]), width)
        kind = ir.FunctionType(vector, [pointer.type, _INT32, mask.type, vector])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{width}f64.p0")
        return builder.call(function, [pointer, _INT32(8), mask, ir.Constant(vector, [0.0] * width)])

    return Vector(width)(lanes, array, i, count), generate


@intrinsic
def store_some(typing_context, array, i, count, value):  # type: ignore[no-untyped-def]
    """As `store_at`, but only the first `count` elements are written."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        vector = args[3].type
        start = _start(context, builder, signature.args[0], args[0])
        pointer = builder.gep(start, [_index(context, builder, signature.args[1], args[1])])
        pointer = builder.bitcast(pointer, vector.as_pointer())
        mask = _first_lanes(builder, _index(context, builder, signature.args[2], args[2]), vector.count)
        kind = ir.FunctionType(ir.VoidType(), [vector, pointer.type, _INT32, mask.type])
        function = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.masked.store.v{vector.count}f64.p0"
        )
        builder.call(function, [args[3], pointer, _INT32(8), mask])
        return context.get_dummy_value()

    return types.void(array, i, count, value), generate


@intrinsic
def gather(typing_context, lanes, array, indices, i):  # type: ignore[no-untyped-def]
    """array[indices[i]], array[indices[i + 1]], ... for flat arrays of float64 and int32."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = _start(context, builder, signature.args[1], args[1])
        table = _start(context, builder, signature.args[2], args[2])
        first = _index(context, builder, signature.args[3], args[3])
        result = ir.Constant(ir.VectorType(_DOUBLE, width), ir.Undefined)
        for lane in range(width):
            at = builder.gep(table, [builder.add(first, ir.Constant(_INT64, lane))])
            value = builder.load(builder.gep(start, [builder.sext(builder.load(at), _INT64)]))
            result = builder.insert_element(result, value, ir.Constant(_INT32, lane))
        return result

    return Vector(width)(lanes, array, indices, i), generate


@intrinsic
def splat(typing_context, lanes, value):  # type: ignore[no-untyped-def]
    """The same number in every lane."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _splat(builder, context.cast(builder, args[1], signature.args[1], types.float64), width)

    return Vector(width)(lanes, value), generate


@intrinsic
def element(typing_context, vector, lane):  # type: ignore[no-untyped-def]
    """The number in one lane."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        index = context.cast(builder, args[1], signature.args[1], types.int32)
        return builder.extract_element(args[0], index)

    return types.float64(vector, lane), generate


@intrinsic
def scaled(typing_context, numbers, vector):  # type: ignore[no-untyped-def]
    """The tuple of the numbers, each times the vector."""
    result = types.UniTuple(Vector(vector.lanes), len(numbers))

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        parts = []
        for k, type_ in enumerate(signature.args[0]):
            number = _as_vector(context, builder, type_, builder.extract_value(args[0], k), vector.lanes)
            parts.append(builder.fmul(number, args[1]))
        return context.make_tuple(builder, signature.return_type, parts)

    return result(numbers, vector), generate


@intrinsic
def combine(typing_context, start, weights, rows, i, stride):  # type: ignore[no-untyped-def]
    """start + sum_j weights[j] * (row i + j * stride), unrolled; weights are numbers or vectors."""
    lanes = start.lanes

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        total, index = args[0], _index(context, builder, signature.args[3], args[3])
        step = _index(context, builder, signature.args[4], args[4])
        for k, type_ in enumerate(signature.args[1]):
            row = builder.load(_row_pointer(context, builder, signature.args[2], args[2], index, lanes))
            row.align = 8 * lanes
            weight = _as_vector(context, builder, type_, builder.extract_value(args[1], k), lanes)
            total = builder.fadd(total, builder.fmul(weight, row, flags=("contract",)), flags=("contract",))
            index = builder.add(index, step)
        return total

    return start(start, weights, rows, i, stride), generate


def _scalar_access(width: int, integer: bool, get: bool) -> Any:
    """Read or write number i at an address, or of a flat array."""
    kind = ir.IntType(width) if integer else _DOUBLE
    numba_type = types.int64 if integer else types.float64

    def pointer(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = builder.bitcast(_start(context, builder, signature.args[0], args[0]), kind.as_pointer())
        return builder.gep(start, [_index(context, builder, signature.args[1], args[1])])

    def read(context, builder, signature, args):  # type: ignore[no-untyped-def]
        value = builder.load(pointer(context, builder, signature, args))
        return builder.sext(value, _INT64) if integer and width < 64 else value

    def write(context, builder, signature, args):  # type: ignore[no-untyped-def]
        value = context.cast(builder, args[2], signature.args[2], numba_type)
        builder.store(value, pointer(context, builder, signature, args))
        return context.get_dummy_value()

    @intrinsic
    def reader(typing_context, array, i):  # type: ignore[no-untyped-def]
        return numba_type(array, i), read

    @intrinsic
    def writer(typing_context, array, i, value):  # type: ignore[no-untyped-def]
        return types.void(array, i, value), write

    return reader if get else writer


@intrinsic
def cell(typing_context, lanes, rows, i, lane):  # type: ignore[no-untyped-def]
    """The number of one lane in row i."""
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_cell_pointer(context, builder, signature, args, width))

    return types.float64(lanes, rows, i, lane), generate


@intrinsic
def set_cell(typing_context, lanes, rows, i, lane, value):  # type: ignore[no-untyped-def]
    width = len(lanes)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        number = context.cast(builder, args[4], signature.args[4], types.float64)
        builder.store(number, _cell_pointer(context, builder, signature, args, width))
        return context.get_dummy_value()

    return types.void(lanes, rows, i, lane, value), generate


def _cell_pointer(context: Any, builder: Any, signature: Any, args: Any, width: int) -> Any:
    row = _index(context, builder, signature.args[2], args[2])
    lane = _index(context, builder, signature.args[3], args[3])
    at = builder.add(builder.mul(row, ir.Constant(_INT64, width)), lane)
    return builder.gep(_start(context, builder, signature.args[1], args[1]), [at])


table_entry = _scalar_access(32, True, True)  # table[i] of int32
whole_at = _scalar_access(64, True, True)  # array[i] of int64
set_whole = _scalar_access(64, True, False)  # array[i] = value
real_at = _scalar_access(64, False, True)  # array[i] of float64
set_real = _scalar_access(64, False, False)


@intrinsic
def prefetch(typing_context, array, i):  # type: ignore[no-untyped-def]
    """Ask for the cache line of element i of an array, to be written soon."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = _start(context, builder, signature.args[0], args[0])
        index = _index(context, builder, signature.args[1], args[1])
        pointer = builder.bitcast(builder.gep(start, [index]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, *(ir.Constant(_INT32, k) for k in (1, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, i), generate


@intrinsic
def take_ticket(typing_context, counter):  # type: ignore[no-untyped-def]
    """Add one to the first element of an int64 array that threads share; returns what it was."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        start = _start(context, builder, signature.args[0], args[0])
        return builder.atomic_rmw("add", start, ir.Constant(_INT64, 1), "monotonic")

    return types.int64(counter), generate


@intrinsic
def call_code(typing_context, address, y, p, x, out, offset):  # type: ignore[no-untyped-def]
    """Call the compiled formulas at `address` with four arrays; `out` from element `offset` on."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        byte = ir.IntType(8).as_pointer()
        pairs = zip(signature.args[1:5], args[1:5], strict=True)
        starts = [_start(context, builder, t, a) for t, a in pairs]
        starts[3] = builder.gep(starts[3], [_index(context, builder, signature.args[5], args[5])])
        function = ir.FunctionType(ir.VoidType(), [byte] * 4).as_pointer()
        builder.call(builder.inttoptr(args[0], function), [builder.bitcast(d, byte) for d in starts])
        return context.get_dummy_value()

    return types.void(types.int64, y, p, x, out, offset), generate
