"""Functions of sixteen lanes: exponential, logarithm, counter-based normal numbers.

Polynomials of the Cephes library (S. L. Moshier, single precision: expf, logf, sinf, cosf), about one unit in
the last place.  Random numbers: Philox 2x32-10 (Salmon et al. 2011, SC'11, doi:10.1145/2063384.2063405): a
number is a function of (key, counter) alone, so that no result depends on the order of the work.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from cascades.network.compiled import UNCOUNTED
from cascades.network.vectors import (
    bits_of,
    choose,
    from_bits,
    fused,
    greater,
    high_product,
    ints,
    nearest,
    shift_right,
    square_root,
    to_floats,
    to_ints,
)

# Vectors do not cross into Python, so no wrapper is made; division by zero gives infinity as in numpy.
lane_function: Any = njit(**UNCOUNTED, forceinline=True, no_cpython_wrapper=True)

PHILOX_MULTIPLIER = -766435501  # 0xD2511F53 as a signed integer
PHILOX_KEY_STEP = -1640531527  # 0x9E3779B9
PHILOX_ROUNDS = 10


@lane_function
def exponential(x):  # type: ignore[no-untyped-def]
    """e**x; arguments below -87 count as -87."""
    x = greater(x, -87.0)
    k = nearest(x * 1.44269504088896341)
    r = fused(k, 2.12194440e-4, fused(k, -0.693359375, x))
    p = fused(r, 1.9875691500e-4, 1.3981999507e-3)
    p = fused(p, r, 8.3334519073e-3)
    p = fused(p, r, 4.1665795894e-2)
    p = fused(p, r, 1.6666665459e-1)
    p = fused(p, r, 5.0000001201e-1)
    p = fused(p, r * r, r) + 1.0
    return p * from_bits((to_ints(k) + 127) << 23)


@lane_function
def logarithm(x):  # type: ignore[no-untyped-def]
    """ln x of positive normal numbers."""
    bits = bits_of(x)
    exponent = (bits - 0x3F3504F3) >> 23  # so that the mantissa lies between sqrt(1/2) and sqrt(2)
    f = from_bits(bits - (exponent << 23)) - 1.0
    e = to_floats(exponent)
    z = f * f
    p = fused(f, 7.0376836292e-2, -1.1514610310e-1)
    p = fused(p, f, 1.1676998740e-1)
    p = fused(p, f, -1.2420140846e-1)
    p = fused(p, f, 1.4249322787e-1)
    p = fused(p, f, -1.6668057665e-1)
    p = fused(p, f, 2.0000714765e-1)
    p = fused(p, f, -2.4999993993e-1)
    p = fused(p, f, 3.3333331174e-1)
    tail = fused(f * z, p, e * -2.12194440e-4)
    return fused(e, 0.693359375, f + fused(z, -0.5, tail))


@lane_function
def cosine_of_turns(t):  # type: ignore[no-untyped-def]
    """cos(2 pi t) for -1/2 <= t <= 1/2."""
    quarter = nearest(t * 4.0)
    x = fused(quarter, -0.25, t) * 6.28318530717958648
    z = x * x
    sine = fused(z, -1.9515295891e-4, 8.3321608736e-3)
    sine = fused(fused(sine, z, -1.6666654611e-1), z * x, x)
    cosine = fused(z, 2.443315711809948e-5, -1.388731625493765e-3)
    cosine = fused(fused(cosine, z, 4.166664568298827e-2), z * z, fused(z, -0.5, 1.0))
    size = quarter * quarter
    on_axis = choose(size < 0.5, cosine, cosine * -1.0)
    return choose((size > 0.5) & (size < 2.0), sine * (quarter * -1.0), on_axis)


@lane_function
def philox(first, second, key):  # type: ignore[no-untyped-def]
    """Two words of 32 random bits per lane, from a counter of two words and a key."""
    first, second, key = ints(first), ints(second), ints(key)
    for _ in range(PHILOX_ROUNDS):
        high = high_product(first, PHILOX_MULTIPLIER)
        low = first * PHILOX_MULTIPLIER
        first = high ^ second ^ key
        second = low
        key = key + PHILOX_KEY_STEP
    return first, second


@lane_function
def normal(first, second, key):  # type: ignore[no-untyped-def]
    """One standard normal number per lane (Box and Muller), a function of counter and key."""
    a, b = philox(first, second, key)
    uniform = fused(to_floats(shift_right(a, 8)), 2.0**-24, 2.0**-25)
    turns = to_floats(b) * 2.0**-32
    return square_root(logarithm(uniform) * -2.0) * cosine_of_turns(turns)
