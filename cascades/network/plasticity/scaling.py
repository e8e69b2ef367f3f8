"""Multiplicative synaptic scaling towards a target rate.

Turrigiano et al. (1998) Nature 391:892; here in the form of van Rossum, Bi & Turrigiano (2000) J. Neurosci.
20:8812: all plastic inputs of a neuron share a factor s with s' = s (target - rate) / (target tau).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism, running_rate, start_rate

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View


@dataclass(frozen=True)
class SynapticScaling(Mechanism):
    """`target` rate [Hz], time `tau` of scaling and `tau_rate` of the rate's average [ms], bounds of the
    factor."""

    target: float = 5.0
    tau: float = 60_000.0
    tau_rate: float = 5_000.0
    lowest: float = 0.05
    highest: float = 20.0

    scales = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not (self.target > 0.0 and self.tau > 0.0 and self.tau_rate > 0.0):
            raise NetworkError("SynapticScaling", "target, tau and tau_rate must be positive")

    def start(self, view: View) -> dict[str, np.ndarray]:
        return start_rate(view, self.target)

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rate = running_rate(view, memory, self.interval, self.tau_rate)
        growth = np.exp((self.target - rate) / self.target * (self.interval / self.tau))
        scaled = np.where(view.targets(), view.scale * growth, 1.0)
        view.scale[:] = np.clip(scaled, self.lowest, self.highest)
