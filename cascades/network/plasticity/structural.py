"""Structural plasticity: weak synapses disappear, new ones form.

Turnover of spines in adult cortex is 5 to 10 % per month (Grutzendler, Kasthuri & Gan 2002 Nature 420:812;
Holtmaat et al. 2005 Neuron 45:279), and weak, small spines go first (Yasumatsu et al. 2008 J. Neurosci.
28:13592).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View

MONTH = 30.0 * 24.0 * 3_600_000.0  # [ms]


@dataclass(frozen=True)
class SpineTurnover(Mechanism):
    """Each synapse is lost at a rate that falls with its efficacy; the neuron forms a new one elsewhere.

    Parameters
    ----------
    per_month : float
        Fraction lost per month on average over all synapses.
    steepness : float
        The rate is proportional to exp(-steepness * efficacy).
    new_efficacy : float
        Of a synapse that has just formed.
    """

    interval: float = 60_000.0
    per_month: float = 0.075
    steepness: float = 3.0
    new_efficacy: float = 0.1

    rewires = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not (self.per_month >= 0.0 and self.steepness >= 0.0 and 0.0 <= self.new_efficacy <= 1.0):
            raise NetworkError(
                "SpineTurnover", "per_month and steepness must not be negative, new_efficacy in [0, 1]"
            )
        if any(m.per_synapse for m in network.mechanisms):
            raise NetworkError(
                "SpineTurnover", "does not combine with mechanisms that remember single synapses"
            )

    def start(self, view: View) -> dict[str, np.ndarray]:
        return {"lost": np.zeros(1, np.int64)}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rng = view.random(1)
        for p in view.plastic:
            weakness = np.exp(-self.steepness * p.efficacy.astype(float))
            chance = -np.expm1(
                -self.per_month * self.interval / MONTH * weakness / max(weakness.mean(), 1e-300)
            )
            lost = np.flatnonzero(rng.random(chance.size) < chance)
            if lost.size:
                source = view.network.population(p.synapses.source)
                first = view.network.first(source.name)
                chosen = rng.integers(0, source.size, lost.size) + first
                # a neuron does not contact itself
                chosen = np.where(
                    chosen == p.target[lost], first + (chosen - first + 1) % source.size, chosen
                )
                p.rewire(lost, chosen.astype(np.int32), self.new_efficacy)
                memory["lost"] += lost.size
