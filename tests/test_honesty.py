"""The true error of every shipped model is at most ten times the requested tolerance."""

from __future__ import annotations

import numpy as np
import pytest

import cascades
from cascades.protocols import hfs, pairing, theta_burst
from cascades.simulate import simulate
from cascades.solvers.tolerance import absolute_tolerance

HONEST = 10.0
TIMES = np.array([0.1, 0.5, 1.003, 1.51, 3.03, 10.07, 30.0, 100.0])
PROTOCOLS = {
    "rest": None,
    "burst": hfs(trains=1),
    "theta": theta_burst(),
    "pairs": pairing(delay=0.01, count=5),
}


def cases():
    for name in cascades.model_names():
        yield pytest.param(name, "rest", marks=[pytest.mark.slow] if "spine" not in name else [])
    for name in ("spine_graupner_2007", "spine_cascades"):
        for protocol in ("burst", "theta", "pairs"):
            yield pytest.param(name, protocol, marks=[pytest.mark.slow] if protocol != "pairs" else [])


@pytest.mark.parametrize(("name", "protocol"), list(cases()))
@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
def test_error_against_a_tight_reference(name, protocol, rtol):
    compiled = cascades.compile_model(cascades.load_model(name))
    stimuli = PROTOCOLS[protocol]
    reference = simulate(compiled, TIMES, protocol=stimuli, rtol=1e-12).values
    found = simulate(compiled, TIMES, protocol=stimuli, rtol=rtol).values
    allowed = rtol * np.abs(reference) + absolute_tolerance(compiled, rtol)
    assert (np.abs(found - reference) / allowed).max() <= HONEST
