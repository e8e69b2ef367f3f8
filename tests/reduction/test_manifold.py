"""The slow manifold of the CaMKII switch, found without knowing its molecules."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError
from cascades.expression import evaluate
from cascades.reduction.batch import Jumps, jumps_of
from cascades.reduction.block import U, block_of
from cascades.reduction.certificate import joined, score
from cascades.reduction.cut import clamp, keep
from cascades.reduction.derivation import Derivation
from cascades.reduction.few import TOLERANCE, few_equations
from cascades.reduction.manifold import slow_manifold
from cascades.reduction.snapshots import observability, snapshots

R2_BAR, OUTCOME_BAR = 0.97, 0.96  # of three equations, on protocols they have not seen
FINE_OUTCOME = 0.975  # of four equations
SADDLE = 0.3779  # Graupner & Brunel (2007), S = 56.7677 at Ca = 0.1
EXACT = 1e-12  # rounding
CURVED = 0.06  # the curve follows random trains, not the branch of slow states at rest


@pytest.fixture(scope="module")
def known():
    model = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    return Derivation(
        model, "Ca", "S", seed=0, solver="rodas5p", rtol=1e-5, budget="full", drive=None,
        progress=lambda what, done: None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def block(known):
    return block_of(known.clamped, "Ca", "S", known.states)


@pytest.fixture(scope="module")
def manifolds(known, block):
    cases = known.training.cases
    every = snapshots(
        known.drive, known.clamped, known.states, cases, known.rest, solver="rodas5p", rtol=1e-5
    )
    rows = np.array([known.clamped.state_index[name] for name in block.inside])
    gramian = observability(known.clamped, "Ca", known.states, every, rows, block.slope)
    top = known.highest_anywhere
    return [slow_manifold(known.clamped, "Ca", block, known.states, every, gramian, top, n) for n in (0, 1)]


@pytest.mark.parametrize("weight", ["S", "phosphorylation"])
def test_the_block_is_the_ring_and_its_rates_are_exact(known, weight):
    """At a state between DOWN and UP, and calcium at which everything moves."""
    clamped, calcium = known.clamped, 0.7
    found = block_of(clamped, "Ca", weight, known.states) if weight == "S" else None
    if found is None:
        other = Derivation(
            known.compiled, "Ca", weight, seed=0, solver="rodas5p", rtol=1e-5, budget="full", drive=None,
            progress=lambda what, done: None,
        )  # fmt: skip
        clamped, states = other.clamped, other.states
        found = block_of(clamped, "Ca", weight, states)
    else:
        states = known.states
    assert found.inside == tuple(f"B{i}" for i in range(14))
    assert found.kept == ("PP1", "I1P")
    y = states.down + 0.37 * (states.up - states.down)
    p = clamped.parameter_array({"Ca": calcium})[0]
    at = dict(zip(found.sensors.names, evaluate(found.sensors.formulas, {"Ca": calcium}), strict=True)) | {
        name: y[clamped.state_index[name]] for name in found.kept
    }
    at[U.name] = float(states.efficacy(clamped.observable(weight, y, p)))
    inside = [clamped.state_index[name] for name in found.inside]
    factors = np.array(evaluate(found.factors, at), dtype=float)
    rates = np.einsum("m,mi->i", factors, found.matrices @ y[inside] + found.constants)
    true = clamped.rates(y, p)[inside]
    assert_allclose(rates, true, atol=EXACT * np.abs(true).max())


@pytest.mark.slow
def test_three_and_four_equations_are_found(manifolds):
    assert [manifold.size for manifold in manifolds] == [3, 4]
    assert manifolds[1].neglected < 0.1


@pytest.mark.slow
def test_zeros_of_its_drift_are_the_equilibria(manifolds):
    """At rest, with all other states at rest too: saddle and UP of the four equations."""
    manifold = manifolds[1]
    at = dict(zip(manifold.kept, manifold.start[0, 2:], strict=True))
    at |= dict(zip(manifold.sensors.names, manifold.sensor_values[:, -1], strict=True)) | {
        U.name: manifold.rho
    }
    factors = np.array([np.broadcast_to(v, manifold.rho.size) for v in evaluate(manifold.factors, at)])
    push = np.einsum("mk,mka->ka", factors, manifold.push)
    pull = np.einsum("mk,mka->ka", factors, manifold.pull[..., 0])
    drift = push[:, 0] - pull[:, 0] * push[:, 1] / pull[:, 1]  # where z rests
    inside = (manifold.rho > 0.05) & (manifold.rho < 1.1)
    rho, drift = manifold.rho[inside], drift[inside]
    crossings = rho[:-1][np.sign(drift[:-1]) != np.sign(drift[1:])]
    assert_allclose(crossings, [SADDLE, 1.0], atol=CURVED)


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [TOLERANCE, 0.3 * TOLERANCE])
def test_it_follows_the_full_model_whatever_the_steps(known, manifolds, tolerance):
    truth = joined(list(known.validation.values()))
    jumps = jumps_of(truth.cases, known.drive.trace)
    for manifold, least in zip(manifolds, (OUTCOME_BAR, FINE_OUTCOME), strict=True):
        end, final = few_equations(manifold, known.drive.trace.tau, tolerance)(jumps, known.rest)
        found = score(truth, end, final, known.states.rho_star, True)
        assert found.r2 > R2_BAR
        assert found.outcome_accuracy > least


@pytest.mark.slow
def test_resting_states_rest(manifolds):
    nothing = Jumps(np.empty(0), np.empty(0), np.array([0, 0]), np.array([100.0]))
    for manifold in manifolds:
        end, final = few_equations(manifold, 0.05)(nothing, 500.0)
        assert_allclose(np.concatenate([end, final]), [[0.0, 1.0]] * 2, atol=0.02)


def test_a_model_without_a_block_is_refused_by_reason():
    model = cascades.compile_model(cascades.load_model("switch_pi_2008"))
    clamped = CompiledModel(keep(clamp(model.equations, "Ca"), ["A"]))
    with pytest.raises(RuleError, match="few"):
        block_of(clamped, "Ca", "A", None)
