"""`cascades rule`: the ladder, and the rule along a slow variable."""

from __future__ import annotations

import json

import pytest

from cascades.reduction import CalciumRule


def test_a_slow_variable_that_does_not_exist_is_named(cascades):
    result = cascades("rule", "camkii_graupner_2007", "--along", "PP100", "0.1", "0.3")
    assert result.code != 0
    assert "PP100" in result.err
    assert "PP10" in result.err


def test_a_range_needs_two_ends(cascades):
    result = cascades("rule", "camkii_graupner_2007", "--along", "PP10", "0.2")
    assert result.code != 0


@pytest.mark.slow
def test_the_ladder_is_written(cascades, tmp_path):
    out = tmp_path / "rule"
    result = cascades(
        "rule", "camkii_graupner_2007", "--weight", "S", "--quick", "--tolerance", "0.4", "--out", out
    )
    assert result.code == 0
    assert "holds for calcium" in result.out
    rule = CalciumRule.from_json((out / "rule.json").read_text(encoding="utf-8"))
    whole = json.loads((out / "ladder.json").read_text(encoding="utf-8"))
    assert whole["chosen"] == rule.provenance["level"]
    assert (out / "rule.png").stat().st_size > 0
    assert (out / "error_map.png").stat().st_size > 0


@pytest.mark.slow
def test_the_rule_slides(cascades, tmp_path):
    out = tmp_path / "sliding"
    result = cascades(
        "rule", "camkii_graupner_2007", "--weight", "S", "--along", "PP10", "0.18", "0.22", "--quick",
        "--out", out,
    )  # fmt: skip
    assert result.code == 0
    assert sorted(path.name for path in out.iterdir()) == ["rule.json", "sliding.png", "sliding.txt"]
    assert "not sliding" in (out / "sliding.txt").read_text(encoding="utf-8")
