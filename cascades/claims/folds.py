"""Measures of branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cascades.claims.subject import Subject


def folds(
    subject: Subject,
    *,
    parameter: str,
    bounds: Sequence[float],
    values: Mapping[str, float] | None = None,
    named: str = "",
    kind: str = "fold",
) -> list[float]:
    """The values of `parameter` at all folds (or points of another `kind`) of the branches through
    every equilibrium at the given values, sorted; a point that two starts find counts once."""
    import math

    from cascades.continuation import continuation, equilibria

    chosen = subject.values(values, named)
    found: list[float] = []
    for state in equilibria(subject.compiled, values=chosen):
        branch = continuation(subject.compiled, parameter, (bounds[0], bounds[1]), start=state)
        for point in branch.special_points:
            if point.kind == kind and not any(math.isclose(point.value, f, rel_tol=1e-7) for f in found):
                found.append(float(point.value))
    return sorted(found)
