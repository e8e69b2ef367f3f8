"""`sensitivities` of shipped and small models against central differences of tight runs."""

from __future__ import annotations

import numpy as np
import pytest

import cascades
from cascades.errors import UnknownName
from cascades.protocols import hfs, spikes
from cascades.sensitivity import sensitivities
from cascades.simulate import simulate, steady_state
from tests.sbml.small_models import model_of

GRADIENT = 1e-5  # at a tight tolerance, relative to the largest derivative of the same state
TIGHT, TIGHTER = 1e-10, 1e-12
STEP = 1e-4  # of the differences, relative; their own error is its square


@pytest.fixture(name="spine", scope="module")
def compiled_spine():
    return cascades.compile_model(cascades.load_model("spine_graupner_2007"))


def differences(compiled, times, names, **more):
    """Central differences with respect to parameters and initial states, shape (times, states, names)."""
    p = compiled.default_values
    start = dict(
        zip(compiled.state_names, compiled.initial_array(compiled.parameter_array())[0], strict=True)
    )
    values = {name: np.full(2 * len(names), p[name]) for name in names if name in p}
    initial = {name: np.full(2 * len(names), start[name]) for name in names if name in start}
    sizes = np.empty(len(names))
    for d, name in enumerate(names):
        column = (values if name in values else initial)[name]
        sizes[d] = STEP * (abs(column[0]) or 1e-2)
        column[2 * d : 2 * d + 2] += [sizes[d], -sizes[d]]
    runs = simulate(compiled, times, values=values, initial=initial, rtol=TIGHTER, **more).values
    return np.moveaxis(runs[0::2] - runs[1::2], 0, -1) / (2.0 * sizes)


def agrees(found, expected, states, times, noise=0.0):
    """Within GRADIENT of the largest derivative of each state; states that hardly move do not count.

    noise : what the tolerance of the runs leaves in a difference of them
    """
    scale = np.abs(expected).max(axis=(0, 2), keepdims=True)
    scale = np.maximum(scale, 1e-6 * np.abs(expected).max())
    error = np.abs(found - expected)
    return error.max() <= GRADIENT * scale.max() and (error <= GRADIENT * scale + noise).all()


def test_through_a_burst_of_spikes(spine):
    names = [
        *spine.parameter_names[:12],
        "Ca_spine" if "Ca_spine" in spine.state_names else spine.state_names[0],
    ]
    times = np.array([0.5, 1.003, 1.4, 5.0, 60.0])
    burst = hfs(trains=1)
    found = sensitivities(spine, times, names, protocol=burst, rtol=TIGHT)
    assert agrees(found.slopes, differences(spine, times, names, protocol=burst), spine.state_names, times)


def test_initial_states_and_parameters_through_an_event():
    text = (
        "x' = a - k * x; x = 1; y' = x - y; y = 0.3; a = 2; k = 0.5; at (x > 1.7): x = x / (4 * k), y = y + a"
    )
    compiled = cascades.compile_model(model_of(text))
    names = ["a", "k", "x", "y"]
    times = np.array([0.3, 1.0, 2.0, 3.7])
    found = sensitivities(compiled, times, names, rtol=TIGHT)
    assert agrees(found.slopes, differences(compiled, times, names), names, times)


def test_from_the_steady_state(spine):
    """Every parameter moves the start too: the differences begin in steady states of their own."""
    names = list(spine.parameter_names[:6])
    times = np.array([0.2, 2.0, 20.0])
    kick = spikes([0.1, 0.15], target="glutamate")
    found = sensitivities(spine, times, names, protocol=kick, from_steady_state=True, rtol=TIGHT)
    for d, name in enumerate(names):
        size = STEP * abs(spine.default_values[name])
        if size == 0.0:
            continue
        runs = []
        for value in (spine.default_values[name] + size, spine.default_values[name] - size):
            rest = steady_state(spine, values={name: value}).state
            run = simulate(spine, times, values={name: value}, initial=rest, protocol=kick, rtol=TIGHTER)
            runs.append(run.values[0])
        expected = (runs[0] - runs[1]) / (2.0 * size)
        noise = TIGHTER / size * np.abs(runs[0]).max(axis=0)[:, None]
        slopes = found.slopes[:, :, d : d + 1]
        assert agrees(slopes, expected[:, :, None], spine.state_names, times, noise), name


def test_an_observable(spine):
    name = next(iter(spine.equations.observables))
    times, parameters = np.array([0.5, 3.0]), list(spine.parameter_names)
    found = sensitivities(spine, times, parameters, rtol=TIGHT)[name]
    count = len(parameters)
    values = {p: np.full(2 * count, spine.default_values[p]) for p in parameters}
    sizes = np.array([STEP * (abs(spine.default_values[p]) or 1e-2) for p in parameters])
    for d, p in enumerate(parameters):
        values[p][2 * d : 2 * d + 2] += [sizes[d], -sizes[d]]
    runs = simulate(spine, times, values=values, observables=[name], rtol=TIGHTER)[name]
    expected = ((runs[0::2] - runs[1::2]) / (2.0 * sizes[:, None])).T
    assert np.abs(found - expected).max() <= GRADIENT * np.abs(expected).max()


def test_what_is_refused(spine):
    with pytest.raises(UnknownName, match="no parameter or state"):
        sensitivities(spine, [1.0], ["no_such_name"])
    with pytest.raises(ValueError, match="one member"):
        sensitivities(spine, [1.0], ["tau_fast"], values={"tau_fast": [1.0, 2.0]})
