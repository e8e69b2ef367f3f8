"""Sigma and residence times from molecules, against scaling laws and the exact master equation."""

from __future__ import annotations

import math

import pytest

import cascades
from cascades.errors import RuleError
from cascades.noise import jump_process
from cascades.noise.master import lattice, mean_first_passage_times
from cascades.reduction import CalciumRule, CalciumTrace, RateTable, RuleNoise, derive_noise
from cascades.reduction.noise import whole_counts
from cascades.reduction.states import resting_states
from cascades.units import MOLECULES_PER_ZMOL

TOTAL = 20.0  # [uM] of each kinase and phosphatase of Pi & Lisman (2008)
RULE = CalciumRule(
    theta_d=5.8, theta_p=3.9, gamma_d=18.0, gamma_p=1.0, tau=8.3, rho_star=0.22,
    calcium=CalciumTrace(0.1, 5.3, 7.0, 0.05, 0.01),
    provenance={"calcium": "Ca", "weight": "phosphorylation"},
)  # fmt: skip
SAMPLING = 4.0  # standard errors


@pytest.fixture(scope="module")
def switch():
    return cascades.compile_model(cascades.load_model("switch_pi_2008"))


def volume(molecules: int) -> float:
    return molecules / (TOTAL * MOLECULES_PER_ZMOL)


@pytest.fixture(scope="module")
def few(switch) -> RuleNoise:
    return derive_noise(switch, RULE, volume=volume(8), members=200, seed=1)


def test_residence_is_that_of_the_master_equation(switch, few):
    size = {"spine": volume(8)}
    states = resting_states(switch, "Ca", "phosphorylation", 0.1, solver="rodas5p", rtol=1e-6)
    start = whole_counts(switch, states.up, size)
    assert (start["K"] + start["K_inactive"], start["P"] + start["P_inactive"]) == (8.0, 8.0)
    space = lattice(jump_process(switch), {}, values=size, initial=start)
    total = start["K"] + start["K_inactive"]
    gone = space.where(lambda n: n["K"] / total <= states.low)
    exact = mean_first_passage_times(space, gone)[0]
    assert abs(few.up.mean - exact) < SAMPLING * few.up.error
    assert not few.up.is_bound and few.up.left >= 0.7 * few.up.watched


def test_sigma_falls_with_the_root_of_the_volume(switch, few):
    more = derive_noise(switch, RULE, volume=volume(128), members=200, seed=2, longest=20.0)
    assert few.sigma / more.sigma == pytest.approx(4.0, rel=0.25)
    assert more.up.is_bound and more.down.is_bound
    assert more.up.mean == pytest.approx(200 * 20.0)
    assert math.isinf(more.up.error)
    assert "more than" in str(more)


def test_the_noisy_rule_spreads_as_the_paths_do(few):
    assert few.misfit < math.log(2.5)
    assert few.factor > 1.0
    assert all(e.spread > 0.0 for e in few.held_out)


def test_the_rule_carries_its_noise_and_survives_json(few):
    noisy = few.applied(RULE)
    assert noisy.sigma == few.sigma
    back = CalciumRule.from_json(noisy.to_json())
    assert back == noisy
    assert back.provenance["noise"]["up"]["mean"] == few.up.mean


def test_same_seed_same_noise(switch, few):
    again = derive_noise(switch, RULE, volume=volume(8), members=200, seed=1)
    assert (again.sigma, again.up, again.down) == (few.sigma, few.up, few.down)


def test_what_has_no_noise_is_refused(switch):
    with pytest.raises(RuleError, match="positive"):
        derive_noise(switch, RULE, volume=0.0)
    with pytest.raises(RuleError, match="input of the model"):
        derive_noise(switch, RULE, volume=0.01, calcium="K")
    table = RateTable((0.1, 1.0), (0.0, 1.0), (0.0, 1.0))
    graded = CalciumRule(1.0, 2.0, 1.0, 1.0, 1.0, rates=table)
    with pytest.raises(RuleError, match="graded"):
        derive_noise(switch, graded, volume=0.01, calcium="Ca", weight="K")
    with pytest.raises(RuleError, match="name them"):
        derive_noise(switch, CalciumRule(1.0, 2.0, 1.0, 1.0, 1.0), volume=0.01)
