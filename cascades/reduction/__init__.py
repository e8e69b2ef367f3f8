"""From a spine model to a calcium rule with an error certificate."""

from __future__ import annotations

from cascades.reduction.ladder import Level, RuleLadder, derive_rule
from cascades.reduction.late import Course, LateCertificate, LatePhase, derive_late_phase
from cascades.reduction.noise import Residence, RuleNoise, derive_noise
from cascades.reduction.published import PUBLISHED, published_rule
from cascades.reduction.quasi_steady import QuasiSteady, quasi_steady
from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable
from cascades.reduction.slow import SlowDynamics, derive_slow_dynamics
from cascades.reduction.slow_table import SlowTable, slow_table

__all__ = [
    "PUBLISHED",
    "CalciumRule",
    "CalciumTrace",
    "Course",
    "LateCertificate",
    "LatePhase",
    "Level",
    "PhosphataseFilter",
    "QuasiSteady",
    "RateTable",
    "Residence",
    "RuleLadder",
    "RuleNoise",
    "SlowDynamics",
    "SlowTable",
    "WellTable",
    "derive_late_phase",
    "derive_noise",
    "derive_rule",
    "derive_slow_dynamics",
    "published_rule",
    "quasi_steady",
    "slow_table",
]
