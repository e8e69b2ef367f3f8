"""What a slow mechanism is: it looks at the whole network now and then, and changes what it governs.

Between its visits the compiled loop runs undisturbed.  A mechanism is a frozen description; what it remembers
stands in named arrays that a checkpoint saves with everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cascades.errors import NetworkError

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import PlasticView, View


@dataclass(frozen=True)
class Mechanism:
    """`interval` [ms] between visits.  A mechanism overrides `start` and `apply`, and says what it needs."""

    interval: float = 1000.0

    # what the compiled loop has to read for it
    scales: ClassVar[bool] = False  # a factor per postsynaptic neuron on its plastic synapses
    expresses: ClassVar[bool] = False  # a transmitted efficacy per synapse beside that of the rule
    slides: ClassVar[bool] = False  # thresholds and rates per postsynaptic neuron
    per_synapse: ClassVar[bool] = False  # it remembers single synapses
    rewires: ClassVar[bool] = False  # it changes who is connected

    def start(self, view: View) -> dict[str, np.ndarray]:
        """The arrays that the mechanism remembers, at the start of a run."""
        return {}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        """One visit; changes `view` and `memory` in place."""

    def check(self, network: Network) -> None:
        """Raises NetworkError if the network has no place for it."""
        if not self.interval >= network.dt:
            raise NetworkError(
                type(self).__name__, f"interval must be at least dt (got {self.interval!r} ms)"
            )
        if not any(s.plastic for s in network.synapses):
            raise NetworkError(type(self).__name__, "the network has no plastic synapses")
        if self.slides and network.rule is None:
            raise NetworkError(
                type(self).__name__, "it slides the thresholds of a rule; the network has none"
            )
        if self.slides and network.rule is not None and network.rule.rates is not None:
            raise NetworkError(type(self).__name__, "it slides step thresholds; the rule's rates are graded")

    def describe(self) -> dict[str, Any]:
        """Name and numbers, for reports and files."""
        return {"mechanism": type(self).__name__, **{k: getattr(self, k) for k in self.__dataclass_fields__}}


def start_rate(view: View, rate: float) -> dict[str, np.ndarray]:
    """Memory of `running_rate`, as if every neuron had had `rate` [Hz]."""
    return {"rate": np.full(view.network.size, rate), "counted": view.spike_counts.copy()}


def running_rate(view: View, memory: dict[str, np.ndarray], interval: float, tau: float) -> np.ndarray:
    """Each neuron's rate [Hz] averaged with time `tau` [ms], brought up to the present visit; shape
    (neurons,)."""
    fresh = (view.spike_counts - memory["counted"]) / interval * 1000.0
    memory["counted"][:] = view.spike_counts
    memory["rate"] += (fresh - memory["rate"]) * -np.expm1(-interval / tau)
    return memory["rate"]


def parts(view: View) -> Iterator[tuple[PlasticView, slice]]:
    """The plastic synapses, and where each description's stand in an array over all of them."""
    first = 0
    for p in view.plastic:
        yield p, slice(first, first + p.efficacy.size)
        first += p.efficacy.size


def efficacy_of_all(view: View) -> np.ndarray:
    """A copy of the rule's efficacies of all plastic synapses; float32."""
    return np.concatenate([p.efficacy for p in view.plastic])


def expressed_of_all(view: View) -> np.ndarray:
    """A copy of the transmitted efficacies of all plastic synapses; float32."""
    return np.concatenate([p.expressed for p in view.plastic])
