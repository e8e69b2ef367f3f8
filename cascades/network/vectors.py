"""Sixteen lanes at once: vectors of LLVM as values of numba-compiled code.

`FLOATS`, `INTS` and `MASKS` are numba types whose values are <16 x float>, <16 x i32> and <16 x i1>.  The
usual operators work on them, a scalar operand is spread over the lanes, and the functions below load, store
and rearrange them.  LLVM splits the vectors on processors with narrower registers.  A vector lives only
inside compiled code: it never crosses into Python.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 16

_F32, _I32, _I64, _I1, _I8 = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(1), ir.IntType(8)
_WIDE_F, _WIDE_I, _WIDE_B, _WIDE_L = (ir.VectorType(t, LANES) for t in (_F32, _I32, _I1, _I64))
# Reordering a sum may move its last bit; what is never allowed is to assume that no infinity occurs.
_FAST = ("nnan", "nsz", "contract", "reassoc", "arcp")


class Vector(types.Type):
    """A numba type whose value is one LLVM vector; `scalar` is the numba type of one lane."""

    def __init__(self, name: str, wide: ir.VectorType, scalar: types.Type):
        self.wide, self.scalar = wide, scalar
        super().__init__(name=name)


FLOATS = Vector("floats16", _WIDE_F, types.float32)
INTS = Vector("ints16", _WIDE_I, types.int32)
MASKS = Vector("masks16", _WIDE_B, types.boolean)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector):
        super().__init__(manager, vector, vector.wide)


def _spread(context: Any, builder: Any, value: Any, given: types.Type, wanted: Vector) -> Any:
    """`value` as the vector type `wanted`: unchanged if it is one, else the same scalar in every lane."""
    if given == wanted:
        return value
    scalar = context.cast(builder, value, given, wanted.scalar)
    if wanted is MASKS and scalar.type != _I1:
        scalar = builder.trunc(scalar, _I1)
    undefined = ir.Constant(wanted.wide, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_WIDE_I, [0] * LANES))


# ---------------------------------------------------------------------------------- operators
def _operator(
    symbol: Callable, operands: Sequence[Vector], emit: dict[Vector, Callable], result: Vector | None = None
) -> None:
    """Teach `symbol` to work on two vectors of one type, or on a vector and a scalar."""

    def vector_among(a: Any, b: Any) -> Vector | None:
        for vector in operands:
            if vector in (a, b) and all(x == vector or isinstance(x, types.Number) for x in (a, b)):
                return vector
        return None

    @type_callable(symbol)
    def type_of(context: Any) -> Callable:
        def typer(a: Any, b: Any) -> Vector | None:
            vector = vector_among(a, b)
            return None if vector is None else (result or vector)

        return typer

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector: Any = vector_among(*signature.args)
        a, b = (_spread(context, builder, v, t, vector) for v, t in zip(values, signature.args))
        return emit[vector](builder, a, b)

    for vector in operands:
        for pair in ((vector, vector), (vector, types.Number), (types.Number, vector)):
            lower_builtin(symbol, *pair)(lower)


def _arithmetic(symbol: Callable, floats: str, ints: str) -> None:
    _operator(
        symbol,
        (FLOATS, INTS),
        {
            FLOATS: lambda b, x, y: getattr(b, floats)(x, y, flags=_FAST),
            INTS: lambda b, x, y: getattr(b, ints)(x, y),
        },
    )


def _comparison(symbol: Callable, sign: str) -> None:
    _operator(
        symbol,
        (FLOATS, INTS),
        {
            FLOATS: lambda b, x, y: b.fcmp_ordered(sign, x, y),
            INTS: lambda b, x, y: b.icmp_signed(sign, x, y),
        },
        result=MASKS,
    )


_arithmetic(operator.add, "fadd", "add")
_arithmetic(operator.sub, "fsub", "sub")
_arithmetic(operator.mul, "fmul", "mul")
_operator(operator.truediv, (FLOATS,), {FLOATS: lambda b, x, y: b.fdiv(x, y, flags=_FAST)})
for _symbol, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">=")):
    _comparison(_symbol, _sign)
_operator(operator.lshift, (INTS,), {INTS: lambda b, x, y: b.shl(x, y)})
_operator(operator.rshift, (INTS,), {INTS: lambda b, x, y: b.ashr(x, y)})
_operator(operator.xor, (INTS,), {INTS: lambda b, x, y: b.xor(x, y)})
_operator(operator.and_, (INTS, MASKS), dict.fromkeys((INTS, MASKS), lambda b, x, y: b.and_(x, y)))
_operator(operator.or_, (INTS, MASKS), dict.fromkeys((INTS, MASKS), lambda b, x, y: b.or_(x, y)))


# ---------------------------------------------------------------------------------- functions of vectors
def _function(result: Vector, arguments: Sequence[Vector], emit: Callable) -> Any:
    """An intrinsic of vectors of the types `arguments`; scalars are spread over the lanes."""

    def build(given: tuple) -> tuple:
        def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            wide = [_spread(context, builder, *x) for x in zip(values, signature.args, arguments)]
            return emit(builder, *wide)

        return result(*given), lower

    if len(arguments) == 1:

        def one(typing, a):  # type: ignore[no-untyped-def]
            return build((a,))

        return intrinsic(one)
    if len(arguments) == 2:

        def two(typing, a, b):  # type: ignore[no-untyped-def]
            return build((a, b))

        return intrinsic(two)

    def three(typing, a, b, c):  # type: ignore[no-untyped-def]
        return build((a, b, c))

    return intrinsic(three)


def _llvm(name: str) -> Callable:
    """A call of the LLVM intrinsic `name` on vectors of floats."""

    def emit(builder: Any, *values: Any) -> Any:
        signature = ir.FunctionType(_WIDE_F, [_WIDE_F] * len(values))
        function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.v16f32")
        return builder.call(function, values)

    return emit


def _high_product(builder: Any, x: Any, y: Any) -> Any:
    """Upper halves of the unsigned 64-bit products."""
    product = builder.mul(builder.zext(x, _WIDE_L), builder.zext(y, _WIDE_L))
    return builder.trunc(builder.lshr(product, ir.Constant(_WIDE_L, [32] * LANES)), _WIDE_I)


floats = _function(FLOATS, [FLOATS], lambda b, x: x)
ints = _function(INTS, [INTS], lambda b, x: x)
# fused where the processor can, multiply and add elsewhere
fused = _function(FLOATS, [FLOATS] * 3, _llvm("fmuladd"))
square_root = _function(FLOATS, [FLOATS], _llvm("sqrt"))
nearest = _function(FLOATS, [FLOATS], _llvm("rint"))
greater = _function(FLOATS, [FLOATS] * 2, lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))
lesser = _function(FLOATS, [FLOATS] * 2, lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
choose = _function(FLOATS, [MASKS, FLOATS, FLOATS], lambda b, m, x, y: b.select(m, x, y))
lesser_int = _function(INTS, [INTS] * 2, lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y))
to_ints = _function(INTS, [FLOATS], lambda b, x: b.fptosi(x, _WIDE_I))
to_floats = _function(FLOATS, [INTS], lambda b, x: b.sitofp(x, _WIDE_F))
bits_of = _function(INTS, [FLOATS], lambda b, x: b.bitcast(x, _WIDE_I))
from_bits = _function(FLOATS, [INTS], lambda b, x: b.bitcast(x, _WIDE_F))
shift_right = _function(INTS, [INTS] * 2, lambda b, x, y: b.lshr(x, y))  # zeros come in
high_product = _function(INTS, [INTS] * 2, _high_product)


def _reduction(result: types.Type, argument: Vector, name: str) -> Any:
    returned = {types.float32: _F32, types.boolean: _I1}[result]

    def reduce(typing, a):  # type: ignore[no-untyped-def]
        def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kind = ir.FunctionType(returned, [argument.wide])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)

        return result(argument), lower

    return intrinsic(reduce)


largest = _reduction(types.float32, FLOATS, "llvm.vector.reduce.fmax.v16f32")
any_lane = _reduction(types.boolean, MASKS, "llvm.vector.reduce.or.v16i1")


@intrinsic
def lane_numbers(typing):  # type: ignore[no-untyped-def]
    """0, 1, ... 15."""
    return INTS(), lambda context, builder, signature, values: ir.Constant(_WIDE_I, list(range(LANES)))
