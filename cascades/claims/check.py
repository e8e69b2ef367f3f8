"""Whether the claims of a model hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cascades.card import Claim, model_card
from cascades.claims.measures import measure
from cascades.claims.subject import Subject
from cascades.errors import CascadesError

STANDARD_ERRORS = 2.0  # a measured number is met within two standard errors


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what the model gives.

    value : the numbers the model gives, empty if they could not be computed
    tolerance : absolute, of each expected number
    reason : why the claim does not hold, or the known reason if there is one
    """

    model: str
    name: str
    measure: str
    value: tuple[float, ...]
    expected: tuple[float, ...]
    tolerance: tuple[float, ...]
    holds: bool
    reason: str
    source: str
    known_failure: str = ""
    tuned: bool = False

    @property
    def is_as_declared(self) -> bool:
        """Whether it holds, or fails and is known to."""
        return self.holds != bool(self.known_failure)


def check_claims(model_name: str) -> list[ClaimResult]:
    """Every claim of a shipped model, in the order of its `model.toml`.  Raises UnknownName."""
    card = model_card(model_name)
    if not card.claims:
        return []
    subject = subject_of(model_name)
    return [check_claim(subject, claim) for claim in card.claims]


def subject_of(model_name: str) -> Subject:
    """The compiled model with its card."""
    from cascades.compiler.compiled import compile_model
    from cascades.library import load_model

    return Subject(compile_model(load_model(model_name)), model_card(model_name))


def check_claim(subject: Subject, claim: Claim) -> ClaimResult:
    """One claim; a measure that cannot be computed does not hold, and `reason` says why."""
    tolerance = _absolute(claim)
    value: tuple[float, ...] = ()
    try:
        value = measure(subject, claim.measure, dict(claim.arguments))
        reason = _difference(value, claim.expected, tolerance)
    except (CascadesError, TypeError, ValueError) as error:
        reason = f"not computed: {error}"
    return ClaimResult(
        model=subject.card.name,
        name=claim.name,
        measure=claim.measure,
        value=value,
        expected=claim.expected,
        tolerance=tolerance,
        holds=not reason,
        reason=reason and (claim.known_failure or reason),
        source=claim.source,
        known_failure=claim.known_failure,
        tuned=claim.tuned,
    )


def _absolute(claim: Claim) -> tuple[float, ...]:
    if claim.tolerance is not None:
        return claim.tolerance
    if claim.relative_tolerance is not None:
        return tuple(abs(e) * r for e, r in zip(claim.expected, claim.relative_tolerance, strict=True))
    return tuple(STANDARD_ERRORS * s for s in claim.standard_error or ())


def _difference(value: tuple[float, ...], expected: tuple[float, ...], tolerance: tuple[float, ...]) -> str:
    """What is wrong with the numbers, or nothing."""
    if len(value) != len(expected):
        return f"gives {len(value)} numbers, {len(expected)} are expected"
    for v, e, t in zip(value, expected, tolerance, strict=True):
        if not (math.isfinite(v) and abs(v - e) <= t):
            return f"gives {v:.7g}, {e:.7g} +- {t:.2g} is expected"
    return ""
