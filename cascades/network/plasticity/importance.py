"""Importance-scaled learning: synapses that carried much learning change less.

After Zenke, Poole & Ganguli (2017) Proc. ICML 70:3987 (synaptic intelligence), with the path length of the
efficacy, which a synapse can know, in place of the gradient of a loss, which it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism, efficacy_of_all, parts

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View


@dataclass(frozen=True)
class ImportanceScaling(Mechanism):
    """A change d of an interval becomes d / (1 + strength * importance).

    The importance of a synapse is how far its efficacy went during the tasks that are over; `ends` [ms] says
    when they ended.  With `strength` 0 nothing is protected.
    """

    strength: float = 10.0
    ends: Sequence[float] = ()

    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not self.strength >= 0.0:
            raise NetworkError("ImportanceScaling", "strength must not be negative")

    def start(self, view: View) -> dict[str, np.ndarray]:
        before = efficacy_of_all(view)
        return {"before": before, "begun": before.copy(), "importance": np.zeros_like(before)}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        is_over = any(view.time - self.interval < end <= view.time for end in self.ends)
        for p, part in parts(view):
            before, begun, importance = (memory[n][part] for n in ("before", "begun", "importance"))
            before += (p.efficacy - before) / (1.0 + self.strength * importance)
            p.efficacy[:] = before
            if is_over:
                importance += np.abs(before - begun)
                begun[:] = before
