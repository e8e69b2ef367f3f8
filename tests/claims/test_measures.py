"""Measures against closed forms, and claims that cannot be computed."""

from __future__ import annotations

import math

import pytest

from cascades.card import Claim
from cascades.claims import MEASURES, check_claim, check_claims
from cascades.claims.check import subject_of
from cascades.claims.measures import measure
from cascades.errors import UnknownName

SOLVER = 1e-6  # claims are computed with rtol 1e-8
SAMPLING = 1e-3  # of a peak between two samples


@pytest.fixture(scope="module")
def rule():
    return subject_of("rule_graupner_2012")


@pytest.fixture(scope="module")
def bap():
    return subject_of("bap_shouval_2002")


SPIKE = [{"kind": "spikes", "target": "post", "times": [0.0]}]


def test_values_between_spikes_are_those_of_the_exponential(rule):
    found = measure(rule, "at", {"of": "c", "time": [0.01, 0.04], "protocol": SPIKE, "samples": 401})
    assert found == pytest.approx([2.0 * math.exp(-0.5), 2.0 * math.exp(-2.0)], rel=SAMPLING)


def test_area_and_decay_time_of_an_exponential(rule):
    experiment = {"of": "c", "protocol": SPIKE, "duration": 0.5, "samples": 20001}
    assert measure(rule, "area", dict(experiment)) == pytest.approx((2.0 * 0.02,), rel=SAMPLING)
    (half,) = measure(rule, "decay_time", {**experiment, "fraction": 0.5})
    assert half == pytest.approx(0.02 * math.log(2.0), rel=SAMPLING)


def test_a_threshold_dose_is_where_the_closed_form_has_it(rule):
    found = measure(
        rule,
        "threshold_dose",
        {"of": "c", "dose": "size", "bounds": [0.1, 10.0], "level": 1.0, "rest": 0.02, "protocol": SPIKE},
    )
    assert found == pytest.approx((math.e / 2.0,), rel=1e-3)


def test_extremum_and_crossing_of_a_formula():
    subject = subject_of("rule_shouval_2002")
    crossing = {"of": "tau", "over": "Ca", "bounds": [0.1, 1.0], "level": 2.0}
    (found,) = measure(subject, "crossing", crossing)
    assert found == pytest.approx((0.1 - 1e-5) ** (1.0 / 3.0), rel=SOLVER)
    where, height = measure(subject, "extremum", {"of": "tau", "over": "Ca", "bounds": [0.2, 1.0]})
    assert (where, height) == pytest.approx((0.2, 1.0 + 0.1 / (1e-5 + 0.008)), rel=SAMPLING)


def test_a_product_of_parameters(rule):
    (found,) = measure(rule, "product", {"powers": {"C_post": 2.0, "tau_Ca": -1.0}})
    assert found == pytest.approx(4.0 / 0.02)
    with pytest.raises(UnknownName, match="did you mean C_post"):
        measure(rule, "product", {"powers": {"C_pos": 1.0}})


def test_an_equilibrium_that_never_comes_is_said(rule):
    claim = Claim("drifts", "equilibrium", (1.0,), "s", {"of": "time_is_no_state"}, tolerance=(1.0,))
    result = check_claim(rule, claim)
    assert not result.holds
    assert "time_is_no_state" in result.reason


def test_a_wrong_argument_or_measure_is_a_failed_claim_not_a_crash(bap):
    wrong = Claim("typo", "peak", (1.0,), "s", {"of": "V", "durration": 1.0}, tolerance=(1.0,))
    assert "durration" in check_claim(bap, wrong).reason
    unknown = Claim("unknown", "peek", (1.0,), "s", {"of": "V"}, tolerance=(1.0,))
    assert "did you mean peak" in check_claim(bap, unknown).reason


def test_a_known_failure_is_as_declared_only_while_it_fails(bap):
    arguments = {"of": "V", "time": 0.0, "duration": 0.1}
    fails = Claim("f", "at", (0.0,), "s", arguments, tolerance=(1.0,), known_failure="because")
    holds = Claim("h", "at", (-65.0,), "s", arguments, tolerance=(1.0,), known_failure="because")
    assert check_claim(bap, fails).is_as_declared
    assert check_claim(bap, fails).reason == "because"
    assert not check_claim(bap, holds).is_as_declared


def test_standard_errors_count_twice(bap):
    claim = Claim("s", "at", (-64.0,), "s", {"of": "V", "time": 0.0, "duration": 0.1}, standard_error=(0.6,))
    assert check_claim(bap, claim).holds


def test_claims_of_an_unknown_model():
    with pytest.raises(UnknownName, match="bap_shouval_2002"):
        check_claims("bap_shouval_2003")


def test_every_measure_says_what_it_gives():
    assert all(function.__doc__ for function in MEASURES.values())
