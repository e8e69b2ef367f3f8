"""The cascade synapse: two strengths, each with a cascade of ever stiffer states.

Fusi, Drew & Abbott (2005) Neuron 45:599, Figure 1 and equations for q and p with x = 1/2: forgetting follows
a power of time, where a synapse of depth 1 forgets exponentially.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism, parts

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View

NEUTRAL = 0.5


@dataclass(frozen=True)
class CascadeSynapse(Mechanism):
    """What the rule proposes in an interval is a chance of a candidate event; the cascade decides.

    The rule starts every interval from 1/2; where it ends, 2 |rho - 1/2| is the probability of a
    potentiating or depressing event.  The transmitted efficacy is 0 or 1.  Use a rule without a well.

    Parameters
    ----------
    depth : int
        States of each strength; 1 is a plain two-state synapse.
    x : float
        Ratio of the transition probabilities of successive states.
    """

    depth: int = 5
    x: float = 0.5

    expresses = True
    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if self.depth < 1 or not 0.0 < self.x <= 0.5:
            raise NetworkError("CascadeSynapse", "depth must be at least 1 and x in (0, 1/2]")

    def chances(self) -> tuple[np.ndarray, np.ndarray]:
        """(to flip the strength, to go one state deeper) from each state; shape (depth,)."""
        k = np.arange(self.depth)
        flip, deeper = self.x**k, self.x ** (k + 1) / (1.0 - self.x)
        if self.depth > 1:
            flip[-1] /= 1.0 - self.x
        deeper[-1] = 0.0
        return flip, deeper

    def start(self, view: View) -> dict[str, np.ndarray]:
        rng = view.random(0)
        states = []
        for p, _ in parts(view):
            p.expressed[:] = rng.random(p.expressed.size) < p.efficacy
            p.efficacy[:] = NEUTRAL
            states.append(rng.integers(0, self.depth, p.expressed.size).astype(np.int8))
        return {"state": np.concatenate(states)}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rng = view.random(0)
        for p, part in parts(view):
            lean = 2.0 * (p.efficacy - NEUTRAL)
            event = np.sign(lean) * (rng.random(lean.size) < np.abs(lean))
            self.transitions(event, p.expressed, memory["state"][part], rng)
            p.efficacy[:] = NEUTRAL

    def transitions(
        self, event: np.ndarray, strength: np.ndarray, state: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Apply events (+1, 0, -1) to strengths (0 or 1) and states (0 the most plastic), in place."""
        flip, deeper = self.chances()
        draw = rng.random(event.size)
        against = (event > 0) & (strength < 0.5) | (event < 0) & (strength > 0.5)
        along = (event != 0) & ~against
        flips, deepens = against & (draw < flip[state]), along & (draw < deeper[state])
        strength[flips] = 1.0 - strength[flips]
        state[flips] = 0
        state[deepens] += 1
