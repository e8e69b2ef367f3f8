"""The rates of a rule as expressions of calcium, for simulators that step on a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cascades.export.features import ramps, saturation
from cascades.reduction.rule import CalciumRule

Clip = Callable[[str, str, str], str]  # (x, low, high)
IsAbove = Callable[[str, float], str]  # (x, threshold): 1 or 0


class Rates(NamedTuple):
    """Per second; `on` and `off` only for a rule with a filter, whose state is `m`."""

    up: str
    down: str
    above: str  # how many thresholds calcium exceeds
    on: str = "0"
    off: str = "0"


def rates_of(rule: CalciumRule, is_above: IsAbove, clip: Clip) -> Rates:
    """The rates in the syntax of a target, where `c` is calcium above rest."""
    total = f"(c + {rule.calcium.rest!r})"

    def graded(calcium: tuple[float, ...], rate: tuple[float, ...]) -> str:
        return f"({ramps(calcium, rate, total, clip)})"

    exceeds = [is_above(total, theta) for theta in (rule.theta_p, rule.theta_d)]
    above = f"({exceeds[1]} + {exceeds[0]})"
    if rule.rates is None:
        up, down = f"({rule.gamma_p!r}*{exceeds[0]})", f"({rule.gamma_d!r}*{exceeds[1]})"
    else:
        up = graded(rule.rates.calcium, rule.rates.potentiation)
        down = graded(rule.rates.calcium, rule.rates.depression)
    if rule.filter is None:
        return Rates(up, down, above)
    slow = rule.filter
    down = f"({slow.gain!r}*m{saturation('rho', slow.half_rho, clip)})"
    off = f"({graded(slow.calcium, slow.off)}{saturation('m', slow.half_m, clip)})"
    return Rates(up, down, above, graded(slow.calcium, slow.on), off)
