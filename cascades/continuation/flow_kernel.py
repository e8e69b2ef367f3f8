"""The flow to rest, compiled: ROS2 (Verwer et al. 1999, SIAM J. Sci. Comput. 20:1456) with loose error
control, which stays in the basin of attraction that it starts in."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cascades.continuation.ensemble_kernel import factorise, substitute
from cascades.continuation.native import call_formulas

GAMMA = 1.0 + math.sqrt(0.5)
STEPS = 3000


@njit(nogil=True, cache=True)
def flow_to_rest(address, rows, columns, start, q, scale, is_positive):  # type: ignore[no-untyped-def]
    """The state after a long time; `address` gives rates, then the entries of the Jacobian."""
    n = start.size
    x, after, k1, k2 = start.copy(), np.empty(n), np.empty(n), np.empty(n)
    size = np.maximum(scale, np.abs(x))
    out, more = np.empty(n + rows.size), np.empty(n + rows.size)
    matrix, pivots = np.empty((n, n)), np.empty(n, np.int64)
    call_formulas(address, x.ctypes.data, q.ctypes.data, x.ctypes.data, out.ctypes.data)
    rate = 1e-12
    for i in range(n):
        rate = max(rate, abs(out[i]) / size[i])
    shortest, longest = 1e-14 / rate, 1e12 / rate
    h = 1e-4 / rate
    t = 0.0
    fresh = True
    for _ in range(STEPS):
        if not fresh:
            call_formulas(address, x.ctypes.data, q.ctypes.data, x.ctypes.data, out.ctypes.data)
            fresh = True
        matrix[:] = 0.0
        for e in range(rows.size):
            matrix[rows[e], columns[e]] = -GAMMA * h * out[n + e]
        for i in range(n):
            matrix[i, i] += 1.0
            k1[i] = out[i]
        error = np.inf
        if factorise(matrix, pivots) != 0.0:
            substitute(matrix, pivots, k1)
            for i in range(n):
                after[i] = x[i] + h * k1[i]
            call_formulas(address, after.ctypes.data, q.ctypes.data, after.ctypes.data, more.ctypes.data)
            for i in range(n):
                k2[i] = more[i] - 2.0 * k1[i]
            substitute(matrix, pivots, k2)
            error = 0.0
            for i in range(n):
                after[i] = x[i] + h * (1.5 * k1[i] + 0.5 * k2[i])
                gap = h * 0.5 * (k1[i] + k2[i]) / max(scale[i], abs(after[i]))
                error += gap * gap
                if is_positive[i] and after[i] < -1e-3 * size[i]:
                    error = np.inf
            error = math.sqrt(error) / (1e-3 * math.sqrt(float(n)))
        if not error <= 1.0:
            h *= max(0.2, 0.9 / math.sqrt(error)) if error < np.inf else 0.25
            if h < shortest:
                return x
            continue
        t += h
        moved, drift = 0.0, 0.0
        for i in range(n):
            width = max(scale[i], abs(after[i]))
            moved = max(moved, abs(after[i] - x[i]) / width)
            drift = max(drift, abs(out[i]) / width)
        x[:] = after
        for i in range(n):
            size[i] = max(scale[i], abs(x[i]))
        fresh = False
        if moved < 1e-7 and drift * t < 1e-4:
            return x
        h = min(h * min(4.0, 0.9 / math.sqrt(max(error, 1e-8))), longest)
    return x
