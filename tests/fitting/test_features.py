"""Folds, switching times, outcomes and margins as data: closed forms, quadrature, differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr

pytest.importorskip("petab")

from cascades.errors import ExportError
from cascades.expression import symbol
from cascades.fitting import FitError, FitProblem
from cascades.fitting.features import (
    Margin,
    bistable,
    flip,
    fold_position,
    outcome,
    switching_time,
    up_and_down,
)
from cascades.fitting.problem import FitParameter, Observable
from tests.fitting.switch import NOMINAL, SWITCH, switch_problem

SIGNALS = (1e-4, 2.0)
POINT = np.log10(list(NOMINAL.values())) + np.array([0.02, 0.01, -0.01])
EXACT = 1e-7  # of what needs no integration
INTEGRATED = 1e-6  # integrations at 1e-8
GRADIENT = 1e-5  # relative, against differences of fourth order

FEATURES = {
    "fold": fold_position("f", "rest", "signal", SIGNALS, 0.1, 0.01),
    "fold in logarithms": fold_position("f", "rest", "signal", SIGNALS, 0.1, symbol("loss"), is_log=True),
    "switching time": switching_time("t", "signal", "X", 1.0, 3.0, 0.3, horizon=50.0),
    "outcome": outcome("o", "signal", "no change", "X", 3.0, cuts=(0.2, symbol("loss")), sigma=0.3),
    "flip": flip("u", "pulse", True, 0.7, towards="X", sigma=0.1),
    "no flip": flip("d", "short", False, 0.4, towards="X", sigma=symbol("loss") * 0.1),
}


def rate(x, values, signal):
    return signal + values["vmax"] * x**2 / (values["K"] ** 2 + x**2) - values["loss"] * x


def fold_in_closed_form(values):
    """The signal at which the lower state ends: the largest -rate(x) at signal 0 before the hump."""
    low = minimize_scalar(lambda x: rate(x, values, 0.0), bounds=(0.0, values["K"]), options={"xatol": 1e-12})
    return -low.fun


def at(feature, x=POINT):
    problem = switch_problem(feature)
    evaluation = problem.objective.evaluate(x, slopes=False)
    assert not evaluation.failures
    return evaluation.terms[feature.id], problem.values(x)


def test_the_fold_lies_where_the_rate_has_its_extremum():
    term, values = at(FEATURES["fold"])
    assert term.quantity == pytest.approx(fold_in_closed_form(values), rel=EXACT)
    z = (term.quantity - 0.1) / 0.01
    assert term.log_likelihood == pytest.approx(-0.5 * z**2 - math.log(0.01 * math.sqrt(2 * math.pi)))


def test_the_switching_time_is_the_integral_of_the_inverse_rate():
    term, values = at(FEATURES["switching time"])
    expected, _ = quad(lambda x: 1.0 / rate(x, values, 0.3), 0.0, 1.0, epsabs=1e-12)
    assert term.quantity == pytest.approx(expected, rel=INTEGRATED)


def test_an_outcome_is_the_normal_mass_between_its_cuts():
    term, values = at(FEATURES["outcome"])
    mass = ndtr((values["loss"] - term.quantity) / 0.3) - ndtr((0.2 - term.quantity) / 0.3)
    assert term.log_likelihood == pytest.approx(math.log(mass), rel=1e-9)


def test_the_margin_is_the_distance_from_the_unstable_equilibrium():
    term, values = at(FEATURES["flip"])
    saddle = brentq(lambda x: rate(x, values, 0.0), 0.05, values["K"])
    reached = brentq(
        lambda x: quad(lambda u: 1.0 / rate(u, values, 1.0), 0.0, x, epsabs=1e-12)[0] - 0.7, 0.01, 3.0
    )
    scale = 1.0  # of a state that starts from zero
    assert term.quantity == pytest.approx((reached - saddle) / scale, rel=INTEGRATED)
    assert term.log_likelihood == pytest.approx(float(log_ndtr(term.quantity / 0.1)), rel=1e-9)


@pytest.mark.parametrize("name", FEATURES)
def test_gradients(name):
    problem = switch_problem(FEATURES[name])
    h = 1e-3
    differences = []
    for i in range(POINT.size):
        step = h * np.eye(POINT.size)[i]
        near, far = (
            problem.log_likelihood(POINT + k * step) - problem.log_likelihood(POINT - k * step)
            for k in (1, 2)
        )
        differences.append((8.0 * near - far) / (12.0 * h))
    gradient = problem.gradient(POINT)
    np.testing.assert_allclose(gradient, differences, atol=GRADIENT * np.abs(gradient).max())


@pytest.mark.parametrize("name", FEATURES)
def test_curvature_is_never_negative_and_close_to_the_true_one_for_limits(name):
    problem = switch_problem(FEATURES[name])
    information = problem.objective.fisher_information(POINT)
    assert np.linalg.eigvalsh(information).min() > -1e-9 * np.abs(information).max()


def test_bistability_is_a_value_between_the_folds():
    inside, outside = (
        switch_problem(*bistable("b", "rest", "signal", SIGNALS, value, 0.01)) for value in (0.02, 0.5)
    )
    assert inside.log_likelihood(POINT) > math.log(0.9)
    assert outside.log_likelihood(POINT) < -100.0
    slope = outside.gradient(POINT)
    uphill = outside.log_likelihood(POINT + 1e-3 * slope / np.linalg.norm(slope))
    assert uphill > outside.log_likelihood(POINT)


def test_a_monostable_model_is_a_failure_with_its_reason():
    problem = switch_problem(FEATURES["fold"])
    x = problem.nominal + np.array([0.0, -0.9, 0.0])  # too little feedback for a fold
    evaluation = problem.objective.evaluate(x, slopes=False)
    assert "no fold of signal" in evaluation.failures[0].reason
    assert math.isfinite(problem.log_likelihood(x))


def test_unknown_names_are_all_named():
    with pytest.raises(FitError, match=r"(?s)no experiment named 'nowhere'.*'Y'"):
        switch_problem(
            fold_position("f", "nowhere", "signal", SIGNALS, 0.1, 0.01),
            outcome("o", "signal", "LTP", "Y", 1.0, cuts=(0.1, 0.2), sigma=1.0),
        ).log_likelihood(POINT)


@pytest.mark.parametrize(("category", "cuts"), [("LTX", (0.1, 0.2)), ("LTP", (0.1,))])
def test_outcomes_are_checked(category, cuts):
    with pytest.raises(ValueError, match=r"categor|outcome"):
        outcome("o", "signal", category, "X", 1.0, cuts=cuts, sigma=1.0)


def test_hysteresis_shows_in_an_up_and_down_dose_response():
    doses = (0.0, 0.05, 0.15)
    experiment, measured = up_and_down("loop", "seen_X", "signal", doses, (0.0,) * 3, (0.0,) * 2, dwell=200.0)
    problem = FitProblem(
        "loop",
        SWITCH,
        tuple(FitParameter(n, v, v / 10, v * 10) for n, v in NOMINAL.items()),
        (Observable("seen_X", symbol("X"), symbol("X") * 0.0 + 1.0),),
        (experiment,),
        measured,
    )
    reading = problem.residuals(problem.nominal)  # the data are zero and sigma is one
    up, down = reading[:3], reading[3:]
    assert down[0] > 10.0 * up[1]  # the same dose after the flip
    for value, dose in zip(reading, (0.0, 0.05, 0.15, 0.05, 0.0), strict=True):
        assert abs(rate(value, NOMINAL, dose)) < 1e-6
    assert problem.gradient(problem.nominal).shape == (3,)


def test_margins_need_no_sign_convention_of_eigenvectors():
    up, down = (flip("m", "pulse", is_up, 0.7, towards="X", sigma=0.1) for is_up in (True, False))
    assert isinstance(up.quantity, Margin)
    total = sum(math.exp(at(one)[0].log_likelihood) for one in (up, down))
    assert total == pytest.approx(1.0)


def test_a_fit_recovers_the_fold():
    pytest.importorskip("fides")
    from dataclasses import replace

    from cascades.fitting import fit

    target = 0.12
    problem = switch_problem(fold_position("f", "rest", "signal", SIGNALS, target, 1e-3))
    one = replace(problem, parameters=tuple(replace(p, is_estimated=p.id == "K") for p in problem.parameters))
    result = fit(one, starts=2, seed=0)
    assert fold_in_closed_form(result.values) == pytest.approx(target, rel=1e-5)


def test_features_come_back_from_their_table(tmp_path):
    yaml = pytest.importorskip("yaml")
    features = (*FEATURES.values(), *bistable("b", "rest", "signal", SIGNALS, 0.02, 0.01))
    features = tuple({feature.id: feature for feature in features}.values())
    problem = switch_problem(*features)
    path = problem.to_petab(tmp_path / "switch", version=2)
    content = yaml.safe_load(path.read_text())
    assert content["extensions"]["cascades"]["required"] is True  # another tool must not drop them
    back = FitProblem.from_petab(path)
    assert back.features == features
    assert back.log_likelihood(POINT) == pytest.approx(problem.log_likelihood(POINT), rel=1e-9)


def test_version_1_refuses_features(tmp_path):
    with pytest.raises(ExportError, match="write version 2"):
        switch_problem(FEATURES["fold"]).to_petab(tmp_path / "switch")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("margin", "marginal", "column quantity: 'marginal' is not known"),
        ("featureId", "id", "the column featureId is missing"),
        ("\t0.7\t", "\tsoon\t", "row 2, column time: 'soon' is not a number"),
    ],
)
def test_defects_of_the_table_have_their_place(tmp_path, old, new, message):
    path = switch_problem(FEATURES["flip"]).to_petab(tmp_path / "switch", version=2)
    table = path.parent / "features.tsv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    with pytest.raises(FitError, match=message):
        FitProblem.from_petab(path)


def test_a_required_extension_of_others_is_refused(tmp_path):
    path = switch_problem(FEATURES["flip"]).to_petab(tmp_path / "switch", version=2)
    path.write_text(path.read_text() + "  other:\n    version: 1.0.0\n    required: true\n")
    with pytest.raises(FitError, match="'other' is required and not known"):
        FitProblem.from_petab(path)
