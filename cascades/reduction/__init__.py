"""From a spine model to a calcium rule with an error certificate."""

from __future__ import annotations

from cascades.reduction.published import PUBLISHED, published_rule
from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable

__all__ = [
    "PUBLISHED",
    "CalciumRule",
    "CalciumTrace",
    "PhosphataseFilter",
    "RateTable",
    "WellTable",
    "published_rule",
]
