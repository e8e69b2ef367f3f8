"""What a rule or a network needs of a simulator, and the refusal, by name, of what a target cannot express.

Every target has a table from the features that it knows to how well it expresses them; what is not in the
table is refused before a file is written.  The same tables make the page of the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cascades.errors import ExportError
from cascades.network.network import Network
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, PoissonSource, ReplayedSource
from cascades.network.plasticity.base import Mechanism
from cascades.network.plasticity.sliding import SlidingThreshold
from cascades.reduction.rule import CalciumRule

STEPS = "step thresholds"
CUBIC_WELL = "a cubic well"
TABLE_WELL = "a tabulated well"
NOISE = "noise (sigma)"
GRADED = "graded rates"
FILTER = "a phosphatase filter"
RULE_FEATURES = (STEPS, CUBIC_WELL, TABLE_WELL, NOISE, GRADED, FILTER)

LEAKY = "leaky integrate-and-fire neurons"
ADAPTIVE = "adaptive exponential neurons"
POISSON = "Poisson sources"
REPLAYED = "replayed sources"
SHORT_TERM = "short-term plasticity"
TIMING = "spike timing beside the rule"
SLIDING = "the mechanism SlidingThreshold"
SLOW = "the mechanism SlowVariable"
LATE = "the mechanism TagAndCapture"
PUMP = "calcium of the shape SaturatingPump"
RISE = "calcium of the shape SlowRise"
NETWORK_FEATURES = (
    LEAKY, ADAPTIVE, POISSON, REPLAYED, SHORT_TERM, TIMING, PUMP, RISE, SLIDING, SLOW, LATE
)  # fmt: skip

EXACT = "exact"
SPLIT = "second order in one interval between spikes"
STAIRS = "64 steps of calcium"
FIRST_ORDER = "first order in the time step"
AS_DATA = "as data"
RULE_ONLY = "its rule alone"

# of targets that get the rule of a network, and whose users write the network themselves
ALONE = dict.fromkeys((LEAKY, ADAPTIVE, POISSON, REPLAYED), RULE_ONLY)

REMEDIES = {
    NOISE: "use dataclasses.replace(rule, sigma=0.0) for the deterministic rule",
    FILTER: "choose a level of the ladder without one, or Brian2 or Arbor, which run on a clock",
    ADAPTIVE: "export the rule, and write the neurons in the simulator's own language",
}
_NEURONS = {
    LeakyIntegrateAndFire: LEAKY,
    AdaptiveExponential: ADAPTIVE,
    PoissonSource: POISSON,
    ReplayedSource: REPLAYED,
}


def needs(source: CalciumRule | Network) -> list[str]:
    """The features of a rule or a network, in the order of the tables; unknown mechanisms by their name."""
    if isinstance(source, Network):
        return _network_needs(source)
    present = {
        STEPS: source.rates is None,
        CUBIC_WELL: source.well == "cubic",
        TABLE_WELL: source.well == "table",
        NOISE: source.sigma > 0.0,
        GRADED: source.rates is not None,
        FILTER: source.filter is not None,
    }
    return [name for name, is_present in present.items() if is_present]


def _network_needs(network: Network) -> list[str]:
    found = [_NEURONS[type(p.neuron)] for p in network.neurons]
    found += [SHORT_TERM for s in network.synapses if s.short_term is not None]
    found += [TIMING for s in network.synapses if s.timing is not None]
    found += [f"calcium of the shape {type(network.calcium).__name__}"] if network.calcium else []
    found += [_mechanism(m) for m in network.mechanisms]
    return list(dict.fromkeys(found))


def _mechanism(mechanism: Mechanism) -> str:
    one_moves = isinstance(mechanism, SlidingThreshold) and not mechanism.moves_depression
    return f"the mechanism {type(mechanism).__name__}" + (
        " with one threshold that moves" if one_moves else ""
    )


def require(source: CalciumRule | Network, target: str, known: Mapping[str, str]) -> None:
    """Raises ExportError for the first feature that `target` does not know."""
    for feature in needs(source):
        if feature not in known:
            known_remedy = REMEDIES.get(feature, "export the network without it, or the rule alone")
            raise ExportError(target, feature, known_remedy)


def rule_of(source: CalciumRule | Network, target: str) -> CalciumRule:
    """The rule of a network, or the rule itself.  Raises ExportError for a network without one."""
    if isinstance(source, CalciumRule):
        return source
    if source.rule is None:
        raise ExportError(target, "a network without a calcium rule", "give the network a rule")
    return source.rule


def ramps(x: Any, y: Any, variable: str, clip: Callable[[str, str, str], str]) -> str:
    """An expression for the piecewise linear y(variable), constant beyond the rows: a sum of clipped
    ramps."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    terms = [repr(float(y[0]))]
    for a, b, rise in zip(x[:-1], x[1:], np.diff(y) / np.diff(x)):
        if rise != 0.0:
            terms.append(f"({float(rise)!r})*{clip(f'{variable} - ({float(a)!r})', '0', repr(float(b - a)))}")
    return " + ".join(terms)


def continued(x: Any, y: Any, variable: str, clip: Callable[[str, str, str], str]) -> str:
    """The same, continued along its first and last piece, as a tabulated well is."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    slopes = np.diff(y) / np.diff(x)
    terms = [repr(float(y[0])), f"({float(slopes[0])!r})*({variable} - ({float(x[0])!r}))"]
    for a, change in zip(x[1:-1], np.diff(slopes)):
        if change != 0.0:
            terms.append(f"({float(change)!r})*{clip(f'{variable} - ({float(a)!r})', '0', '1e9')}")
    return " + ".join(terms)


def saturation(variable: str, half: float, clip: Callable[[str, str, str], str]) -> str:
    """The factor by which an enzyme's rate saturates in a variable; nothing where it does not."""
    if math.isinf(half):
        return ""
    return f"*({1.0 + half!r})/({clip(variable, '0', '1e9')} + {half!r})"


def heading(rule: CalciumRule, comment: str) -> str:
    """Where the rule comes from, as comment lines."""
    lines = [f"Calcium rule {rule.name or ''}".rstrip() + ", written by cascades."]
    lines += [
        f"{key}: {value}" for key, value in rule.provenance.items() if isinstance(value, str | int | float)
    ]
    return "".join(f"{comment} {' '.join(str(line).split())}\n" for line in lines)
