"""The few-equation level, replayed: tables averaged exactly over decaying calcium, in steps that grow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from cascades.compiler.derivatives import gradients
from cascades.expression import ZERO
from cascades.reduction.batch import Jumps
from cascades.reduction.manifold import TOP, SlowManifold
from cascades.reduction.source import compiled_function

PIECE, STRETCH = 0.04, 2.5  # of the steps after a jump of calcium: the first [s], and the factor
FIRST, GROWTH, LONGEST = 0.3, 2.0, 12.0  # of the steps at rest: the first [s], factor, and limit [s]
GAMMA = 1.0 + math.sqrt(0.5)  # of ROS2, see Verwer et al. (1999) SIAM J. Sci. Comput. 20:1456
LOWEST = -0.02  # efficacy at which the tables end
AT_REST = (0, 0.0, 0, 0.0, 0.0)  # the place of resting calcium

Replay = Callable[[Jumps, float], tuple[np.ndarray, np.ndarray]]


def few_equations(manifold: SlowManifold, tau: float) -> Replay:
    """A function of (jumps, rest) that gives efficacies as `replay_cases` does, for calcium that decays
    with `tau` [s]."""
    k = len(manifold.kept)
    names = manifold.sensors.names
    where = {n: f"r[{i}]" for i, n in enumerate(manifold.kept)} | {n: f"s[{i}]" for i, n in enumerate(names)}
    slopes = gradients(manifold.rates, manifold.kept)
    rates = compiled_function(manifold.rates, where, "r, s")
    jacobian = compiled_function([row.get(n, ZERO) for row in slopes for n in manifold.kept], where, "r, s")
    logs = np.log(manifold.excess)
    gain = _cumulated(manifold.gain, logs)
    sensor = _cumulated(manifold.sensor_values, logs)
    kernel = _kernel(rates, jacobian)
    span = np.array([logs[0], logs[-1], tau])

    def replay(jumps: Jumps, rest: float) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty((jumps.end.size, 2, 2))
        kernel(
            jumps.times, jumps.sizes, jumps.offset, jumps.end, rest, span, gain,
            manifold.gain[:, :, -1].copy(), sensor, manifold.sensor_values[:, -1].copy(),
            manifold.start, k, out,
        )  # fmt: skip
        return out[:, :, 0], out[:, :, 1]

    return replay


def _cumulated(table: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """The integral over the logarithm of the excess, along the last axis without its end, rest."""
    inside = table[..., :-1]
    steps = 0.5 * (inside[..., 1:] + inside[..., :-1]) * np.diff(logs)
    return np.concatenate([np.zeros((*table.shape[:-1], 1)), np.cumsum(steps, axis=-1)], axis=-1)


@njit(nogil=True, cache=True)
def _mean_place(level: float, span: Any, n: int) -> tuple[int, float]:
    x = (level - span[0]) / (span[1] - span[0]) * (n - 1)
    j = min(max(int(x), 0), n - 2)
    return j, min(max(x - j, 0.0), 1.0)


def _kernel(rates: Any, jacobian: Any) -> Any:
    """The loop over cases, for one model's kept states."""

    @njit(nogil=True)
    def advance(rho, r, h, gain, gain_rest, place, s, work):  # type: ignore[no-untyped-def]
        """One step of `h` [s] at the mean gains between two places in the tables and mean sensors s."""
        k = r.size
        before = work[0]
        for i in range(k):
            before[i] = r[i]
        # ROS2 for the kept states
        matrix, flat, k1, k2, f = work[1 : 1 + k], work[1 + k], work[2 + k], work[3 + k], work[4 + k]
        jacobian(r, s, flat)
        rates(r, s, f)
        for i in range(k):
            for j in range(k):
                matrix[i, j] = (1.0 if i == j else 0.0) - GAMMA * h * flat[i * k + j]
            k1[i] = f[i]
        for i in range(k):  # no pivoting: the matrix is the identity and something dissipative
            for j in range(i + 1, k):
                m = matrix[j, i] / matrix[i, i]
                matrix[j, i] = m
                for c in range(i + 1, k):
                    matrix[j, c] -= m * matrix[i, c]
        _solve(matrix, k1, k)
        for i in range(k):
            r[i] = before[i] + h * k1[i]
        rates(r, s, f)
        for i in range(k):
            k2[i] = f[i] - 2.0 * k1[i]
        _solve(matrix, k2, k)
        for i in range(k):
            r[i] = max(before[i] + h * (1.5 * k1[i] + 0.5 * k2[i]), 0.0)
        # the weight: exponential Euler in the table's cells, in as many steps as its speed asks for
        left, count = h, 0
        while left > 0.0 and count < 200:
            count += 1
            x = math.sqrt(max(rho, 0.0) / TOP)
            n = gain_rest.shape[1]
            x = (x - 0.02) / 0.98 * (n - 1)
            i = min(max(int(x), 0), n - 2)
            a = TOP * (0.02 + 0.98 * i / (n - 1)) ** 2
            b = TOP * (0.02 + 0.98 * (i + 1) / (n - 1)) ** 2
            middle = (h - 0.5 * left) / h
            low = _mean_gain(gain, gain_rest, 0, i, place)
            high = _mean_gain(gain, gain_rest, 0, i + 1, place)
            for j in range(k):
                now = before[j] + middle * (r[j] - before[j])
                low += _mean_gain(gain, gain_rest, 1 + j, i, place) * now
                high += _mean_gain(gain, gain_rest, 1 + j, i + 1, place) * now
            slope = (high - low) / (b - a)
            speed = low + slope * (rho - a)
            reach = 2.0 * (b - a) + 0.01
            step = min(left, reach / max(abs(speed), 1e-12))
            z = slope * step
            growth = math.expm1(z) / z if abs(z) > 1e-9 else 1.0
            rho = min(max(rho + step * growth * speed, LOWEST), TOP)
            left -= step
        return rho

    @njit(nogil=True)
    def run(times, sizes, offset, end, rest, span, gain, gain_rest, sensor, sensor_rest, start, k, out):  # type: ignore[no-untyped-def]
        tau = span[2]
        s = np.empty(sensor.shape[0])
        work = np.zeros((5 + k, max(k * k, k, 1)))
        r = np.empty((2, k))
        rho = np.empty(2)
        for case in range(end.size):
            for i in range(2):
                rho[i] = start[i, 0]
                for j in range(k):
                    r[i, j] = start[i, 1 + j]
            excess, now = 0.0, 0.0
            n = offset[case + 1] - offset[case]
            quiet = FIRST
            for q in range(n + 2):
                t = times[offset[case] + q] if q < n else (max(end[case], now) if q == n else now + rest)
                h = t - now
                level = math.log(excess) if excess > 0.0 else span[0]
                active = min(h, max(0.0, tau * (level - span[0])))
                if active > 0.0:
                    passed, step = 0.0, PIECE
                    while passed < active:
                        step = active - passed if passed + 1.3 * step > active else step
                        high, low = level - passed / tau, level - (passed + step) / tau
                        place = _between(high, low, span, gain.shape[2])
                        _mean_sensors(sensor, place, s)
                        for i in range(2):
                            rho[i] = advance(rho[i], r[i], step, gain, gain_rest, place, s, work)
                        passed += step
                        step *= STRETCH
                    quiet = FIRST
                left = h - active
                while left > 1e-12:
                    step = min(left, quiet)
                    for i in range(2):
                        rho[i] = advance(rho[i], r[i], step, gain, gain_rest, AT_REST, sensor_rest, work)
                    left -= step
                    quiet = min(quiet * GROWTH, LONGEST)
                excess *= math.exp(-h / tau)
                if q < n:
                    excess += sizes[offset[case] + q]
                else:
                    out[case, 0, q - n], out[case, 1, q - n] = rho[0], rho[1]
                now = t

    return run


@njit(nogil=True, cache=True)
def _solve(matrix, x, k):  # type: ignore[no-untyped-def]
    for i in range(k):
        for j in range(i):
            x[i] -= matrix[i, j] * x[j]
    for i in range(k - 1, -1, -1):
        for j in range(i + 1, k):
            x[i] -= matrix[i, j] * x[j]
        x[i] /= matrix[i, i]


@njit(nogil=True, cache=True)
def _between(high, low, span, n):  # type: ignore[no-untyped-def]
    """Where in the tables the logarithm of the excess falls from and to, and how far: (row, part, row,
    part, length).  Places are clamped at the ends of the table, and so is the length between them."""
    j1, x1 = _mean_place(high, span, n)
    j0, x0 = _mean_place(low, span, n)
    length = ((j1 + x1) - (j0 + x0)) * (span[1] - span[0]) / (n - 1)
    return j1, x1, j0, x0, max(length, 1e-9)


@njit(nogil=True, cache=True)
def _mean_gain(gain, gain_rest, a, i, place):  # type: ignore[no-untyped-def]
    j1, x1, j0, x0, length = place
    if length <= 0.0:
        return gain_rest[a, i]
    upper = gain[a, i, j1] + x1 * (gain[a, i, j1 + 1] - gain[a, i, j1])
    lower = gain[a, i, j0] + x0 * (gain[a, i, j0 + 1] - gain[a, i, j0])
    return (upper - lower) / length


@njit(nogil=True, cache=True)
def _mean_sensors(sensor, place, s):  # type: ignore[no-untyped-def]
    j1, x1, j0, x0, length = place
    for a in range(sensor.shape[0]):
        upper = sensor[a, j1] + x1 * (sensor[a, j1 + 1] - sensor[a, j1])
        lower = sensor[a, j0] + x0 * (sensor[a, j0 + 1] - sensor[a, j0])
        s[a] = (upper - lower) / length
