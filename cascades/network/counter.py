"""Random numbers that are functions of key and counter, one at a time; the lanes' twins are in `lanes`.

Philox 2x32-10 (Salmon et al. 2011, SC'11, doi:10.1145/2063384.2063405).
"""

from __future__ import annotations

import math

import numpy as np

from cascades.network.compiled import part_of_kernel

_MULTIPLIER = np.uint64(0xD2511F53)
_KEY_STEP = np.uint32(0x9E3779B9)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@part_of_kernel
def words(first, second, key):  # type: ignore[no-untyped-def]
    """Two words of 32 random bits."""
    a, b, k = np.uint32(first), np.uint32(second), np.uint32(key)
    for _ in range(10):
        product = np.uint64(a) * _MULTIPLIER
        a = np.uint32(product >> _HALF) ^ b ^ k
        b = np.uint32(product & _LOW)
        k = np.uint32(k + _KEY_STEP)
    return a, b


@part_of_kernel
def waiting_time(word):  # type: ignore[no-untyped-def]
    """An exponential number of mean one."""
    return -math.log((np.float64(word) + 0.5) * 2.0**-32)


@part_of_kernel
def pick(word, count):  # type: ignore[no-untyped-def]
    """0 ... count - 1."""
    return np.int64((np.uint64(word) * np.uint64(count)) >> _HALF)


@part_of_kernel
def normal_number(first, second, key):  # type: ignore[no-untyped-def]
    """A standard normal number; to single precision that of `lanes.normal`."""
    a, b = words(first, second, key)
    uniform = np.float64(a >> np.uint32(8)) * 2.0**-24 + 2.0**-25
    turns = np.float64(np.int32(b)) * 2.0**-32
    return math.sqrt(-2.0 * math.log(uniform)) * math.cos(2.0 * math.pi * turns)


def stream_key(seed: int, stream: int) -> int:
    """A key of 32 bits for one of the independent uses of a seed."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1, np.uint32)[0])
