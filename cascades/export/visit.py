"""What an event-driven synapse does between two spikes, step by step, before any language.

Calcium falls through the zones; in between the well acts for as long as the zones before and after it take,
half each, so that its error is of second order in one interval.  Spans are expressions of `h`, the decay
times since the last visit, and of the times `edge_0`, `edge_1`, ... spent above the ends of groups of zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cascades.export.zones import Zone, Zones

GROUPS = 4  # between which the well acts


class Edge(NamedTuple):
    """`name` = the time spent above `ln_level`."""

    name: str
    ln_level: float


class Pull(NamedTuple):
    """The well alone, for `span`."""

    span: str


class Pass(NamedTuple):
    """A zone: from `before` to the time spent above it, which is then `before`."""

    zone: Zone


class Kick(NamedTuple):
    """One normal number with the variance that the zones gathered."""


class Rest(NamedTuple):
    """The rates at rest together with the well, for `span`."""

    span: str


Step = Edge | Pull | Pass | Kick | Rest


def visit(zones: Zones) -> Iterator[Step]:
    """The steps in order."""
    groups = _groups(zones.above)
    for g, group in enumerate(groups):
        yield Edge(f"edge_{g}", group[-1].ln_level)
    for g, group in enumerate(groups):
        yield Pull(f"(edge_{g} - edge_{g - 2})/2" if g > 1 else f"edge_{g}/2")
        for zone in group:
            yield Pass(zone)
    yield Kick()
    last = f"edge_{len(groups) - 1}" if groups else "0"
    before = f"edge_{len(groups) - 2}" if len(groups) > 1 else "0"
    if zones.rest.rate == 0.0:
        yield Pull(f"h - ({last} + {before})/2")
    else:
        yield Pull(f"({last} - {before})/2")
        yield Rest(f"h - {last}")


def _groups(above: tuple[Zone, ...]) -> list[tuple[Zone, ...]]:
    count = min(len(above), GROUPS)
    ends = [len(above) * (g + 1) // count for g in range(count)]
    return [above[begin:end] for begin, end in zip([0, *ends], ends)]


def edge_names(zones: Zones) -> list[str]:
    """Names of the times that a visit keeps."""
    return [step.name for step in visit(zones) if isinstance(step, Edge)]
