"""The fast replay against the reference, one case at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.reduction.batch import jumps_of, replay_cases
from cascades.reduction.families import Case, held_out, training
from tests.reduction.test_rule import RULES

REST = 20.0
EXACT = 2e-3  # the well is split off in steps of a quarter of its time
GRADED = 6e-3  # mid-point rates, and none below a thousandth of the largest calcium
APART = 4.0  # a rest in the double well drives efficacies apart
CASES = training(4, seed=3) + [held_out()["triplets"][7]]


@pytest.mark.parametrize("name", RULES)
def test_agrees_with_the_reference(name):
    rule = RULES[name]
    end, final = replay_cases(rule, jumps_of(CASES, rule.calcium), REST, steps=32)
    tolerance = GRADED if rule.rates or rule.filter else EXACT
    for k, case in enumerate(CASES[:2]):
        trace = dataclasses.replace(
            rule.calcium, pre=case.scale * rule.calcium.pre, post=case.scale * rule.calcium.post
        )
        one = dataclasses.replace(rule, calcium=trace)
        for start in (0, 1):
            expected = one.replay(case.pre, case.post, [case.end, case.end + REST], rho=start)
            assert_allclose(end[k, start], expected[0], atol=tolerance)
            assert_allclose(final[k, start], expected[1], atol=APART * tolerance)


def test_cases_do_not_see_each_other():
    rule = RULES["steps, cubic"]
    together = replay_cases(rule, jumps_of(CASES, rule.calcium), REST)[0]
    alone = [replay_cases(rule, jumps_of([case], rule.calcium), REST)[0][0] for case in CASES]
    assert_allclose(together, alone, rtol=1e-14)


def test_a_case_without_spikes_stays():
    rule = RULES["steps, cubic"]
    end, final = replay_cases(rule, jumps_of([Case("", "", (), ())], rule.calcium), REST)
    assert_allclose(np.concatenate([end, final]), [[0.0, 1.0]] * 2, atol=1e-12)
