"""The tangents are the exact derivative of the discrete steps: with the steps frozen, runs of a plain
Rodas5P with shifted parameters and initial states differ by just that, however loose the tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.compiler.compiled import CompiledModel
from cascades.expression import mul, power, symbol
from cascades.kernels.rodas5p import GAMMA, NODES, SLOPES, A, C
from cascades.solvers.base import Integration
from cascades.solvers.rodas5p import buffer_sizes, make_job, pack_code
from cascades.solvers.tangents import integrate_tangents
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import resolve
from tests.problems import PROBLEMS, equations

LOOSE = 1e-2  # so loose that the derivative of the solution itself is another
EXACT = 5e-9  # what central differences leave
STEP = 1e-5
X, Y, Z, K, T, A_ = map(symbol, ("x", "y", "z", "k", "time", "a"))


def models():
    yield "binding", CompiledModel(PROBLEMS["binding"].equations)
    yield "robertson", CompiledModel(PROBLEMS["robertson"].equations)
    hill = mul(A_, power(X, 2), power(K + power(X, 2), -1))
    rates = {"x": 1 / (1 + Y) - K * X, "y": hill - Y * T / (1 + T)}
    yield "Hill and time", CompiledModel(equations("hill", rates, {"x": 0.3, "y": 0.1}, {"k": 0.7, "a": 2.0}))
    rates = {"x": Z * K - X, "y": A_ - Y - Z, "z": power(Z, 3) + Z - X * A_}
    found = equations(
        "dae", rates, {"x": 2.0, "y": 0.0, "z": 1.0}, {"k": 0.5, "a": 1.0}, is_algebraic=(False, False, True)
    )
    yield "algebraic", CompiledModel(found)


def accepted_steps(compiled, times, y, p):
    """(time, length) of the steps that the driver takes with one member, one step at a time."""
    from cascades.kernels import driver, lanes
    from cascades.kernels.vectors import lane_tuple

    code = compiled.lane_code(1)
    atol = absolute_tolerance(compiled, LOOSE)
    stops = resolve(None, compiled.equations)
    job = make_job(Integration(compiled, times, y[None], p[None], [stops], LOOSE, atol), 1_000)
    state, rows = lanes.make_lanes(1), lanes.make_rows(1, buffer_sizes(code), atol)
    marks = (lane_tuple(1), lane_tuple(lanes.vector_width(1)))
    begin, steps = 0.0, []
    while driver.run(*marks, pack_code(code).record, job.record, state, rows.record, 1) != lanes.FINISHED:
        if state["t"][0, 0] > begin:
            steps.append((begin, float(state["tried"][0, 0])))
            begin = float(state["t"][0, 0])
    return steps


def follow(compiled, steps, y, p):
    """The end of the run with the given steps."""
    mass = np.diag(1.0 - np.array(compiled.equations.is_algebraic))
    for t, h in steps:
        w = mass / (h * GAMMA) - compiled.jacobian(y, p, t)
        by_time = (compiled.rates(y, p, t + 1e-4) - compiled.rates(y, p, t - 1e-4)) / 2e-4
        u = []
        for i in range(8):
            if i < 6:
                point = y + sum((a * v for a, v in zip(A[i - 1], u, strict=True)), 0.0) if i else y
            else:
                point = point + u[-1]
            pull = sum((c * v for c, v in zip(C[i - 1], u, strict=True)), 0.0 * y) if i else 0.0 * y
            right = compiled.rates(point, p, t + NODES[i] * h) + mass @ pull / h + SLOPES[i] * h * by_time
            u.append(np.linalg.solve(w, right))
        y = point + u[-1]
    return y


@pytest.mark.parametrize(("compiled",), [m[1:] for m in models()], ids=[m[0] for m in models()])
def test_tangents_are_differences_of_frozen_steps(compiled):
    p = compiled.parameter_array()[0]
    y = compiled.initial_array(p[None])[0]
    moving = 1.0 - np.array(compiled.equations.is_algebraic)
    y_slopes = np.hstack([np.zeros((y.size, p.size)), 1e-2 * np.diag(moving)])
    p_slopes = np.hstack([np.diag(p), np.zeros((p.size, y.size))])
    times = np.array([0.5])
    found = integrate_tangents(compiled, times, y, p, y_slopes, p_slopes, rtol=LOOSE)
    tight = integrate_tangents(compiled, times, y, p, y_slopes, p_slopes, rtol=1e-10)
    steps = accepted_steps(compiled, times, y, p)
    assert len(steps) > 2
    assert np.allclose(follow(compiled, steps, y, p), found.values[0], rtol=1e-10, atol=1e-14)
    differences = np.empty_like(y_slopes)
    for d in range(y_slopes.shape[1]):
        ends = []
        for sign in (STEP, -STEP):
            q = p + sign * p_slopes[:, d]
            start = settled(compiled, y + sign * y_slopes[:, d], q)
            ends.append(follow(compiled, steps, start, q))
        differences[:, d] = (ends[0] - ends[1]) / (2.0 * STEP)
    scale = np.abs(differences).max()
    assert np.abs(found.slopes[0] - differences).max() < EXACT * scale
    assert np.abs(found.slopes[0] - tight.slopes[0]).max() > 10 * EXACT * scale


def settled(compiled, y, p):
    """With algebraic states that satisfy their equations."""
    algebraic = np.array(compiled.equations.is_algebraic)
    for _ in range(20 if algebraic.any() else 0):
        block = compiled.jacobian(y, p)[np.ix_(algebraic, algebraic)]
        y[algebraic] -= np.linalg.solve(block, compiled.rates(y, p)[algebraic])
    return y
