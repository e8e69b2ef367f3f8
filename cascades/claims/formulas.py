"""Measures of a formula: what an observable is at given values, without time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cascades.claims.subject import Subject, varied
from cascades.errors import UnknownName


def value(
    subject: Subject,
    of: str,
    *,
    values: Mapping[str, float] | None = None,
    vary: Mapping[str, Sequence[float]] | None = None,
    named: str = "",
    initial: Mapping[str, float | str] | None = None,
) -> list[float]:
    """The observable `of` at the initial state, once per entry of `vary`."""
    return [_at(subject, of, chosen, named, initial) for chosen in varied(values, vary)]


def product(subject: Subject, powers: Mapping[str, float], *, named: str = "") -> float:
    """The product of parameters, each to a power: an equilibrium constant, or what is left when a cycle
    of reactions is closed."""
    values = {**subject.compiled.default_values, **subject.values(None, named)}
    unknown = sorted(set(powers) - set(values))
    if unknown:
        raise UnknownName("parameter", unknown[0], values)
    return math.prod(values[name] ** power for name, power in powers.items())


def extremum(
    subject: Subject,
    of: str,
    *,
    over: str,
    bounds: Sequence[float],
    sign: int = 1,
    values: Mapping[str, float] | None = None,
    named: str = "",
    initial: Mapping[str, float | str] | None = None,
) -> list[float]:
    """Where the observable is largest (`sign` 1) or smallest (-1) over a parameter, and its value there."""
    from scipy.optimize import minimize_scalar

    def height(x: float) -> float:
        return -sign * _at(subject, of, {**(values or {}), over: x}, named, initial)

    low, high = _best_interval(height, bounds)
    found = minimize_scalar(height, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    return [float(found.x), -sign * float(found.fun)]


def crossing(
    subject: Subject,
    of: str,
    *,
    over: str,
    bounds: Sequence[float],
    level: float,
    values: Mapping[str, float] | None = None,
    named: str = "",
) -> float:
    """The value of the parameter `over` at which the observable passes `level`."""
    from scipy.optimize import brentq

    def distance(x: float) -> float:
        return _at(subject, of, {**(values or {}), over: x}, named, None) - level

    return float(brentq(distance, bounds[0], bounds[1], xtol=1e-12))


def _at(
    subject: Subject,
    of: str,
    values: Mapping[str, float],
    named: str,
    initial: Mapping[str, float | str] | None,
) -> float:
    chosen = subject.values(values, named)
    compiled = subject.compiled
    p = compiled.parameter_array(chosen)
    y = compiled.initial_array(p, subject.initial(initial, chosen))[0]
    return subject.observe(of, dict(zip(compiled.state_names, map(float, y), strict=True)), chosen)


def _best_interval(height: object, bounds: Sequence[float], pieces: int = 200) -> tuple[float, float]:
    """The two neighbours of the lowest point on a grid, so that a search within them is local."""
    import numpy as np

    grid = np.linspace(bounds[0], bounds[1], pieces + 1)
    best = int(np.argmin([height(x) for x in grid]))  # type: ignore[operator]
    return float(grid[max(best - 1, 0)]), float(grid[min(best + 1, pieces)])
