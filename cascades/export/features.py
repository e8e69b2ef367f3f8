"""What a rule needs of a simulator, and its numbers in the simulators' units.

Simulators count in ms; the rule counts in s.  Times of a visit are counted in decay times of calcium, as in
`cascades.network.constants`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cascades.errors import ExportError
from cascades.network.constants import MS_PER_S, zones
from cascades.network.network import Network
from cascades.reduction.rule import CalciumRule

NOISE = "noise (sigma)"
GRADED = "graded rates"
TABLE_WELL = "a tabulated well"
FILTER = "a phosphatase filter"


ZONES = ("ln_high", "ln_low", "rate_high", "aim_high", "rate_middle", "aim_middle", "rate_rest", "aim_rest")


def needs(rule: CalciumRule) -> list[str]:
    """The features of a rule that not every target has."""
    present = {
        NOISE: rule.sigma > 0.0,
        GRADED: rule.rates is not None,
        TABLE_WELL: rule.well == "table",
        FILTER: rule.filter is not None,
    }
    return [name for name, is_present in present.items() if is_present]


REMEDIES = {
    NOISE: "use dataclasses.replace(rule, sigma=0.0) for the deterministic rule",
    GRADED: "choose a level of the ladder with thresholds, or the clock-driven form for Brian2",
    TABLE_WELL: 'use dataclasses.replace(rule, well="none", well_table=None), or a level with a cubic well',
    FILTER: "choose a level of the ladder without one, or the clock-driven form for Brian2",
}


def require(rule: CalciumRule, target: str, known: tuple[str, ...] = ()) -> None:
    """Raises ExportError for the first feature that `target` does not know."""
    for feature in needs(rule):
        if feature not in known:
            raise ExportError(target, feature, REMEDIES[feature])


def rule_of(source: CalciumRule | Network, target: str) -> CalciumRule:
    """The rule of a network, or the rule itself.  Raises ExportError for a network without one."""
    if isinstance(source, CalciumRule):
        return source
    if source.rule is None:
        raise ExportError(target, "a network without a calcium rule", "give the network a rule")
    if source.calcium is not None:
        kind = type(source.calcium).__name__
        raise ExportError(
            target, f"calcium of the shape {kind}", "use dataclasses.replace(network, calcium=None)"
        )
    for mechanism in source.mechanisms:
        name = type(mechanism).__name__
        raise ExportError(target, f"the mechanism {name}", "it is part of this package's network layer only")
    for synapses in source.synapses:
        if synapses.timing is not None:
            raise ExportError(target, "spike timing beside the rule", "export the network without it")
    return source.rule


def numbers(rule: CalciumRule) -> dict[str, float]:
    """Zones, jumps and times for event-driven code; times in ms."""
    trace = rule.calcium
    return {
        **{name: float(x) for name, x in zip(ZONES, zones(rule))},
        "tau_ca": trace.tau * MS_PER_S,
        "c_pre": trace.pre,
        "c_post": trace.post,
        "delay_ca": trace.delay * MS_PER_S,
        "well_rate": trace.tau / rule.tau,  # per decay time of calcium
        "rho_star": rule.rho_star,
    }


def ramps(x: Any, y: Any, variable: str, clip: Callable[[str, str, str], str]) -> str:
    """An expression for the piecewise linear y(variable), constant beyond the rows: a sum of clipped
    ramps."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    terms = [repr(float(y[0]))]
    for a, b, rise in zip(x[:-1], x[1:], np.diff(y) / np.diff(x)):
        if rise != 0.0:
            terms.append(f"({float(rise)!r})*{clip(f'{variable} - ({float(a)!r})', '0', repr(float(b - a)))}")
    return " + ".join(terms)


def heading(rule: CalciumRule, comment: str) -> str:
    """Where the rule comes from, as comment lines."""
    lines = [f"Calcium rule {rule.name or ''}".rstrip() + ", written by cascades."]
    lines += [
        f"{key}: {value}" for key, value in rule.provenance.items() if isinstance(value, str | int | float)
    ]
    return "".join(f"{comment} {' '.join(str(line).split())}\n" for line in lines)
