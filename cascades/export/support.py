"""Which target takes what, as a table: made from the tables by which the targets themselves refuse.

`python -m cascades.export.support docs/exporters.md` writes the table into the page, between its two marks.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cascades.export import arbor, brian2, features, nestml, neuron
from cascades.network.calcium import SaturatingPump, SlowRise
from cascades.network.network import Network, balanced_network
from cascades.network.neuron import AdaptiveExponential, PoissonSource, Population, ReplayedSource
from cascades.network.plasticity.consolidation import TagAndCapture
from cascades.network.plasticity.short_term import ShortTerm
from cascades.network.plasticity.sliding import SlidingThreshold, SlowVariable
from cascades.network.plasticity.stdp import SpikeTiming
from cascades.network.synapse import FixedInDegree, Synapses
from cascades.reduction.published import published_rule
from cascades.reduction.rule import CalciumRule, PhosphataseFilter, RateTable, WellTable

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
NAMES = {"brian2": "Brian2", "nestml": "NEST", "neuron": "NEURON", "arbor": "Arbor", "json": "JSON"}


def known(target: str) -> Mapping[str, str]:
    """How well a target expresses each feature; a feature that is missing is refused."""
    everything = (*features.RULE_FEATURES, *features.NETWORK_FEATURES)
    tables: dict[str, Mapping[str, str]] = {
        "brian2": brian2.KNOWN | brian2.NETWORKS,
        "nestml": nestml.KNOWN | nestml.NETWORKS,
        "neuron": neuron.KNOWN | features.ALONE,
        "arbor": arbor.KNOWN | features.ALONE,
        "json": dict.fromkeys(everything, features.AS_DATA),
    }
    return tables[target]


def table() -> str:
    """Markdown: a row per feature, a column per target."""
    lines = [f"| | {' | '.join(NAMES.values())} |", "|---" * (1 + len(NAMES)) + "|"]
    for feature in (*features.RULE_FEATURES, *features.NETWORK_FEATURES):
        cells = [known(target).get(feature, "**refused**") for target in NAMES]
        lines.append(f"| {feature} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(page: Path) -> None:
    """Put the table between the marks of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


def _rule(**changes: Any) -> CalciumRule:
    return dataclasses.replace(published_rule("cortical slice"), **{"sigma": 0.0, "well": "none", **changes})


def _network(**options: Any) -> Network:
    return balanced_network(_rule(), neurons=20, inputs=2, **options)


def _with_source(neuron: PoissonSource | ReplayedSource) -> Network:
    network = _network()
    more = Synapses("in", "E", FixedInDegree(2), 1.0, plastic=True)
    return dataclasses.replace(
        network, neurons=(*network.neurons, Population("in", 5, neuron)), synapses=(*network.synapses, more)
    )


def _changed(**changes: Any) -> Network:
    network = _network()
    first = dataclasses.replace(network.synapses[0], **changes)
    return dataclasses.replace(network, synapses=(first, *network.synapses[1:]))


def _adaptive() -> Network:
    network = _network()
    cells = tuple(dataclasses.replace(p, neuron=AdaptiveExponential()) for p in network.neurons)
    return dataclasses.replace(network, neurons=cells)


def _slow() -> Network:
    slides = SlowVariable(values=(0.0, 1.0), rules=(_rule(), _rule(theta_p=1.4)))
    return _network(mechanisms=[slides])


# the simplest rule or network that needs each feature
EXAMPLES: dict[str, Callable[[], CalciumRule | Network]] = {
    features.STEPS: _rule,
    features.CUBIC_WELL: lambda: _rule(well="cubic"),
    features.TABLE_WELL: lambda: _rule(well="table", well_table=WellTable((0.0, 1.0), (0.1, -0.1))),
    features.NOISE: lambda: _rule(sigma=1.0),
    features.GRADED: lambda: _rule(rates=RateTable((0.0, 1.0), (0.0, 1.0), (0.5, 0.0))),
    features.FILTER: lambda: _rule(filter=PhosphataseFilter(1.0, (0.0, 1.0), (0.0, 1.0), (1.0, 1.0))),
    features.LEAKY: _network,
    features.ADAPTIVE: _adaptive,
    features.POISSON: lambda: _with_source(PoissonSource(5.0)),
    features.REPLAYED: lambda: _with_source(ReplayedSource(np.array([1.0, 2.0]), np.array([0, 1]))),
    features.SHORT_TERM: lambda: _changed(short_term=ShortTerm()),
    features.TIMING: lambda: _changed(timing=SpikeTiming()),
    features.PUMP: lambda: dataclasses.replace(_network(), calcium=SaturatingPump(1.0)),
    features.RISE: lambda: dataclasses.replace(_network(), calcium=SlowRise(0.003)),
    features.SLIDING: lambda: _network(mechanisms=[SlidingThreshold()]),
    features.SLOW: _slow,
    features.LATE: lambda: _network(mechanisms=[TagAndCapture()]),
}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
