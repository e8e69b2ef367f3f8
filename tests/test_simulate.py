"""One batch of members through any solver: spikes, settings, observables, failure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascades.compiler.compiled import compile_model
from cascades.errors import ModelError, SolverFailure, UnknownName
from cascades.expression import symbol
from cascades.library import load_model
from cascades.model import Reaction, SpeciesReference
from cascades.protocols import pairing, pulse_train, setting, spikes
from cascades.simulate import simulate
from cascades.solvers import METHODS
from cascades.solvers.tolerance import absolute_tolerance
from tests.models import DECAY
from tests.sbml.small_models import model_of

REQUESTED = 1e-8
HONEST = 10 * REQUESTED  # the true error is at most ten times what was asked for
TIMES = np.linspace(0.0, 4.0, 9)


@pytest.fixture(scope="module")
def decay():
    return compile_model(DECAY)


def decayed(t: np.ndarray, spike_times: list[float], k: float = 0.5, jump: float = 2.0) -> np.ndarray:
    """The closed form: the start and every spike decay on their own."""
    return np.exp(-k * t) + sum(jump * np.where(t >= s, np.exp(-k * (t - s)), 0.0) for s in spike_times)


@pytest.mark.parametrize("solver", METHODS)
def test_spikes_between_and_on_output_times(decay, solver):
    spike_times = [0.0, 0.123, 1.0, 3.9999, 4.0]
    protocol = spikes(spike_times, target="release")
    found = simulate(decay, TIMES, protocol=protocol, solver=solver, rtol=REQUESTED)
    expected = decayed(TIMES, spike_times)
    np.testing.assert_allclose(found["A"][0], expected, rtol=HONEST)


@pytest.mark.parametrize("solver", METHODS)
def test_the_output_grid_does_not_matter(decay, solver):
    protocol = pulse_train(rate=50.0, count=20, start=0.33, target="release")
    coarse = simulate(decay, [4.0], protocol=protocol, solver=solver, rtol=REQUESTED)
    fine = simulate(decay, np.linspace(0.0, 4.0, 777), protocol=protocol, solver=solver, rtol=REQUESTED)
    assert fine["A"][0, -1] == pytest.approx(coarse["A"][0, -1], rel=HONEST)


@pytest.mark.parametrize("solver", METHODS)
def test_a_run_leaves_nothing_behind(decay, solver):
    protocol = pulse_train(rate=5.0, count=9, target="release") + setting("rate", 2.0, start=1.0, stop=2.0)
    first, second = (simulate(decay, TIMES, protocol=protocol, solver=solver) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.parametrize("solver", METHODS)
def test_a_setting_holds_between_its_times(decay, solver):
    protocol = setting("rate", 2.0, start=1.0, stop=2.0)
    found = simulate(decay, [1.0, 2.0, 3.0], protocol=protocol, solver=solver, rtol=REQUESTED)
    np.testing.assert_allclose(found["A"][0], np.exp([-0.5, -2.5, -3.0]), rtol=HONEST)
    np.testing.assert_allclose(found["doubled"][0], [4.0, 1.0, 1.0] * np.exp([-0.5, -2.5, -3.0]), rtol=HONEST)


@pytest.mark.parametrize("solver", METHODS)
def test_a_batch_is_its_members_one_by_one(decay, solver):
    rates = np.array([0.1, 0.5, 3.0])
    protocols = [spikes([t], target="release") for t in (0.5, 1.0, 2.5)]
    batch = simulate(decay, TIMES, values={"k": rates}, protocol=protocols, solver=solver, rtol=REQUESTED)
    for i, (k, protocol) in enumerate(zip(rates, protocols, strict=True)):
        alone = simulate(decay, TIMES, values={"k": k}, protocol=protocol, solver=solver, rtol=REQUESTED)
        np.testing.assert_allclose(batch["A"][i], alone["A"][0], rtol=HONEST)
    total = batch["A"] + batch["B"]
    np.testing.assert_allclose(total[:, -1], 3.0, rtol=HONEST)


def test_initial_states_and_continuing(decay):
    whole = simulate(decay, [1.0, 3.0], rtol=REQUESTED)
    first = simulate(decay, [1.0], rtol=REQUESTED)
    second = simulate(decay, [2.0], initial=first.final(), rtol=REQUESTED)
    assert second["A"][0, -1] == pytest.approx(whole["A"][0, -1], rel=HONEST)


def test_a_failed_member_says_why_and_keeps_what_it_has():
    # A grows as A^2 from 1: it is infinite at t = 1
    rate = symbol("spine") * symbol("A") ** 2
    growth = Reaction("growth", (), (SpeciesReference("A"),), rate=rate)
    compiled = compile_model(replace(DECAY, id="explosion", reactions=(growth,)))
    with pytest.raises(SolverFailure, match="member 0 stopped at t = ") as caught:
        simulate(compiled, [0.5, 2.0])
    assert caught.value.failed[0][0] == pytest.approx(1.0, abs=0.05)
    partial = simulate(compiled, [0.5, 2.0], throw=False)
    assert partial["A"][0, 0] == pytest.approx(2.0, rel=1e-4)
    assert np.isnan(partial["A"][0, 1])
    assert not partial.is_complete


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": {"kk": 1.0}}, "did you mean k"),
        ({"initial": {"a": 1.0}}, "no state named 'a'"),
        ({"solver": "lsodar"}, "did you mean lsoda"),
        ({"protocol": spikes([1.0], target="releas")}, "did you mean release"),
    ],
)
def test_unknown_names_suggest_the_nearest(decay, arguments, message):
    with pytest.raises(UnknownName, match=message):
        simulate(decay, TIMES, **arguments)


@pytest.mark.parametrize("times", [[], [1.0, 0.5], [-1.0, 1.0], [np.nan]])
def test_times_that_make_no_sense(decay, times):
    with pytest.raises(ValueError, match="times must be finite"):
        simulate(decay, times)


def test_members_must_agree(decay):
    with pytest.raises(ValueError, match="members"):
        simulate(decay, TIMES, values={"k": [1.0, 2.0]}, initial={"A": [1.0, 2.0, 3.0]})


# --- what must never happen, on a shipped model --------------------------------------------------


@pytest.fixture(scope="module", name="spine")
def compiled_spine():
    return compile_model(load_model("spine_graupner_2007"))


def test_nothing_depends_on_an_earlier_call(spine):
    """Another protocol, other values and a failure between two equal runs leave no trace."""
    burst = pulse_train(rate=100.0, count=30, start=0.1)
    first = simulate(spine, TIMES, protocol=burst)
    simulate(spine, TIMES, protocol=pairing(delay=0.01, count=3), values={"Ca_rest": 0.2})
    simulate(spine, TIMES, values={"Ca_rest": np.nan}, throw=False)
    np.testing.assert_array_equal(simulate(spine, TIMES, protocol=burst).values, first.values)


def test_every_spike_counts(spine):
    """One spike more, wherever it falls among the steps and outputs, is seen."""
    at = np.array([0.05, 0.3141, 0.5, 1.0, 2.7182, 3.99])
    runs = [simulate(spine, [4.5], protocol=spikes(np.delete(at, i))) for i in range(at.size)]
    whole = simulate(spine, [4.5], protocol=spikes(at))
    scale = np.abs(whole.values).max(axis=(0, 1)) + 1e-12
    for run in runs:
        assert (np.abs(run.values - whole.values) / scale).max() > 1e-5


def test_no_value_is_missing_without_a_reason(spine):
    """Wild parameters: a member either has every value or a status that says why not."""
    rng = np.random.default_rng(3)
    wild = {n: v * np.exp(3.0 * rng.standard_normal(64)) for n, v in spine.default_values.items()}
    wild["Ca_rest"][:3] = np.nan, np.inf, 0.0
    found = simulate(spine, TIMES, values=wild, protocol=pulse_train(rate=50.0, count=20), throw=False)
    has_all = np.isfinite(found.values).all(axis=(1, 2))
    np.testing.assert_array_equal(has_all, found.status == 0)
    assert (found.reached[has_all] == TIMES[-1]).all()
    assert not has_all[:2].any()
    assert has_all[2:].sum() > 32


def test_the_output_grid_of_a_shipped_model_does_not_matter(spine):
    pairs = pairing(delay=0.01, count=5)
    coarse = simulate(spine, [1.0, 5.0], protocol=pairs, rtol=1e-6).values
    grid = np.linspace(0.0, 5.0, 1001)
    fine = simulate(spine, grid, protocol=pairs, rtol=1e-6).values[:, [200, 1000]]
    allowed = 1e-6 * np.abs(coarse) + absolute_tolerance(spine, 1e-6)
    assert (np.abs(fine - coarse) / allowed).max() <= 2.0 * 10.0  # either may be ten times off


# --- what cannot be negative --------------------------------------------------------------------

CELL = (
    "unit uM = 1e-6 mole / litre; unit mV = 1e-3 volt; compartment c = 1; species A in c = 1; "
    "Ca = 0.1; Ca has uM; V = -65; V has mV; E = 20; E has mV; low = -2; low has uM; "
    "A' = Ca * low - A + 0 * (V + E)"
)


@pytest.mark.parametrize(
    ("values", "initial", "message"),
    [
        ({"Ca": -1.0}, {}, "Ca: a concentration cannot be negative (got -1 uM)"),
        ({"Ca": [0.1, -0.2]}, {}, "got -0.2 uM"),
        ({"c": -1.0}, {}, "c: "),
        ({}, {"A": -0.5}, "A: "),
    ],
)
def test_a_concentration_below_zero_is_refused(values, initial, message):
    compiled = compile_model(model_of(CELL))
    with pytest.raises(ModelError) as caught:
        simulate(compiled, [1.0], values=values, initial=initial)
    assert message in str(caught.value)


def test_a_voltage_may_be_negative_and_so_may_what_the_model_has_negative():
    compiled = compile_model(model_of(CELL))
    simulate(compiled, [1.0], values={"V": -80.0, "E": -10.0, "low": -3.0}, initial={"A": -1e-8})
