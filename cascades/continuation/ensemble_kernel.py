"""Pseudo-arclength continuation of one member, compiled.

Coordinates are those of `scaled`: states divided by their size and the root of their number, the
parameter or its logarithm.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cascades.continuation.native import call_formulas

REACHED, CLOSED, NO_START, FAILED, TOO_MANY, RETURNED = 0, 1, 2, 3, 4, 5
ITERATIONS = 8
TRUE_CROSSING = 1e-2  # of the first step
ASIDE = 0.35  # of a step, between prediction and correction
SECANTS = 40


@njit(nogil=True, cache=True)
def factorise(a, pivots):  # type: ignore[no-untyped-def]
    """LU in place with row pivots; the sign of the determinant, 0 if singular."""
    n = a.shape[0]
    sign = 1.0
    for j in range(n):
        best = j
        for i in range(j + 1, n):
            if abs(a[i, j]) > abs(a[best, j]):
                best = i
        pivots[j] = best
        if a[best, j] == 0.0 or math.isnan(a[best, j]):
            return 0.0
        if best != j:
            sign = -sign
            for k in range(n):
                a[j, k], a[best, k] = a[best, k], a[j, k]
        if a[j, j] < 0.0:
            sign = -sign
        inverse = 1.0 / a[j, j]
        for i in range(j + 1, n):
            if a[i, j] != 0.0:
                factor = a[i, j] * inverse
                a[i, j] = factor
                for k in range(j + 1, n):
                    a[i, k] -= factor * a[j, k]
    return sign


@njit(nogil=True, cache=True)
def substitute(a, pivots, b):  # type: ignore[no-untyped-def]
    """Solve in place with the factors."""
    n = a.shape[0]
    for j in range(n):
        if pivots[j] != j:
            b[j], b[pivots[j]] = b[pivots[j]], b[j]
    for j in range(n):
        for i in range(j + 1, n):
            b[i] -= a[i, j] * b[j]
    for j in range(n - 1, -1, -1):
        b[j] /= a[j, j]
        for i in range(j):
            b[i] -= a[i, j] * b[j]


@njit(nogil=True, cache=True)
def evaluate(work, u):  # type: ignore[no-untyped-def]
    """Scaled rates and their derivatives with respect to u in the first n rows of `matrix`."""
    address, rows, columns, k, is_log, width, size, x, q, out, matrix, rates, _, _ = work
    n = size.size
    for i in range(n):
        x[i] = u[i] * size[i]
    q[k] = math.exp(u[n]) if is_log else u[n] * width
    slope = q[k] if is_log else width
    call_formulas(address, x.ctypes.data, q.ctypes.data, x.ctypes.data, out.ctypes.data)
    matrix[:n] = 0.0
    for i in range(n):
        rates[i] = out[i] / size[i]
        matrix[i, n] = out[n + rows.size + i] * slope / size[i]
    for e in range(rows.size):
        matrix[rows[e], columns[e]] = out[n + e] * size[columns[e]] / size[rows[e]]


@njit(nogil=True, cache=True)
def correct(work, u, row, level, tolerance):  # type: ignore[no-untyped-def]
    """Newton within row . u = level; the number of iterations, 0 if it fails.  u is changed."""
    matrix, rates, pivots, step = work[10], work[11], work[12], work[13]
    n = rates.size
    previous = np.inf
    for iteration in range(1, ITERATIONS + 1):
        evaluate(work, u)
        gap = -level
        for i in range(n + 1):
            matrix[n, i] = row[i]
            gap += row[i] * u[i]
        for i in range(n):
            step[i] = rates[i]
        step[n] = gap
        if factorise(matrix, pivots) == 0.0:
            return 0
        substitute(matrix, pivots, step)
        length = 0.0
        for i in range(n + 1):
            length += step[i] * step[i]
        length = math.sqrt(length)
        if not length < np.inf or (iteration > 2 and length > 2.0 * previous):
            return 0
        for i in range(n + 1):
            u[i] -= step[i]
        if length < tolerance or (length < 1e-2 * math.sqrt(tolerance) and length < 0.1 * previous):
            return iteration
        previous = length
    return 0


@njit(nogil=True, cache=True)
def tangent(work, u, guide, t):  # type: ignore[no-untyped-def]
    """The unit tangent at u along `guide`; the sign of the determinant, 0 if the matrix is singular."""
    matrix, pivots = work[10], work[12]
    evaluate(work, u)
    n = u.size - 1
    matrix[n] = guide
    t[:] = 0.0
    t[n] = 1.0
    sign = factorise(matrix, pivots)
    if sign == 0.0:
        return sign
    substitute(matrix, pivots, t)
    t /= math.sqrt(np.sum(t * t))
    return sign


@njit(nogil=True, cache=True)
def relax(work, u):  # type: ignore[no-untyped-def]
    """The equilibrium at fixed parameter by implicit Euler steps that grow until they are Newton's."""
    matrix, rates, pivots, step = work[10], work[11], work[12], work[13]
    n = rates.size
    h = 1e-3
    full = np.empty((n, n))
    for _ in range(400):
        evaluate(work, u)
        for i in range(n):
            for j in range(n):
                full[i, j] = -matrix[i, j]
            full[i, i] += 1.0 / h
            step[i] = rates[i]
        if factorise(full, pivots) == 0.0:
            return False
        substitute(full, pivots, step[:n])
        length = 0.0
        for i in range(n):
            length += step[i] * step[i]
        length = math.sqrt(length)
        if not length < np.inf:
            return False
        if length > 0.5:
            h *= 0.25
            continue
        for i in range(n):
            u[i] += step[i]
        if h > 1e9 and length < 1e-13:
            return True
        h = min(h * (3.0 if length < 0.1 else 1.5), 1e14)
    return False


@njit(nogil=True, cache=True)
def advance(work, u, t, h, sign, steps, there, t_there):  # type: ignore[no-untyped-def]
    """The next point and its tangent; the step taken (0 if none can), the iterations, the cosine
    between the tangents and the sign of the determinant there."""
    first, smallest, tolerance, sharpest = steps[0], steps[2], steps[3], steps[4]
    while h >= smallest:
        level = h
        for i in range(u.size):
            there[i] = u[i] + h * t[i]
            level += t[i] * u[i]
        iterations = correct(work, there, t, level, tolerance)
        if iterations > 0:
            sign_there = tangent(work, there, t, t_there)
            turn = np.sum(t * t_there)
            aside = 0.0
            for i in range(u.size):
                aside += (there[i] - u[i] - h * t[i]) ** 2
            # a sign that turns tells of a branch point, or of a jump onto a neighbouring branch
            same = sign_there == sign or h < TRUE_CROSSING * first
            if sign_there != 0.0 and turn > sharpest and same and aside < (ASIDE * h) ** 2:
                return h, iterations, turn, sign_there
        h *= 0.5
    return 0.0, 0, 0.0, sign


@njit(nogil=True, cache=True)
def trace_member(  # type: ignore[no-untyped-def]
    address, rows, columns, start, q, k, is_log, span, scale, is_positive, steps, most, folds, fold_states
):
    """Status and number of points; folds are written as they are met."""
    n = start.size
    size, u = np.empty(n), np.empty(n + 1)
    t, there, t_there, fold = np.empty(n + 1), np.empty(n + 1), np.empty(n + 1), np.empty(n + 1)
    for i in range(n):
        size[i] = max(scale[i], abs(start[i])) * math.sqrt(float(n))
        u[i] = start[i] / size[i]
    u[n] = span[0]
    out, matrix = np.empty(2 * n + rows.size), np.empty((n + 1, n + 1))
    pivots, step = np.empty(n + 1, np.int64), np.empty(n + 1)
    x, rates, width = np.empty(n), np.empty(n), span[2]
    work = (address, rows, columns, k, is_log, width, size, x, q, out, matrix, rates, pivots, step)
    if not relax(work, u):
        return NO_START, 0
    for i in range(n):
        if is_positive[i] and u[i] < -1e-9:
            return NO_START, 0
    fold[:] = 0.0
    fold[n] = 1.0
    sign = tangent(work, u, fold, t)
    if sign == 0.0:
        return NO_START, 0
    h = steps[0]
    n_folds = 0
    for points in range(1, most):
        h, iterations, turn, sign = advance(work, u, t, h, sign, steps, there, t_there)
        if h == 0.0:
            return FAILED, points
        turned = t[n] * t_there[n] < 0.0 and n_folds < folds.size
        if turned and locate_fold(work, u, t, there, t_there, fold):
            folds[n_folds] = math.exp(fold[n]) if is_log else fold[n] * width
            fold_states[n_folds] = fold[:n] * size
            n_folds += 1
        u[:] = there
        t[:] = t_there
        if iterations <= 3 and turn > 1.0 - 0.5 * (1.0 - steps[4]):
            h = min(h * 1.5, steps[1])
        elif iterations >= 5:
            h *= 0.6
        if u[n] > span[1]:
            return REACHED, points + 1
        if u[n] < span[0]:
            return RETURNED, points + 1
    return TOO_MANY, most


@njit(nogil=True, cache=True)
def locate_fold(work, a, t_a, b, t_b, found):  # type: ignore[no-untyped-def]
    """The point between a and b at which the tangent is vertical, into `found`."""
    n = a.size - 1
    low, high = a.copy(), b.copy()
    f_low, f_high = t_a[n], t_b[n]
    t = np.empty(n + 1)
    for iteration in range(SECANTS):
        weight = 0.5 if iteration % 4 == 3 else f_low / (f_low - f_high)
        level = 0.0
        for i in range(n + 1):
            found[i] = low[i] + weight * (high[i] - low[i])
            level += t_a[i] * found[i]
        if correct(work, found, t_a, level, 1e-12) == 0 or tangent(work, found, t_a, t) == 0.0:
            return False
        f = t[n]
        if abs(f) < 1e-8:
            return True
        if f * f_low > 0.0:
            low[:] = found
            f_low = f
        else:
            high[:] = found
            f_high = f
    return True
