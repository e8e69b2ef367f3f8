"""From a spine model to a calcium rule with an error certificate."""

from __future__ import annotations

from cascades.reduction.ladder import Level, RuleLadder, derive_rule
from cascades.reduction.published import PUBLISHED, published_rule
from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable

__all__ = [
    "PUBLISHED",
    "CalciumRule",
    "CalciumTrace",
    "Level",
    "PhosphataseFilter",
    "RateTable",
    "RuleLadder",
    "WellTable",
    "derive_rule",
    "published_rule",
]
