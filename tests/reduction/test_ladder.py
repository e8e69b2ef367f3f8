"""The derivation on shipped models, in the quick budget."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError, UnknownName
from cascades.reduction import CalciumRule, PhosphataseFilter, derive_rule
from cascades.reduction.ladder import choose

# Graupner & Brunel (2007), ModelDB 114452, AUTO branch files
PUBLISHED_FOLDS = [0.0923521, 0.219568, 0.363130, 0.373918]
PRINTED_DIGITS = 1e-6
PUBLISHED_SADDLE = (56.7677 - 0.14506) / (149.983 - 0.14506)  # S at Ca = 0.1, by continuation


def compiled(name: str) -> CompiledModel:
    return cascades.compile_model(cascades.load_model(name))


@pytest.fixture(scope="module")
def ladder():
    return derive_rule(compiled("camkii_graupner_2007"), calcium="Ca", weight="S", budget="quick")


def test_resting_states_are_the_published_ones(ladder):
    states = ladder.details["states"]
    assert_allclose([states.low, states.high], [0.14506, 149.983], rtol=1e-4)
    assert states.rho_star == pytest.approx(PUBLISHED_SADDLE, abs=0.01)


def test_physical_thresholds_are_the_published_folds(ladder):
    assert_allclose(ladder.thresholds["physical (folds)"], PUBLISHED_FOLDS, atol=PRINTED_DIGITS)


def test_the_fitted_rule_beats_the_baselines(ladder):
    overall = ladder["step thresholds, cubic well"].certificate.overall
    assert overall.outcome_accuracy > max(overall.no_change, overall.majority) + 0.1
    assert overall.r2 > 0.4  # one of few numbers, fitted to 48 trains
    assert len(ladder) >= 2


def test_every_family_is_scored(ladder):
    from cascades.reduction.families import held_out

    for level in ladder:
        assert set(level.certificate.families) == set(held_out())
        for score in level.certificate.families.values():
            assert 0.0 <= score.outcome_accuracy <= 1.0
            assert np.isfinite([score.rmse, score.worst]).all()
            assert score.r2 is None or score.r2 <= 1.0


def test_the_certificate_can_be_checked_by_hand(ladder):
    """The overall rmse is that of the reference replay, case by case."""
    from cascades.reduction.certificate import joined

    level = ladder["step thresholds, cubic well"]
    truth = joined(list(ladder.details["held_out"].values()))
    few = range(0, len(truth.cases), 9)
    for k in few:
        case = truth.cases[k]
        trace = level.rule.calcium
        scaled = dataclasses.replace(trace, pre=trace.pre * case.scale, post=trace.post * case.scale)
        rule = dataclasses.replace(level.rule, calcium=scaled)
        said = rule.replay(case.pre, case.post, [case.end], rho=1.0)[0]
        error = abs(np.clip(said, 0, 1) - np.clip(truth.end[k, 1], 0, 1))
        assert error <= level.certificate.overall.worst + 5e-3


def test_tolerance_chooses_the_cheapest_that_meets_it(ladder):
    worst = max(level.certificate.validation.rmse for level in ladder)
    assert choose(ladder.levels, worst) is min(ladder.levels, key=lambda level: level.cost)
    assert choose(ladder.levels, 1e-9).is_exportable


def test_networks_get_a_rule_of_one_variable(ladder):
    assert ladder.network_rule == ladder.rule
    slow = PhosphataseFilter(1.0, (0.1, 1.0), (0.0, 1.0), (1.0, 0.0))
    filtered = dataclasses.replace(ladder.rule, filter=slow)
    chosen = dataclasses.replace(ladder.chosen, rule=filtered)
    others = tuple(level for level in ladder if level is not ladder.chosen)
    two = dataclasses.replace(ladder, levels=(chosen, *others), chosen=chosen)
    assert two.rule is filtered
    assert two.network_rule.filter is None
    with pytest.raises(RuleError, match="none of its levels"):
        dataclasses.replace(two, levels=(chosen,)).network_rule  # noqa: B018


def test_the_rule_knows_where_it_comes_from(ladder):
    rule = ladder.rule
    assert rule.provenance["model"] == "camkii_graupner_2007"
    assert len(rule.provenance["equations"]) == 64
    assert CalciumRule.from_json(rule.to_json()) == rule
    whole = json.loads(ladder.to_json())
    scores = whole["levels"][0]["certificate"]["families"]["all held out"]
    assert {"r2", "rmse", "worst", "outcome_accuracy", "no_change", "majority"} <= set(scores)


def test_the_table_is_printed(ladder):
    text = str(ladder)
    assert "no change" in text
    assert "chosen" in text
    assert "holds for calcium" in str(ladder[0].certificate)
    assert "vary with the seed" in str(ladder[0].certificate)
    assert all(level.name in text for level in ladder)
    assert "triplets" in str(ladder[0].certificate)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rule(ladder):
    again = derive_rule(compiled("camkii_graupner_2007"), calcium="Ca", weight="S", budget="quick")
    assert again.rule == ladder.rule


def test_a_rule_is_derived_from_itself():
    """Graupner & Brunel (2012), set DP: thresholds, rates (gamma / tau), well and trace come back."""
    ladder = derive_rule(compiled("rule_graupner_2012"), calcium="c", weight="rho", budget="quick")
    rule = ladder["exact"].rule
    found = [
        rule.theta_d,
        rule.theta_p,
        rule.gamma_d * rule.tau,
        rule.gamma_p * rule.tau,
        rule.tau,
        rule.rho_star,
    ]
    assert_allclose(found, [1.0, 1.3, 200.0, 321.808, 150.0, 0.5], rtol=1e-6)
    assert_allclose([rule.calcium.tau, rule.calcium.pre, rule.calcium.post], [0.02, 1.0, 2.0], rtol=1e-6)
    assert ladder["exact"].certificate.overall.r2 > 0.999


@pytest.mark.slow
def test_a_composed_spine_is_cut_at_calcium_and_judged_whole():
    ladder = derive_rule(compiled("spine_graupner_2007"), calcium="Ca", weight="S", budget="quick")
    assert any("calcium trace" in note for note in ladder.notes)
    assert_allclose(ladder.thresholds["physical (folds)"], PUBLISHED_FOLDS, atol=1e-4)
    overall = ladder["step thresholds, cubic well"].certificate.overall
    assert overall.outcome_accuracy > max(overall.no_change, overall.majority)


# --- bad input ----------------------------------------------------------------------------------


def test_a_weight_that_calcium_does_not_move_is_refused():
    with pytest.raises(RuleError, match="does not depend on c1"):
        derive_rule(compiled("switch_pi_2008"), calcium="c1", weight="K", budget="quick")


def test_a_weight_that_is_constant_is_refused():
    with pytest.raises(RuleError, match="no state"):
        derive_rule(compiled("camkii_graupner_2007"), calcium="Ca", weight="vCaN", budget="quick")


@pytest.mark.parametrize(
    "names", [{"calcium": "Calcium", "weight": "S"}, {"calcium": "Ca", "weight": "Strength"}]
)
def test_unknown_names_are_named(names):
    with pytest.raises(UnknownName):
        derive_rule(compiled("camkii_graupner_2007"), budget="quick", **names)


def test_calcium_that_no_spike_moves_is_refused():
    with pytest.raises(RuleError, match="glutamate"):
        derive_rule(compiled("camkii_graupner_2007"), calcium="PP1", weight="S", budget="quick")


@pytest.mark.slow
def test_a_monostable_model_gives_a_graded_rule_and_says_so():
    """With twenty times the phosphatase there is one state."""
    model = compiled("camkii_graupner_2007")
    values = {"PP10": 4.0}
    defaults = tuple(values.get(n, v) for n, v in model.default_values.items())
    single = CompiledModel(dataclasses.replace(model.equations, default_values=defaults))
    ladder = derive_rule(single, calcium="Ca", weight="S", budget="quick")
    assert any("one resting state" in note for note in ladder.notes)
    assert not ladder.details["states"].is_bistable
    assert all(level.rule.well == "table" for level in ladder)


def test_choices_do_not_see_what_judges(ladder):
    """The chosen level has the fewest wrong outcomes on the validation set."""
    right = [level.certificate.validation.outcome_accuracy for level in ladder if level.is_exportable]
    assert ladder.chosen.certificate.validation.outcome_accuracy == max(right)


def test_a_rule_is_cited(ladder):
    assert "Graupner" in cascades.cite(cascades.load_model("camkii_graupner_2007"), ladder.rule)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "calcium", "weight"),
    [
        ("spine_cascades", "Ca", "efficacy"),
        ("switch_pi_2008", "Ca", "A"),
        ("camkii_rodrigues_2023", "Ca", "CaMKII"),
    ],
)
def test_the_same_ladder_without_a_line_for_the_model(model, calcium, weight):
    ladder = derive_rule(compiled(model), calcium=calcium, weight=weight, budget="quick")
    assert len(ladder) >= 2
    for level in ladder:
        assert np.isfinite(
            [level.certificate.overall.rmse, level.certificate.overall.worst, level.cost]
        ).all()
    assert CalciumRule.from_json(ladder.rule.to_json()) == ladder.rule


ONE_STATE = """
model one_state()
  c = 0.1
  x = 0
  x' = {rate}
end
"""


def written(tmp_path, rate: str) -> CompiledModel:
    path = tmp_path / "one_state.ant"
    path.write_text(ONE_STATE.format(rate=rate), encoding="utf-8")
    return cascades.compile_model(cascades.load_model(path))


def test_a_weight_that_only_follows_calcium_is_refused(tmp_path):
    with pytest.raises(RuleError, match="no slow variable"):
        derive_rule(written(tmp_path, "100 * (c^2 / (1 + c^2) - x)"), calcium="c", weight="x", budget="quick")


def test_one_equation_that_is_no_rule_is_fitted_and_says_so(tmp_path):
    """The more efficacy there is the faster it grows: no rate of potentiation towards a limit."""
    model = written(tmp_path, "0.5 * c^3 / (8 + c^3) * (0.1 + x) * (1 - x) - 0.02 * x")
    ladder = derive_rule(model, calcium="c", weight="x", budget="quick")
    assert any("no rule" in note for note in ladder.notes)
    assert any("one resting state" in note for note in ladder.notes)
    assert "exact" not in [level.name for level in ladder]


def test_json_round_trip_of_a_ladder_is_exact(ladder):
    text = ladder.to_json()
    again = type(ladder).from_json(text)
    assert again.to_json() == text
    assert again.chosen.name == ladder.chosen.name
    assert again.thresholds == ladder.thresholds
    assert again.notes == ladder.notes
    for mine, theirs in zip(again, ladder, strict=True):
        assert mine.rule == theirs.rule
        assert mine.rule.provenance == json.loads(json.dumps(theirs.rule.provenance))
        assert mine.certificate == theirs.certificate
        assert (mine.name, mine.cost, mine.fitted) == (theirs.name, theirs.cost, theirs.fitted)
    assert str(again) == str(ladder)
    assert again.network_rule == ladder.network_rule


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "cascades rule ladder 1", "levels": [1]}'])
def test_a_file_that_is_no_ladder_is_refused(text):
    from cascades.reduction import RuleLadder

    with pytest.raises(RuleError, match="ladder"):
        RuleLadder.from_json(text)
