"""Derivatives of trajectories against central differences of tight runs: through stops,
discontinuities, events with delays, and algebraic equations."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.equations import EventEquation
from cascades.expression import ONE, ZERO, call, mul, piecewise, symbol
from cascades.solvers.base import Integration
from cascades.solvers.rodas5p import Rodas5P
from cascades.solvers.tangents import integrate_tangents
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import Stops, resolve
from tests.problems import PROBLEMS, equations

X, V, K, T, A = map(symbol, ("x", "v", "k", "time", "a"))
STEP = 1e-5  # of the differences, relative
TOLERANCE = 1e-5  # relative to the largest derivative in the same direction


def case(name, rates, initial, values, times, **more):
    return CompiledModel(equations(name, rates, initial, values, **more)), times


def problems():
    binding = CompiledModel(PROBLEMS["binding"].equations)
    yield "binding", binding, [0.5, 2.0, 5.0], None
    index, value = np.array([0, 1, 0, 2, 0]), np.array([0.5, 1.0, 2.0, 1.0, 0.0])
    action, jump = np.array([0, 0, 2, 0, 3]), np.array([-1, 1, -1, 0, -1])
    stops = Stops(np.array([0.0, 0.5, 1.0, 1.0, 2.0]), action, index, value, jump)
    yield "stops", binding, [0.3, 0.5, 1.0, 1.5, 3.0], stops
    pulse = piecewise((ONE, call("and", call("ge", T, K), call("lt", T, K + A / 10))), otherwise=ZERO)
    rates = {"x": piecewise((-A, call("gt", X, V)), otherwise=-5 * X) + pulse, "v": ZERO}
    found = case("switch", rates, {"x": 2.0, "v": 1.0}, {"k": 1.5, "a": 1.2}, [0.5, 1.0, 1.55, 2.0])
    yield "discontinuities", *found, None
    hit = EventEquation("hit", call("lt", X, 0), (("v", mul(-1, K, V)), ("x", ZERO)))
    found = case(
        "ball", {"x": V, "v": -A}, {"x": 1.0, "v": 0.0}, {"k": 0.9, "a": 9.81}, [0.3, 0.6, 1.7], events=(hit,)
    )
    yield "events", *found, None
    for keeps in (True, False):
        late = EventEquation(
            "e",
            call("gt", X, K),
            (("v", V * X * A + T), ("x", X / 3)),
            delay=A / 5,
            uses_trigger_time_values=keeps,
        )
        rates = {"x": A - X / 10, "v": X - V}
        found = case(
            "delay", rates, {"x": 0.1, "v": 1.0}, {"k": 0.9, "a": 1.1}, [0.5, 0.9, 1.2, 1.7], events=(late,)
        )
        yield f"delayed events {keeps}", *found, None
    z, w = symbol("z"), symbol("w")
    rates = {"x": z * K - X, "z": w - X - z, "w": z**3 + z - X * A}
    start = {"x": 1.0, "z": 0.6823278038280193, "w": 1.6823278038280193}
    found = case(
        "dae", rates, start, {"k": 0.5, "a": 1.0}, [0.01, 1.0, 3.0], is_algebraic=(False, True, True)
    )
    yield "algebraic", *found, None


@pytest.mark.parametrize(
    ("compiled", "times", "stops"), [p[1:] for p in problems()], ids=[p[0] for p in problems()]
)
def test_against_differences(compiled, times, stops):
    p = compiled.parameter_array()[0]
    y = compiled.initial_array(p[None])[0]
    moving = ~np.array(compiled.equations.is_algebraic)
    directions = (
        np.hstack([np.diag(p), np.zeros((p.size, y.size))]),
        np.hstack([np.zeros((y.size, p.size)), np.diag(moving * 1.0)]),
    )
    stops = stops if stops is not None else resolve(None, compiled.equations)
    times = np.array(times)
    found = integrate_tangents(compiled, times, y, p, directions[1], directions[0], stops=stops, rtol=1e-9)
    assert found.status == 0
    count = p.size + y.size
    signs = np.array([1.0, -1.0])
    ps = p + STEP * (signs[None, :, None] * directions[0].T[:, None, :]).reshape(2 * count, -1)
    ys = y + STEP * (signs[None, :, None] * directions[1].T[:, None, :]).reshape(2 * count, -1)
    problem = Integration(compiled, times, ys, ps, [stops], 1e-12, absolute_tolerance(compiled, 1e-12))
    runs = Rodas5P(threads=1).integrate(problem).values
    differences = np.moveaxis((runs[0::2] - runs[1::2]) / (2 * STEP), 0, -1)
    scale = np.abs(differences).max(axis=(0, 1), keepdims=True) + 1e-3 * np.abs(differences).max()
    assert (np.abs(found.slopes - differences) / scale).max() < TOLERANCE
