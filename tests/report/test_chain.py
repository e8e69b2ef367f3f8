"""A run of the whole chain, and the page that it makes."""

import json
import re

import pytest

from cascades import load_model
from cascades.card import model_card
from cascades.commands.output import to_json
from cascades.report.chain import run_chain
from cascades.report.html import render
from cascades.report.numbers import numbers
from cascades.report.page import page
from cascades.report.rule_section import judgement
from cascades.report.sections import verdict

PRINTED_DIGITS = 1e-6
FOLDS = [0.0923521, 0.219568, 0.363130, 0.373918]  # Ca [uM]; ModelDB 114452, Graupner & Brunel (2007)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["spine_graupner_2007", "camkii_graupner_2007"])
def chain(request):
    return run_chain(load_model(request.param), budget="quick", seed=1)


def test_ltp_flips_up_and_ltd_flips_down(chain):
    assert verdict(chain.ltp, chain.diagram) == "DOWN to UP"
    assert verdict(chain.ltd, chain.diagram) == "UP to DOWN"


def test_the_branches_have_the_published_folds(chain):
    assert sorted(p.value for p in chain.diagram.folds) == pytest.approx(FOLDS, abs=PRINTED_DIGITS)
    assert [branch.closed for branch in chain.diagram.branches].count(True) == 1


def test_the_sentence_about_the_rule_says_what_its_certificate_says(chain):
    overall = chain.ladder.chosen.certificate.overall
    is_useful = overall.outcome_accuracy > max(overall.no_change, overall.majority)
    assert ("points better" in judgement(chain.ladder)) == is_useful
    assert ("do not use it" in judgement(chain.ladder)) != is_useful


def test_the_assembly_learns_and_the_rest_changes_less(chain):
    change = {
        name: float(values.mean() - chain.recording.mean_efficacy[name][0])
        for name, values in chain.recording.final_efficacies.items()
    }
    assert change["A -> A"] > 0.3
    assert abs(change["E -> E"]) < change["A -> A"]


def test_the_page_is_whole_and_its_numbers_are_those_of_the_run(chain):
    html = render(page(chain, model_card(chain.model.id), {}))
    assert html.count("<svg") == 7
    assert not re.findall(r"(?:src|href)=[\"'](?!#|data:)", html)
    for value in FOLDS:
        assert f"{value:.4g}" in html
    record = json.loads(to_json(numbers(chain, {})))
    assert sorted(record["experiments"]) == ["LTD", "LTP"]
    assert record["ladder"]["chosen"] == chain.ladder.chosen.name
    assert record["network"]["neurons"] == 2000
