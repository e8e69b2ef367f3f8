"""The true error of every shipped model is at most ten times the requested tolerance, whatever reaches it,
and no state that stays positive is computed as negative beyond that."""

from __future__ import annotations

import numpy as np
import pytest

import cascades
from cascades.protocols import hfs, overlay, pairing, pulse_train, rest, setting, theta_burst
from cascades.simulate import simulate
from cascades.solvers.tolerance import absolute_tolerance

HONEST = 10.0
TIMES = np.array([0.1, 0.5, 1.003, 1.51, 3.03, 10.07, 30.0, 100.0])
SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0}


def every_input(compiled):
    """Spikes at every port that takes them, a step at every other input."""
    unit = SECONDS.get(compiled.equations.time_unit, 1.0)
    stimuli = []
    for port in compiled.equations.ports:
        level = compiled.default_values.get(port.symbol, 0.0)
        if port.kind == "spike":
            stimuli.append(pulse_train(rate=10.0 / unit, count=20, start=unit, target=port.name))
        elif port.kind == "input" and level != 0.0:
            stimuli.append(setting(port.name, 1.5 * level, start=0.3 * unit, stop=20.0 * unit))
    return overlay(stimuli)


PROTOCOLS = {
    "rest": lambda compiled: rest(0.0),
    "inputs": every_input,
    "burst": lambda compiled: hfs(trains=1),
    "theta": lambda compiled: theta_burst(),
    "pairs": lambda compiled: pairing(delay=0.01, count=5),
}


def cases():
    for name in cascades.model_names():
        quick = name in ("spine_graupner_2007", "switch_pi_2008")
        yield pytest.param(name, "rest", marks=[] if "spine" in name else [pytest.mark.slow])
        yield pytest.param(name, "inputs", marks=[] if quick else [pytest.mark.slow])
    for name in ("spine_graupner_2007", "spine_cascades"):
        for protocol in ("burst", "theta", "pairs"):
            yield pytest.param(name, protocol, marks=[pytest.mark.slow] if protocol != "pairs" else [])


@pytest.mark.parametrize(("name", "protocol"), list(cases()))
@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
def test_error_against_a_tight_reference(name, protocol, rtol):
    compiled = cascades.compile_model(cascades.load_model(name))
    stimuli = PROTOCOLS[protocol](compiled)
    reference = simulate(compiled, TIMES, protocol=stimuli, rtol=1e-12).values
    found = simulate(compiled, TIMES, protocol=stimuli, rtol=rtol).values
    absolute = absolute_tolerance(compiled, rtol)
    assert (np.abs(found - reference) / (rtol * np.abs(reference) + absolute)).max() <= HONEST
    never_negative = (reference >= 0.0).all(axis=(0, 1))
    assert (found >= -HONEST * absolute)[:, :, never_negative].all()
