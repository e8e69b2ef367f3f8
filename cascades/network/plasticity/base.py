"""What a slow mechanism is: it looks at the whole network now and then, and changes what it governs.

Between its visits the compiled loop runs undisturbed.  A mechanism is a frozen description; what it remembers
stands in named arrays that a checkpoint saves with everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cascades.errors import NetworkError

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View


@dataclass(frozen=True)
class Mechanism:
    """`interval` [ms] between visits.  A mechanism overrides `start` and `apply`, and says what it needs."""

    interval: float = 1000.0

    # what the compiled loop has to read for it
    scales: ClassVar[bool] = False  # a factor per postsynaptic neuron on its plastic synapses
    expresses: ClassVar[bool] = False  # a transmitted efficacy per synapse beside that of the rule
    slides: ClassVar[bool] = False  # thresholds and rates per postsynaptic neuron
    rebuilds: ClassVar[bool] = False  # memory that follows from the network is made anew, not saved

    def start(self, view: View) -> dict[str, np.ndarray]:
        """The arrays that the mechanism remembers, at the start of a run."""
        return {}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        """One visit; changes `view` and `memory` in place."""

    def check(self, network: Network) -> None:
        """Raises NetworkError if the network has no place for it."""
        if not self.interval >= network.dt:
            raise NetworkError(type(self).__name__, f"interval must be at least dt (got {self.interval!r} ms)")
        if not any(s.plastic for s in network.synapses):
            raise NetworkError(type(self).__name__, "the network has no plastic synapses")
        if self.slides and network.rule is None:
            raise NetworkError(type(self).__name__, "it slides the thresholds of a rule; the network has none")
        if self.slides and network.rule is not None and network.rule.rates is not None:
            raise NetworkError(type(self).__name__, "it slides step thresholds; the rule's rates are graded")

    def describe(self) -> dict[str, Any]:
        """Name and numbers, for reports and files."""
        return {"mechanism": type(self).__name__, **{k: getattr(self, k) for k in self.__dataclass_fields__}}
