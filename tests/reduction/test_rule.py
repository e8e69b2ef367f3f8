"""The calcium rule: its replay against independent integration, its file, its refusals."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from cascades.errors import RuleError
from cascades.reduction.published import published_rule
from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable

INTEGRATION = 2e-7  # of the scipy solution that is compared with
GRADED = 5e-6  # Runge-Kutta across the kinks of a table
AT_REST = 1e-12  # [1/s] of rounding

TRACE = CalciumTrace(rest=0.1, pre=0.8, post=1.1, tau=0.05, delay=0.01)
STEPS = CalciumRule(0.4, 0.9, 0.8, 2.5, 3.0, rho_star=0.35, calcium=TRACE)
TABLE = RateTable((0.1, 0.3, 0.6, 1.0, 2.0), (0.0, 0.0, 0.2, 2.0, 3.0), (0.0, 0.3, 0.8, 0.8, 0.1))
FILTER = PhosphataseFilter(1.7, (0.1, 0.5, 1.0), (0.1, 2.0, 2.0), (0.9, 0.9, 3.0))
WELL = WellTable((0.0, 0.2, 0.6, 1.0), (0.0, -0.05, 0.08, 0.0))
RULES = {
    "steps, cubic": STEPS,
    "steps, no well": dataclasses.replace(STEPS, well="none"),
    "steps, table": dataclasses.replace(STEPS, well="table", well_table=WELL),
    "graded, cubic": dataclasses.replace(STEPS, rates=TABLE),
    "graded, table, filter": dataclasses.replace(
        STEPS, rates=TABLE, well="table", well_table=WELL, filter=FILTER
    ),
    "saturating filter": dataclasses.replace(
        STEPS, rates=TABLE, filter=dataclasses.replace(FILTER, half_rho=0.05, half_m=0.2)
    ),
    "steps, filter": dataclasses.replace(STEPS, filter=FILTER),
    "published": published_rule("cortical slice"),
}
PRE = np.array([0.5, 0.52, 1.0, 1.3, 1.31, 2.0])
POST = np.array([0.51, 0.9, 1.33, 2.02])
TIMES = np.array([0.4, 0.515, 1.0, 1.5, 2.5, 6.0])


def integrated(rule: CalciumRule, rho: float) -> np.ndarray:
    """scipy's answer, restarted at each spike and in steps so short that no threshold is missed."""
    trace = rule.calcium
    stops = np.unique(np.concatenate([[0.0], PRE + trace.delay, POST, TIMES]))
    state, found = np.array([rho, rule.filter.resting(trace.rest) if rule.filter else 0.0]), {}

    def slope(t: float, y: np.ndarray, excess: float, start: float) -> list[float]:
        calcium = trace.rest + excess * math.exp(-(t - start) / trace.tau)
        up, down = rule.rates_at(calcium)
        on, off = rule.filter.at(calcium) if rule.filter else (0.0, 0.0)
        if rule.filter:
            half, half_m = rule.filter.half_rho, rule.filter.half_m
            down = rule.filter.gain * y[1] * ((1 + half) / (y[0] + half) if math.isfinite(half) else 1.0)
            off *= (1 + half_m) / (y[1] + half_m) if math.isfinite(half_m) else 1.0
        return [up * (1 - y[0]) - down * y[0] + float(rule.drift_at_rest(y[0])), on * (1 - y[1]) - off * y[1]]

    excess = 0.0
    for start, end in zip(stops, [*stops[1:], stops[-1]], strict=True):
        excess += trace.pre * np.sum(np.isclose(PRE + trace.delay, start)) + trace.post * np.sum(
            start == POST
        )
        found[start] = state[0]
        crossings = [
            start + trace.tau * math.log(excess / (theta - trace.rest))
            for theta in (rule.theta_d, rule.theta_p, *(TABLE.calcium[1:]), 0.5)
            if excess > theta - trace.rest
        ]
        edges = np.unique([start, *[c for c in crossings if c < end], end])
        for a, b in itertools.pairwise(edges):
            inside = (a + 1e-12, b - 1e-12)
            state = solve_ivp(slope, inside, state, args=(excess, start), rtol=1e-10, atol=1e-12).y[:, -1]
        excess *= math.exp(-(end - start) / trace.tau)
    return np.array([found[t] for t in TIMES])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_replay_is_the_solution(name, rho):
    rule = RULES[name]
    tolerance = GRADED if rule.rates or rule.filter else INTEGRATION
    assert_allclose(rule.replay(PRE, POST, TIMES, rho=rho), integrated(rule, rho), atol=tolerance)


@pytest.mark.parametrize("half_m", [1e-3, 0.2, 5.0, 1e6, math.inf])
def test_a_resting_phosphatase_does_not_move(half_m):
    still = dataclasses.replace(FILTER, half_m=half_m)
    calcium = np.array([0.1, 0.3, 0.5, 1.0])
    for c, m in zip(calcium, still.resting(calcium), strict=True):
        assert 0.0 <= m <= 1.0
        assert abs(still.drift(c, m)) < AT_REST


def test_a_phosphatase_without_rates_rests_at_zero():
    for half_m in (0.2, math.inf):
        idle = PhosphataseFilter(1.0, (0.0, 1.0), (0.0, 0.0), (0.0, 0.0), half_m=half_m)
        assert idle.resting(0.5) == 0.0


def test_replay_does_not_depend_on_the_readings():
    many = STEPS.replay(PRE, POST, np.linspace(0.0, 6.0, 301), rho=0.2)
    assert_allclose(STEPS.replay(PRE, POST, [6.0], rho=0.2)[-1], many[-1], atol=1e-13)


def test_coincident_spikes_add_up():
    twice = STEPS.replay([0.49, 0.49], [0.5, 0.5], [1.0])
    strong = dataclasses.replace(STEPS, calcium=dataclasses.replace(TRACE, pre=1.6, post=2.2))
    assert_allclose(twice, strong.replay([0.49], [0.5], [1.0]), atol=1e-14)


def test_calcium_trace_is_what_the_replay_sees():
    times = np.array([0.0, 0.509, 0.51, 0.6])
    once = TRACE.rest + (TRACE.pre + TRACE.post) * np.exp(-0.09 / TRACE.tau)
    seen = TRACE.at(times, [0.5], [0.51])
    assert_allclose(seen, [0.1, 0.1, 0.1 + TRACE.pre + TRACE.post, once])


@pytest.mark.parametrize("name", RULES)
def test_json_round_trip_is_exact(name):
    rule = dataclasses.replace(
        RULES[name], provenance={"model": "x", "hash": "ab", "errors": {"r2": 0.1 + 0.2}}
    )
    again = CalciumRule.from_json(rule.to_json())
    assert again == rule
    assert again.provenance == rule.provenance


def test_json_keeps_infinite_thresholds():
    rule = dataclasses.replace(STEPS, theta_p=math.inf)
    assert CalciumRule.from_json(rule.to_json()) == rule


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "cascades calcium rule 1", "theta_d": "x"}'])
def test_a_file_that_is_no_rule_is_refused(text):
    with pytest.raises(RuleError):
        CalciumRule.from_json(text)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tau": 0.0}, "tau"),
        ({"gamma_p": -1.0}, "gamma_p"),
        ({"theta_d": math.nan}, "theta_d"),
        ({"rho_star": 1.0}, "rho_star"),
        ({"well": "quartic"}, "well"),
        ({"well": "table"}, "well_table"),
    ],
)
def test_values_that_make_no_sense_are_named(change, word):
    with pytest.raises(RuleError, match=word):
        dataclasses.replace(STEPS, **change)


def test_negative_rates_are_refused():
    with pytest.raises(RuleError, match="negative"):
        RateTable((0.0, 1.0), (0.0, -1.0), (0.0, 1.0))
