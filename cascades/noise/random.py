"""Random numbers by counting: number i of a stream is a function of the stream's key and i.

Squares (Widynski 2020, arXiv:2004.06278), keyed by a hash of seed and stream, so that a result does
not depend on threads or on the order in which members are computed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, uint64

_PI2 = 2.0 * math.pi


@njit(cache=True)
def stream_key(seed: Any, stream: Any) -> Any:
    """The key of a stream: splitmix64 of seed and stream, made odd."""
    z = uint64(seed) * uint64(0x9E3779B97F4A7C15) + uint64(stream) * uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return (z ^ (z >> uint64(31))) | uint64(1)


@njit(cache=True, inline="always")
def uniform(key, count):  # type: ignore[no-untyped-def]
    """In (0, 1), 53 bits."""
    key = uint64(key)
    half = uint64(32)
    y = uint64(count) * key
    x = y
    z = y + key
    x = x * x + y
    x = (x >> half) | (x << half)
    x = x * x + z
    x = (x >> half) | (x << half)
    x = x * x + y
    x = (x >> half) | (x << half)
    t = x * x + z
    x = (t >> half) | (t << half)
    bits = t ^ ((x * x + y) >> half)
    return (np.float64(bits >> uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def normal(key, count):  # type: ignore[no-untyped-def]
    """Standard normal from numbers `count` and `count + 1` (Box & Muller 1958)."""
    u = uniform(key, count)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(_PI2 * uniform(key, uint64(count) + uint64(1)))


@njit(cache=True)
def poisson(mean, key, count):  # type: ignore[no-untyped-def]
    """A Poisson number and the count of the next unused number.

    By inversion below 10, else by transformed rejection (Hormann 1993, Insurance Math. Econ. 12:39).
    """
    if mean <= 0.0:
        return 0, count
    if mean < 10.0:
        target = uniform(key, count)
        p = math.exp(-mean)
        total = p
        k = 0
        while total < target and k < 200:
            k += 1
            p *= mean / k
            total += p
        return k, count + uint64(1)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    limit = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    while True:
        u = uniform(key, count) - 0.5
        v = uniform(key, count + uint64(1))
        count += uint64(2)
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= limit:
            return k, count
        if k < 0 or (us < 0.013 and v > us):
            continue
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= k * log_mean - mean - math.lgamma(k + 1.0):
            return k, count
