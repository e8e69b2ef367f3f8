"""exp, log and pow on vectors of float64, as LLVM code without calls.

Written with llvmlite's builder, so that the model compiler (as text) and numba (as intrinsics) share
them.  Errors are below 2 units in the last place for exp and log; pow adds |y log x| units.  Infinities,
NaN, zeros and (for log) subnormal numbers are treated as the C library does.

Methods: argument reduction and a Taylor polynomial for exp; for log the atanh form and the
coefficients of Sun's fdlibm (1993), e_log.c.
"""

from __future__ import annotations

import math
from typing import Any

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG_COEFFICIENTS = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
_EXP_TERMS = 13
_HIGHEST, _LOWEST = 710.0, -746.0  # exp is infinite above and zero below


class _Vector:
    """Arithmetic on values of one type (double or a vector of doubles) with fewer brackets."""

    def __init__(self, builder: Any, type_: Any):
        from llvmlite import ir

        self.ir, self.b, self.type = ir, builder, type_
        self.lanes = type_.count if isinstance(type_, ir.VectorType) else 0
        self.int = ir.VectorType(ir.IntType(64), self.lanes) if self.lanes else ir.IntType(64)

    def real(self, value: float) -> Any:
        return self.ir.Constant(self.type, [value] * self.lanes if self.lanes else value)

    def whole(self, value: int) -> Any:
        return self.ir.Constant(self.int, [value] * self.lanes if self.lanes else value)

    def intrinsic(self, name: str, *args: Any) -> Any:
        suffix = f"v{self.lanes}f64" if self.lanes else "f64"
        signature = self.ir.FunctionType(self.type, [self.type] * len(args))
        full = f"llvm.{name}.{suffix}"
        module = self.b.module
        function = module.globals.get(full) or self.ir.Function(module, signature, full)
        return self.b.call(function, args)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.intrinsic("fmuladd", a, b, c)

    def select(self, how: str, a: Any, b: Any, yes: Any, no: Any) -> Any:
        return self.b.select(self.b.fcmp_ordered(how, a, b), yes, no)

    def bits(self, x: Any) -> Any:
        return self.b.bitcast(x, self.int)

    def from_bits(self, i: Any) -> Any:
        return self.b.bitcast(i, self.type)


def exp(builder: Any, x: Any) -> Any:
    v = _Vector(builder, x.type)
    b = builder
    bounded = v.select(">", x, v.real(_HIGHEST), v.real(_HIGHEST), x)
    bounded = v.select("<", bounded, v.real(_LOWEST), v.real(_LOWEST), bounded)
    bounded = v.select("==", x, x, bounded, v.real(0.0))  # NaN has no integer part; put back below
    n = v.intrinsic("rint", b.fmul(bounded, v.real(1.0 / math.log(2.0))))
    r = v.fma(n, v.real(-_LN2_HIGH), bounded)
    r = v.fma(n, v.real(-_LN2_LOW), r)
    total = v.real(1.0 / math.factorial(_EXP_TERMS))
    for k in range(_EXP_TERMS - 1, -1, -1):
        total = v.fma(total, r, v.real(1.0 / math.factorial(k)))
    # 2^n in two factors, so that the smallest and largest results are reached without overflow
    whole = b.fptosi(n, v.int)
    half = b.ashr(whole, v.whole(1))
    for power in (half, b.sub(whole, half)):
        total = b.fmul(total, v.from_bits(b.shl(b.add(power, v.whole(1023)), v.whole(52))))
    return v.select("==", x, x, total, x)


def log(builder: Any, x: Any) -> Any:
    v = _Vector(builder, x.type)
    b = builder
    tiny = b.fcmp_ordered("<", x, v.real(2.2250738585072014e-308))
    scaled = b.select(tiny, b.fmul(x, v.real(2.0**54)), x)
    bits = v.bits(scaled)
    # m in [sqrt(1/2), sqrt(2)): shift the exponent by the bits of sqrt(1/2)
    shifted = b.add(bits, v.whole(0x3FF0000000000000 - 0x3FE6A09E667F3BCD))
    exponent = b.sub(b.ashr(shifted, v.whole(52)), v.whole(1023))
    mantissa = b.add(b.and_(shifted, v.whole(0x000FFFFFFFFFFFFF)), v.whole(0x3FE6A09E667F3BCD))
    e = b.sitofp(exponent, v.type)
    e = b.select(tiny, b.fsub(e, v.real(54.0)), e)
    f = b.fsub(v.from_bits(mantissa), v.real(1.0))
    s = b.fdiv(f, b.fadd(f, v.real(2.0)))
    z = b.fmul(s, s)
    series = v.real(_LOG_COEFFICIENTS[-1])
    for coefficient in _LOG_COEFFICIENTS[-2::-1]:
        series = v.fma(series, z, v.real(coefficient))
    series = b.fmul(series, z)
    half_square = b.fmul(v.real(0.5), b.fmul(f, f))
    low = v.fma(s, b.fadd(half_square, series), b.fmul(e, v.real(_LN2_LOW)))
    result = b.fsub(b.fmul(e, v.real(_LN2_HIGH)), b.fsub(b.fsub(half_square, low), f))
    result = v.select("==", x, v.real(math.inf), x, result)
    result = v.select("==", x, v.real(0.0), v.real(-math.inf), result)
    return v.select(">=", x, v.real(0.0), result, v.real(math.nan))


def power(builder: Any, x: Any, y: Any) -> Any:
    """x to the y; a negative x needs a whole y."""
    v = _Vector(builder, x.type)
    b = builder
    size = exp(b, b.fmul(y, log(b, v.intrinsic("fabs", x))))
    whole = b.fcmp_ordered("==", v.intrinsic("floor", y), y)
    half = b.fmul(y, v.real(0.5))
    even = b.fcmp_ordered("==", v.intrinsic("floor", half), half)
    signed = b.select(even, size, b.fneg(size))
    negative = b.select(whole, signed, v.real(math.nan))
    result = v.select("<", x, v.real(0.0), negative, size)
    result = v.select("==", x, v.real(1.0), v.real(1.0), result)
    return v.select("==", y, v.real(0.0), v.real(1.0), result)


FUNCTIONS: dict[str, tuple[Any, int]] = {"exp": (exp, 1), "log": (log, 1), "pow": (power, 2)}


def definitions(lanes: int) -> str:
    """LLVM text of @lanes.exp, @lanes.log and @lanes.pow for vectors of `lanes` float64."""
    from llvmlite import ir

    module = ir.Module()
    vector = ir.VectorType(ir.DoubleType(), lanes)
    for name, (write, n_arguments) in FUNCTIONS.items():
        function = ir.Function(module, ir.FunctionType(vector, [vector] * n_arguments), f"lanes.{name}")
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(write(builder, *function.args))
    lines = str(module).splitlines()
    return (
        "\n".join(line for line in lines if not line.startswith((";", "target ", "source_filename"))) + "\n"
    )
