"""Holding, driving and pruning equations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.compiler.compiled import CompiledModel
from cascades.errors import UnknownName
from cascades.reduction.cut import clamp, driven, keep
from cascades.reduction.rule import CalciumTrace
from cascades.simulate import simulate

ROUNDING = 1e-12
SOLVER = 1e-5  # relative tolerance of the runs


@pytest.fixture(scope="module")
def spine():
    return cascades.compile_model(cascades.load_model("spine_graupner_2007"))


@pytest.fixture(scope="module")
def camkii():
    return cascades.compile_model(cascades.load_model("camkii_graupner_2007"))


def test_a_spine_cut_at_calcium_is_the_switch(spine, camkii):
    """The switch inside the composed spine has the rates of the switch alone."""
    cut = CompiledModel(keep(clamp(spine.equations, "Ca"), ["S"]))
    assert set(cut.state_names) <= set(camkii.state_names)
    y = camkii.initial_array(camkii.parameter_array())[0]
    y[camkii.state_index["B1"]] = 0.7
    whole = camkii.rates(y, camkii.parameter_array({"Ca": 0.4})[0])
    rows = [camkii.state_index[name] for name in cut.state_names]
    assert_allclose(cut.rates(y[rows], cut.parameter_array({"Ca": 0.4})[0]), whole[rows], rtol=ROUNDING)


def test_keep_loses_nothing_that_matters(spine):
    kept = CompiledModel(keep(spine.equations, ["Ca"]))
    assert not any(name.startswith("B1") for name in kept.state_names)
    times = np.linspace(0.0, 0.2, 21)
    protocol = cascades.pairing(delay=0.01, count=1)
    alone, whole = (np.asarray(simulate(m, times, protocol=protocol)["Ca"]) for m in (kept, spine))
    assert_allclose(alone, whole, rtol=20 * SOLVER)


def test_driven_calcium_is_the_trace(camkii):
    trace = CalciumTrace(0.1, 0.5, 0.8, 0.04, 0.0)
    model = CompiledModel(driven(camkii.equations, "Ca", trace))
    times = np.linspace(0.0, 1.0, 101)
    protocol = cascades.pairing(delay=0.013, count=2, rate=2.0)
    run = simulate(model, times, protocol=protocol, rtol=1e-9)
    pre, post = protocol.spike_times("glutamate"), protocol.spike_times("bap")
    assert_allclose(np.asarray(run["Ca"])[0], trace.at(times, pre, post), rtol=1e-6)


def test_an_observable_can_be_held(camkii):
    """k10 held at its value leaves the rates as they are."""
    held = CompiledModel(clamp(camkii.equations, "k10"))
    y = camkii.initial_array(camkii.parameter_array())[0]
    y[camkii.state_index["B3"]] = 0.4
    p = camkii.parameter_array()[0]
    k10 = float(camkii.observable("k10", y, p))
    assert_allclose(
        held.rates(y, held.parameter_array({"k10": k10})[0]), camkii.rates(y, p), rtol=1e-9, atol=1e-12
    )


def test_an_unknown_name_is_named(camkii):
    with pytest.raises(UnknownName, match="Calcium"):
        clamp(camkii.equations, "Calcium")
