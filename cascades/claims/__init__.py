"""Claims: the numbers that shipped models should give, and whether they do."""

from __future__ import annotations

from cascades.claims.check import ClaimResult, check_claim, check_claims
from cascades.claims.measures import MEASURES

__all__ = ["MEASURES", "ClaimResult", "check_claim", "check_claims"]
