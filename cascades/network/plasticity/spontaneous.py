"""Spontaneous switching: single molecules flip a synapse that nobody stimulates.

Mean residence times at rest come from the molecules of a model (`cascades.reduction.derive_noise`); a switch
that is left to its noise leaves a state at a constant rate (Miller et al. 2005 PLoS Biol 3:e107).
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


@dataclass(frozen=True)
class SpontaneousSwitching(Mechanism):
    """A synapse below rho_star goes UP, and one above it DOWN, after an exponential time.

    `mean_down`, `mean_up` : mean times [ms] in the states; infinite for a state that is never left.
    """

    mean_down: float = np.inf
    mean_up: float = np.inf

    def check(self, network: Network) -> None:
        super().check(network)
        if not (self.mean_down > 0.0 and self.mean_up > 0.0):
            raise NetworkError("SpontaneousSwitching", "mean times must be positive")
        if network.rule is None:
            raise NetworkError("SpontaneousSwitching", "there is no rule whose states it could switch")

    def start(self, view: View) -> dict[str, np.ndarray]:
        return {"switched": np.zeros(2, np.int64)}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rng = view.random(2)
        rates = 1.0 / self.mean_down, 1.0 / self.mean_up
        whole = sum(rates)
        if whole == 0.0:
            return
        # both directions are open within a visit: the two-state chain is solved exactly
        moved = -np.expm1(-whole * self.interval) / whole
        for p in view.plastic:
            is_up = p.efficacy > view.rule.rho_star
            flips = rng.random(is_up.size) < np.where(is_up, rates[1], rates[0]) * moved
            memory["switched"] += [np.sum(flips & ~is_up), np.sum(flips & is_up)]
            p.efficacy[flips] = np.where(is_up[flips], 0.0, 1.0)
