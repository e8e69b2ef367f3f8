"""A rule as zones of calcium in which the rates are constant: what event-driven exports are made of.

Calcium falls through the zones from the highest to the lowest; the time spent in each is a difference of
clipped logarithms.  Step thresholds are two zones and the rest below them, and exact.  Graded rates become a
staircase, finest where they change most.  Times are counted in decay times of calcium.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cascades.reduction.rule import CalciumRule

ZONES = 64  # of a staircase
GRID = 8192  # points at which graded rates are looked at
SMALLEST = 1e-3  # calcium above rest, relative to the smallest jump, that counts as rest in a staircase


@dataclass(frozen=True)
class Zone:
    """Calcium above `ln_level` [ln of the rule's unit above rest] and below the zone before it.

    The efficacy goes towards `aim` at `rate`; without it its variance would grow by `growth`; both per decay
    time.
    """

    ln_level: float
    rate: float
    aim: float
    growth: float


@dataclass(frozen=True)
class Zones:
    """From the highest zone down; `rest` lies below all, and reaches down to resting calcium."""

    above: tuple[Zone, ...]
    rest: Zone


def zones_of(rule: CalciumRule) -> Zones:
    """The zones of a rule without a filter."""
    levels = _levels(rule) if rule.rates is not None else _thresholds(rule)
    above: list[Zone] = []
    upper = math.inf
    for level in levels[::-1]:
        zone = _zone(rule, float(level), upper)
        upper = float(level)
        if above and (zone.rate, zone.aim, zone.growth) == (above[-1].rate, above[-1].aim, above[-1].growth):
            above[-1] = zone  # nothing changes at the level between them
        else:
            above.append(zone)
    return Zones(tuple(above), _zone(rule, -math.inf, -math.inf))


def _thresholds(rule: CalciumRule) -> np.ndarray:
    excess = [theta - rule.calcium.rest for theta in (rule.theta_d, rule.theta_p)]
    return np.log(sorted({x for x in excess if x > 0.0}))


def _levels(rule: CalciumRule) -> np.ndarray:
    """Levels so dense that the rates, and the thresholds of the noise, change equally little in between."""
    jumps = [x for x in (rule.calcium.pre, rule.calcium.post) if x > 0.0]
    if rule.rates is None or not jumps:
        return np.zeros(0)
    top = max(rule.rates.calcium[-1] - rule.calcium.rest, 2.0 * sum(jumps))
    u = np.linspace(math.log(SMALLEST * min(jumps)), math.log(top), GRID)
    up, down = rule.rates_at(rule.calcium.rest + np.exp(u))
    changes = np.abs(np.diff(up)) + np.abs(np.diff(down))
    if not changes.any():
        return u[:1]
    # the error of a zone grows with the square of its width: equal steps of the root of the slope
    weight = np.concatenate([[0.0], np.cumsum(np.sqrt(changes))])
    levels = np.interp(np.linspace(0.0, weight[-1], ZONES + 1), weight, u)
    return np.unique(np.concatenate([levels, _thresholds(rule) if rule.sigma > 0.0 else []]))


def _zone(rule: CalciumRule, low: float, high: float) -> Zone:
    """The mean rates between two levels; just above `low` if there is no upper one; of rest below both."""
    if high == -math.inf:
        u = np.array([-math.inf])
    elif high == math.inf:
        u = np.array([low + 1e-9])
    else:
        u = low + (high - low) * (np.arange(64) + 0.5) / 64
    calcium = rule.calcium.rest + np.exp(u)
    up, down = (float(np.mean(rate)) * rule.calcium.tau for rate in rule.rates_at(calcium))
    exceeded = float(np.mean((calcium > rule.theta_p).astype(float) + (calcium > rule.theta_d)))
    growth = exceeded * rule.sigma**2 / rule.tau * rule.calcium.tau
    return Zone(low, up + down, up / (up + down) if up + down > 0.0 else 0.0, growth)
