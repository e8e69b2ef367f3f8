"""The few-equation level, replayed: sensors averaged exactly over decaying calcium, steps by their error."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from cascades.compiler.derivatives import gradients
from cascades.expression import ZERO, Expr
from cascades.reduction.batch import Jumps
from cascades.reduction.block import U
from cascades.reduction.manifold import SlowManifold
from cascades.reduction.source import compiled_function

PIECE, STRETCH = 0.02, 3.0  # of the steps after a jump of calcium: the first [s], and the factor
FIRST, LONGEST = 0.3, 60.0  # of the steps at rest: the first [s], and the limit
TOLERANCE, SHORTEST = 5e-3, 1e-3  # error of the efficacy that a step may have, and its least length [s]
SAFETY, GROWTH = 0.85, 4.0
KEPT = 0.1  # what an error of a kept state, of its resting value, is worth as error of the efficacy
GAMMA = 1.0 + math.sqrt(0.5)  # of ROS2, see Verwer et al. (1999) SIAM J. Sci. Comput. 20:1456

FAST: Any = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "arcp"}}  # infinities still count

Replay = Callable[[Jumps, float], tuple[np.ndarray, np.ndarray]]


def few_equations(manifold: SlowManifold, tau: float, tolerance: float = TOLERANCE) -> Replay:
    """A function of (jumps, rest) that gives efficacies as `replay_cases` does, for calcium that decays
    with `tau` [s]."""
    kernel = _compiled(
        manifold.factors, manifold.kept_rates, manifold.kept, manifold.sensors.names, 1 + manifold.corrections
    )
    logs = np.log(manifold.excess)
    sensor = _cumulated(manifold.sensor_values, logs)
    scale = np.maximum(np.abs(manifold.start[:, 1 + manifold.corrections :]).max(axis=0), 1e-12)

    def replay(jumps: Jumps, rest: float) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty((jumps.end.size, 2, 2))
        kernel(
            jumps.times, jumps.sizes, jumps.offset, jumps.end, rest, np.array([logs[0], logs[-1], tau]),
            sensor, manifold.sensor_values[:, -1].copy(), manifold.push, manifold.pull, manifold.rho[-1],
            manifold.start, scale, tolerance, out,
        )  # fmt: skip
        return out[:, :, 0], out[:, :, 1]

    return replay


@lru_cache(maxsize=8)
def _compiled(
    factors: tuple[Expr, ...],
    kept_rates: tuple[Expr, ...],
    kept: tuple[str, ...],
    sensors: tuple[str, ...],
    coordinates: int,
) -> Any:
    """The loop over cases for these formulas."""
    where = {n: f"r[{i}]" for i, n in enumerate(kept)} | {U.name: "u"}
    where |= {n: f"s[{i}]" for i, n in enumerate(sensors)}
    slopes = gradients(kept_rates, kept)
    return _kernel(
        compiled_function(factors, where, "u, r, s"),
        compiled_function(kept_rates, where, "u, r, s"),
        compiled_function([row.get(n, ZERO) for row in slopes for n in kept], where, "u, r, s"),
        (len(factors), coordinates, len(kept)),
    )


def _cumulated(table: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """The integral over the logarithm of the excess, along the last axis without its end, rest."""
    inside = table[..., :-1]
    steps = 0.5 * (inside[..., 1:] + inside[..., :-1]) * np.diff(logs)
    return np.concatenate([np.zeros((*table.shape[:-1], 1)), np.cumsum(steps, axis=-1)], axis=-1)


def _kernel(factors: Any, rates: Any, jacobian: Any, sizes_of: tuple[int, int, int]) -> Any:
    """The loop over cases, for one model's factors and kept states; their numbers are constants, so that the
    loops over them are unrolled."""
    n_factors, n_block, n_kept = sizes_of

    @njit(nogil=True, **FAST)
    def slow(y, r, s, push, pull, top, phi, out, along):  # type: ignore[no-untyped-def]
        """(rho, z)' at kept states r and sensors s, and its derivatives along z in the columns of `along`."""
        c, n = n_block, push.shape[1]
        rho = min(max(y[0], 0.0), top)
        factors(rho, r, s, phi)
        k = min(int(math.sqrt(rho / top) * (n - 1)), n - 2)
        low, high = top * (k / (n - 1)) ** 2, top * ((k + 1) / (n - 1)) ** 2
        part = min((y[0] - low) / (high - low), 2.0)
        for i in range(c):
            value = 0.0
            for m in range(n_factors):
                value += phi[m] * (push[m, k, i] + part * (push[m, k + 1, i] - push[m, k, i]))
            for b in range(c - 1):
                pulled = 0.0
                for m in range(n_factors):
                    pulled += phi[m] * (pull[m, k, i, b] + part * (pull[m, k + 1, i, b] - pull[m, k, i, b]))
                along[i, 1 + b] = pulled
                value += pulled * y[1 + b]
            out[i] = value

    @njit(nogil=True, **FAST)
    def keep(r, rho, h, s, scale, w, flat, a, middle, new):  # type: ignore[no-untyped-def]
        """ROS2 for the kept states; their mean and their new values, and the error relative to `scale`."""
        k = n_kept
        k1, k2, f, t = w[0], w[1], w[2], w[3]
        jacobian(rho, r, s, flat)
        rates(rho, r, s, f)
        for i in range(k):
            for j in range(k):
                a[i, j] = (1.0 if i == j else 0.0) - GAMMA * h * flat[i * k + j]
            k1[i] = f[i]
        _factorise(a, k)
        _solve(a, k1, k)
        for i in range(k):
            t[i] = r[i] + h * k1[i]
        rates(rho, t, s, f)
        for i in range(k):
            k2[i] = f[i] - 2.0 * k1[i]
        _solve(a, k2, k)
        error = 0.0
        for i in range(k):
            new[i] = max(r[i] + h * (1.5 * k1[i] + 0.5 * k2[i]), 0.0)
            middle[i] = 0.5 * (r[i] + new[i])
            error = max(error, abs(0.5 * h * (k1[i] + k2[i])) / scale[i])
        return error

    @njit(nogil=True, **FAST)
    def move(y, r, h, s, push, pull, top, w, phi, a, along, new):  # type: ignore[no-untyped-def]
        """ROS2 for the block at kept states r; the error of the efficacy."""
        c = n_block
        k1, k2, f, t = w[0], w[1], w[2], w[3]
        for i in range(c):
            t[i] = y[i]
        t[0] += 1e-6
        slow(t, r, s, push, pull, top, phi, k1, along)
        slow(y, r, s, push, pull, top, phi, f, along)
        for i in range(c):
            along[i, 0] = (k1[i] - f[i]) * 1e6
            for j in range(c):
                a[i, j] = (1.0 if i == j else 0.0) - GAMMA * h * along[i, j]
            k1[i] = f[i]
        _factorise(a, c)
        _solve(a, k1, c)
        for i in range(c):
            t[i] = y[i] + h * k1[i]
        slow(t, r, s, push, pull, top, phi, f, along)
        for i in range(c):
            k2[i] = f[i] - 2.0 * k1[i]
        _solve(a, k2, c)
        for i in range(c):
            new[i] = y[i] + h * (1.5 * k1[i] + 0.5 * k2[i])
        return abs(0.5 * h * (k1[0] + k2[0]))

    @njit(nogil=True, **FAST)
    def run(  # type: ignore[no-untyped-def]
        times, sizes, offset, end, rest, span, sensor, resting, push, pull, top, start, scale, tolerance, out
    ):
        tau, lowest, c, k = span[2], span[0], n_block, n_kept
        widest = max(c, k, 1)
        s, y, r = np.empty(sensor.shape[0]), np.empty((2, c)), np.empty(k)
        new_y, new_r, middle = np.empty((2, c)), np.empty(k), np.empty(k)
        w, phi = np.zeros((4, widest)), np.empty(n_factors)
        flat, a, along = np.empty(max(k * k, 1)), np.empty((widest, widest)), np.empty((c, c))
        for case in range(end.size):
            n = offset[case + 1] - offset[case]
            y[:], r[:] = start[:, :c], start[0, c:]
            excess, now, quiet = 0.0, 0.0, FIRST
            for q in range(n + 2):
                t = times[offset[case] + q] if q < n else (max(end[case], now) if q == n else now + rest)
                h = t - now
                level = math.log(excess) if excess > 0.0 else lowest
                active = min(h, max(0.0, tau * (level - lowest)))
                passed, piece = 0.0, PIECE
                while passed < h - 1e-9:
                    is_active = passed < active - 1e-9
                    edge = active if is_active else h
                    length = piece if is_active else quiet
                    step = edge - passed if passed + 1.3 * length > edge else length
                    error = 0.0
                    while True:
                        if is_active:
                            _means(sensor, level - passed / tau, level - (passed + step) / tau, span, s)
                        else:
                            s[:] = resting
                        error = (
                            KEPT * keep(r, y[0, 0], step, s, scale, w, flat, a, middle, new_r)
                            if k > 0
                            else 0.0
                        )
                        for i in range(2):
                            moved = move(y[i], middle, step, s, push, pull, top, w, phi, a, along, new_y[i])
                            error = max(error, moved)
                        if error <= tolerance or step <= SHORTEST or not math.isfinite(error):
                            break
                        step = max(0.5 * SHORTEST, step * max(0.2, SAFETY * math.sqrt(tolerance / error)))
                    y[:], r[:] = new_y, new_r
                    passed += step
                    grown = step * min(GROWTH, SAFETY * math.sqrt(tolerance / max(error, 1e-12)))
                    if is_active:
                        piece, quiet = min(STRETCH * step, max(grown, PIECE)), FIRST
                    else:
                        quiet = min(max(grown, SHORTEST), LONGEST)
                excess *= math.exp(-h / tau)
                if q < n:
                    excess += sizes[offset[case] + q]
                else:
                    out[case, 0, q - n], out[case, 1, q - n] = y[0, 0], y[1, 0]
                now = t

    return run


@njit(nogil=True, cache=True, **FAST)
def _factorise(a, k):  # type: ignore[no-untyped-def]
    """No pivoting: the matrix is the identity and something dissipative."""
    for i in range(k):
        for j in range(i + 1, k):
            m = a[j, i] / a[i, i]
            a[j, i] = m
            for c in range(i + 1, k):
                a[j, c] -= m * a[i, c]


@njit(nogil=True, cache=True, **FAST)
def _solve(a, x, k):  # type: ignore[no-untyped-def]
    for i in range(k):
        for j in range(i):
            x[i] -= a[i, j] * x[j]
    for i in range(k - 1, -1, -1):
        for j in range(i + 1, k):
            x[i] -= a[i, j] * x[j]
        x[i] /= a[i, i]


@njit(nogil=True, cache=True, **FAST)
def _means(sensor, high, low, span, s):  # type: ignore[no-untyped-def]
    """The mean of each sensor while the logarithm of the excess falls from `high` to `low`; both are
    taken into the table, and so is the length between them."""
    n = sensor.shape[1]
    per_row = (n - 1) / (span[1] - span[0])
    top = min(max((high - span[0]) * per_row, 0.0), n - 1.0)
    bottom = min(max((low - span[0]) * per_row, 0.0), n - 1.0)
    j1, j0 = min(int(top), n - 2), min(int(bottom), n - 2)
    x1, x0 = top - j1, bottom - j0
    length = max((top - bottom) / per_row, 1e-9)
    for a in range(sensor.shape[0]):
        upper = sensor[a, j1] + x1 * (sensor[a, j1 + 1] - sensor[a, j1])
        lower = sensor[a, j0] + x0 * (sensor[a, j0 + 1] - sensor[a, j0])
        s[a] = (upper - lower) / length
