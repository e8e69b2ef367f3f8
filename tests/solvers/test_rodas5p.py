"""Rodas5P in lanes: published problems, order, batches, stops, discontinuities, events, algebraic
equations, and what must never happen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.equations import EventEquation
from cascades.expression import ONE, ZERO, call, mul, number, piecewise, symbol
from cascades.kernels.processor import native_lanes
from cascades.solvers.base import NOT_FINITE, STEP_TOO_SMALL, TOO_MANY_STEPS, Integration
from cascades.solvers.rodas5p import Rodas5P
from cascades.solvers.tolerance import absolute_tolerance
from cascades.stops import Stops, resolve
from tests.problems import PROBLEMS, equations

X, V, K, T = map(symbol, ("x", "v", "k", "time"))
WIDE = native_lanes()
HONEST = 10.0  # the true error may be ten times the tolerance, never more


def compiled_of(name, rates, initial, values, **more):
    return CompiledModel(equations(name, rates, initial, values, **more))


def integrate(compiled, times, *, members=1, values=None, stops=None, rtol=1e-8, atol=None, **settings):
    p = compiled.parameter_array(values)
    y = compiled.initial_array(p)
    if len(p) == 1:
        p, y = np.repeat(p, members, 0), np.repeat(y, members, 0)
    atol = absolute_tolerance(compiled, rtol) if atol is None else atol
    stops = [resolve(None, compiled.equations)] if stops is None else stops
    problem = Integration(compiled, np.asarray(times, dtype=float), y, p, stops, rtol, atol)
    return Rodas5P(**settings).integrate(problem)


def stops_at(times, actions, indices, values, jumps=None):
    n = len(times)
    whole = [
        np.asarray(a, dtype=np.int64) for a in (actions, indices, jumps if jumps is not None else [-1] * n)
    ]
    return Stops(
        np.asarray(times, dtype=float), whole[0], whole[1], np.asarray(values, dtype=float), whole[2]
    )


# --- accuracy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [1, WIDE])
@pytest.mark.parametrize("name", [n for n, p in PROBLEMS.items() if p.reference])
def test_published_end_values(name, lanes):
    problem = PROBLEMS[name]
    compiled = CompiledModel(problem.equations)
    atol = np.full(len(compiled.state_names), 1e-16)
    found = integrate(compiled, [0.0, problem.end], rtol=1e-9, atol=atol, lanes=lanes, members=2)
    assert not found.status.any()
    assert_allclose(found.values[0, -1], problem.reference, rtol=HONEST * 1e-9)


def test_steps_shrink_with_the_fifth_root_of_the_tolerance():
    """The driver's error falls like tolerance and its steps grow like tolerance^(-1/5)."""
    compiled = compiled_of("wave", {"x": V, "v": mul(-1, X)}, {"x": 1.0, "v": 0.0}, {})
    tolerances = np.array([1e-6, 1e-8, 1e-10])
    steps = [integrate(compiled, [20.0], rtol=r, atol=np.full(2, r)).steps[0] for r in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(steps), 1)[0]
    assert_allclose(slope, -0.2, atol=0.02)


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_time_in_the_rates_and_dense_output(rtol):
    compiled = compiled_of("driven", {"x": -50 * (X - call("cos", T))}, {"x": 0.0}, {})
    times = np.linspace(0.0, 5.0, 301)
    found = integrate(compiled, times, rtol=rtol)
    exact = 2500 / 2501 * np.cos(times) + 50 / 2501 * np.sin(times) - 2500 / 2501 * np.exp(-50 * times)
    assert np.abs(found.values[0, :, 0] - exact).max() < HONEST * rtol
    assert found.steps[0] < times.size


# --- batches ------------------------------------------------------------------------------------


def test_members_do_not_depend_on_lane_thread_or_neighbours():
    compiled = CompiledModel(PROBLEMS["hires"].equations)
    found = [integrate(compiled, [1.0, 300.0], members=21, lanes=WIDE, threads=n) for n in (1, 2, 3)]
    for other in found[1:]:
        assert_array_equal(found[0].values, other.values)
    assert (found[0].values == found[0].values[:1]).all()


def test_batch_is_one_by_one_and_widths_agree():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    values = {"on": np.linspace(1.0, 5.0, 11), "off": 0.7}
    times = [0.0, 0.2, 1.0, 5.0]
    batch = integrate(compiled, times, values=values, lanes=WIDE)
    for i, on in enumerate(values["on"]):
        alone = integrate(compiled, times, values={"on": on, "off": 0.7}, lanes=WIDE)
        assert_array_equal(batch.values[i], alone.values[0])
    other = integrate(compiled, times, values=values, lanes=1)
    assert_allclose(other.values, batch.values, rtol=1e-7)


@pytest.mark.slow  # each width compiles the driver
@pytest.mark.parametrize("lanes", [2, 4])
def test_other_widths(lanes):
    compiled = CompiledModel(PROBLEMS["hires"].equations)
    times = [0.0, 1.0, 300.0]
    reference = integrate(compiled, times, members=5, lanes=WIDE)
    assert_allclose(
        integrate(compiled, times, members=5, lanes=lanes).values, reference.values, rtol=1e-7, atol=1e-12
    )


def test_members_of_very_different_length_share_lanes():
    compiled = compiled_of("decay", {"x": -K * X}, {"x": 1.0}, {"k": 1.0})
    rates = np.logspace(-3, 3, 50)
    found = integrate(compiled, [0.0, 1.0], values={"k": rates}, lanes=WIDE)
    assert_allclose(found.values[:, 1, 0], np.exp(-rates), rtol=1e-7, atol=1e-10)


# --- stops --------------------------------------------------------------------------------------


def test_jumps_and_settings_at_stops():
    compiled = compiled_of("decay", {"x": -K * X}, {"x": 1.0}, {"k": 1.0, "size": 2.0})
    stops = stops_at(
        [0.0, 1.0, 1.0, 2.0, 3.0],
        [0, 2, 0, 3, 1],
        [0, 0, 0, 0, 0],
        [0.5, 3.0, 1.0, 0.0, 7.0],
        [-1, -1, 1, -1, -1],
    )
    found = integrate(compiled, [0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0], stops=[stops], members=3, lanes=WIDE)
    at_one = 1.5 * np.exp(-1) + 2.0
    at_two = at_one * np.exp(-3)
    wanted = [1.5, 1.5 * np.exp(-0.5), at_one, at_two, at_two * np.exp(-0.5), 7.0, 7.0 * np.exp(-1)]
    assert_allclose(found.values[0, :, 0], wanted, rtol=1e-7)
    assert (found.values == found.values[:1]).all()


def test_no_pulse_is_missed_and_none_is_kept_for_the_next_run():
    compiled = compiled_of("count", {"x": ZERO, "v": -K * V}, {"x": 0.0, "v": 0.0}, {"k": 200.0})
    times = 1.0 + 0.01 * np.arange(900)
    stops = stops_at(np.repeat(times, 2), [0] * 1800, [0, 1] * 900, [1.0] * 1800)
    for _ in range(2):
        found = integrate(compiled, [0.5, 1.0, 5.0, 2000.0], stops=[stops])
        assert_array_equal(found.values[0, :, 0], [0.0, 1.0, 401.0, 900.0])


def test_the_output_grid_changes_nothing_beyond_the_tolerance():
    compiled = CompiledModel(PROBLEMS["hires"].equations)
    coarse = integrate(compiled, [100.0, 300.0])
    fine = integrate(compiled, np.union1d(np.linspace(0.0, 300.0, 997), [100.0]))
    assert_allclose(coarse.values[0, -1], fine.values[0, -1], rtol=HONEST * 1e-8)


def test_each_member_has_its_own_stops():
    compiled = compiled_of("still", {"x": ZERO}, {"x": 0.0}, {})
    stops = [stops_at([t], [0], [0], [t]) for t in (0.5, 1.5, 2.5)]
    found = integrate(compiled, [1.0, 2.0, 3.0], stops=stops, members=3, lanes=WIDE)
    assert_array_equal(found.values[:, :, 0], [[0.5, 0.5, 0.5], [0.0, 1.5, 1.5], [0.0, 0.0, 2.5]])


# --- discontinuities and events -----------------------------------------------------------------


def test_a_pulse_in_the_rates_is_not_stepped_over():
    inside = call("and", call("ge", T, 10), call("lt", T, 10.01))
    compiled = compiled_of(
        "pulse", {"x": piecewise((ONE, inside), otherwise=ZERO) - K * X}, {"x": 0.0}, {"k": 1e-3}
    )
    found = integrate(compiled, [5.0, 10.01, 1000.0])
    at_end = (1 - np.exp(-1e-5)) / 1e-3
    assert_allclose(found.values[0, :, 0], [0.0, at_end, at_end * np.exp(-0.98999)], rtol=1e-7)


def test_a_switch_in_state_is_found():
    rate = piecewise((number(-1), call("gt", X, K)), otherwise=-5 * X)
    compiled = compiled_of("switch", {"x": rate}, {"x": 2.0}, {"k": 1.0})
    found = integrate(compiled, [0.5, 1.0, 1.5, 2.0], members=9, lanes=WIDE)
    assert_allclose(found.values[0, :, 0], [1.5, 1.0, np.exp(-2.5), np.exp(-5)], rtol=1e-7)


def bouncing(t, restitution, gravity=9.81):
    """Height at t of a ball dropped from 1."""
    landing = np.sqrt(2 / gravity)
    if t < landing:
        return 1 - gravity * t * t / 2
    speed = gravity * landing * restitution
    while landing + 2 * speed / gravity < t:
        landing += 2 * speed / gravity
        speed *= restitution
    return speed * (t - landing) - gravity * (t - landing) ** 2 / 2


def test_events_on_states_in_every_lane():
    event = EventEquation("hit", call("lt", X, 0), (("v", mul(-1, K, V)), ("x", ZERO)))
    compiled = compiled_of(
        "ball", {"x": V, "v": number(-9.81)}, {"x": 1.0, "v": 0.0}, {"k": 0.9}, events=(event,)
    )
    restitutions, times = np.linspace(0.8, 0.95, 12), np.linspace(0.1, 3.0, 7)
    found = integrate(compiled, times, values={"k": restitutions}, lanes=WIDE, threads=2)
    wanted = [[bouncing(t, r) for t in times] for r in restitutions]
    assert_allclose(found.values[:, :, 0], wanted, atol=1e-7)


def test_delayed_events_keep_the_values_of_their_trigger():
    for keeps, wanted in ((True, 1.0), (False, 1.5)):
        event = EventEquation(
            "e", call("ge", T, 1), (("v", X),), delay=number(0.5), uses_trigger_time_values=keeps
        )
        compiled = compiled_of("delay", {"x": ONE, "v": ZERO}, {"x": 0.0, "v": 0.0}, {}, events=(event,))
        found = integrate(compiled, [1.0, 1.499, 1.5, 3.0])
        assert_allclose(found.values[0, :, 1], [0.0, 0.0, wanted, wanted], rtol=1e-9)


def test_an_event_that_is_dropped_when_its_trigger_ends():
    trigger = call("and", call("ge", T, 1), call("lt", T, 1.025))
    for persists, wanted in ((True, 1.0), (False, 0.0)):
        event = EventEquation("e", trigger, (("v", ONE),), delay=number(0.5), is_persistent=persists)
        compiled = compiled_of("dropped", {"v": ZERO}, {"v": 0.0}, {}, events=(event,))
        assert integrate(compiled, [3.0]).values[0, 0, 0] == wanted


def test_events_that_never_end_are_a_status():
    event = EventEquation("a", call("gt", X, 0), (("x", mul(-1, X)),))
    other = EventEquation("b", call("lt", X, 0), (("x", mul(-1, X)),))
    compiled = compiled_of(
        "endless",
        {"x": ZERO},
        {"x": 1.0},
        {},
        events=(event, dataclasses.replace(other, initial_value=False)),
    )
    compiled = CompiledModel(
        dataclasses.replace(
            compiled.equations, events=(dataclasses.replace(event, initial_value=False), other)
        )
    )
    assert integrate(compiled, [1.0]).status[0] != 0


# --- algebraic equations ------------------------------------------------------------------------


def test_index_one_algebraic_equations_in_any_order():
    """x' = z/2 - x, 0 = w - x - z, 0 = z^3 + z - x: each algebraic row misses its own variable."""
    z, w = symbol("z"), symbol("w")
    rates = {"x": z / 2 - X, "z": w - X - z, "w": z**3 + z - X}
    compiled = compiled_of("dae", rates, {"x": 1.0, "z": 0.1, "w": 0.0}, {}, is_algebraic=(False, True, True))
    found = integrate(compiled, [0.0, 1.0, 3.0], members=3)
    x, z_found, w_found = found.values[0].T
    assert_allclose(z_found**3 + z_found, x, atol=1e-7)
    assert_allclose(w_found, x + z_found, atol=1e-7)

    def root(value):
        roots = np.roots([1.0, 0.0, 1.0, -value])
        return roots[np.abs(roots.imag) < 1e-9].real[0]

    from scipy.integrate import solve_ivp

    reference = solve_ivp(
        lambda t, y: [root(y[0]) / 2 - y[0]], (0, 3), [1.0], rtol=1e-11, atol=1e-13, t_eval=[0, 1, 3]
    )
    assert_allclose(x, reference.y[0], rtol=1e-7)


# --- failure is a status ------------------------------------------------------------------------


def test_failures_are_told_apart_and_leave_the_others_alone():
    compiled = compiled_of("blow", {"x": K * X**2}, {"x": 1.0}, {"k": 1.0})
    found = integrate(compiled, [0.5, 2.0], values={"k": [0.1, 1.0, np.nan]}, lanes=WIDE)
    assert found.status.tolist() == [0, found.status[1], NOT_FINITE]
    assert found.status[1] in (STEP_TOO_SMALL, NOT_FINITE)
    assert_allclose(found.reached[1], 1.0, rtol=1e-3)
    assert np.isfinite(found.values[1, 0]).all()
    assert np.isnan(found.values[1, 1]).all()
    short = integrate(compiled, [5.0], values={"k": 0.1}, max_steps=3)
    assert short.status[0] == TOO_MANY_STEPS


def test_a_division_by_zero_at_the_start_is_said():
    compiled = compiled_of("zero", {"x": ONE / (K * T)}, {"x": 1.0}, {"k": 1.0})
    assert integrate(compiled, [1.0]).status[0] == NOT_FINITE


@pytest.mark.parametrize("lanes", [1, WIDE])
def test_a_logistic_function_far_from_its_middle(lanes):
    """exp(1000) is beyond the largest number, but the slope of 1 / (1 + exp(1000)) is 0."""
    x, k, t = symbol("x"), symbol("k"), symbol("time")
    rates = {"x": 1 / (1 + call("exp", k * (10 - t))) + 1 / (1 + call("exp", k * (x - 10))) - x}
    compiled = compiled_of("logistic", rates, {"x": 0.5}, {"k": 100.0})
    found = integrate(compiled, [5.0, 20.0], members=lanes, lanes=lanes)
    wanted = [1.0 - 0.5 * np.exp(-5.0), 2.0 - np.exp(-10.0)]
    assert_allclose(found.values[:, :, 0], [wanted] * lanes, rtol=1e-4)


@pytest.mark.parametrize("lanes", [1, WIDE])
def test_a_state_at_its_threshold_that_does_not_change_does_not_cross_it(lanes):
    """Interpolated within a step, a constant state must be itself to the last digit: rounding would turn
    "x > 1/3" over at every look, and an event would follow the other for ever."""
    third = 1.0 / 3.0
    up = EventEquation("up", call("gt", X, number(third)), (("n", symbol("n") + 1),), initial_value=False)
    rates = {"x": ZERO, "n": ZERO, "y": call("sin", 50 * T) - symbol("y")}
    start = {"x": third, "n": 0.0, "y": 1.0}
    compiled = compiled_of("threshold", rates, start, {}, events=(up,))
    found = integrate(compiled, np.linspace(0.0, 5.0, 40), members=lanes, lanes=lanes)
    assert (found.status == 0).all()
    assert (found.values[:, :, 1] == 0.0).all()
    assert (found.values[:, :, 0] == third).all()
