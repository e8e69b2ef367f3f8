"""Neuromodulated three-factor plasticity with eligibility traces.

Izhikevich (2007) Cereb. Cortex 17:2443; Fremaux & Gerstner (2016) Front. Neural Circuits 9:85: what the rule
proposes becomes a trace e, and only a neuromodulator m turns the trace into a change, w' = m e / tau.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism, expressed_of_all, parts

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View


@dataclass(frozen=True)
class NeuromodulatedGate(Mechanism):
    """Eligibility decays with `tau` [ms]; the neuromodulator is `tone` plus pulses.

    Parameters
    ----------
    tone : float
        Between pulses; 1 with a pulse of 0 lets the rule through at the rate of its traces.
    pulses : sequence of (start [ms], end [ms], level)
        Where the level is added to the tone.
    """

    interval: float = 100.0
    tau: float = 1000.0
    tone: float = 0.0
    pulses: Sequence[tuple[float, float, float]] = ()

    expresses = True
    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not self.tau > 0.0 or any(not start < end for start, end, _ in self.pulses):
            raise NetworkError(
                "NeuromodulatedGate", "tau must be positive, and pulses must end after they start"
            )

    def level(self, time: float) -> float:
        """The neuromodulator at `time` [ms]."""
        return self.tone + sum(size for start, end, size in self.pulses if start <= time < end)

    def start(self, view: View) -> dict[str, np.ndarray]:
        before = expressed_of_all(view)
        return {"eligibility": np.zeros_like(before), "before": before}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        decay = np.float32(np.exp(-self.interval / self.tau))
        level = np.float32(self.level(view.time - self.interval / 2.0))
        for p, part in parts(view):
            e, before = memory["eligibility"][part], memory["before"][part]
            # during the interval the trace falls from e to e decay, and w gains level times what it lost
            p.expressed[:] = np.clip(p.expressed + level * (np.float32(1.0) - decay) * e, 0.0, 1.0)
            e *= decay
            e += p.efficacy - before
            before[:] = p.efficacy[:] = p.expressed
