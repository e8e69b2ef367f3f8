"""Heterosynaptic competition: the synapses of a neuron share a pool of slots.

After Triesch, Vo & Hafner (2018) eLife 7:e37836: what some synapses gain, the others lose, in proportion to
what they hold; here the relaxation of the sum of efficacies of a neuron towards its pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.network.plasticity.base import Mechanism

if TYPE_CHECKING:
    from cascades.network.view import View


@dataclass(frozen=True)
class SlotPool(Mechanism):
    """The mean efficacy of each neuron's plastic synapses relaxes to `mean` with time `tau` [ms]; None: to
    its start."""

    mean: float | None = None
    tau: float = 10_000.0

    def start(self, view: View) -> dict[str, np.ndarray]:
        total, count = self._sums(view)
        if self.mean is not None:
            total = self.mean * count
        return {"pool": total, "count": count}

    def _sums(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        n = view.network.size
        total, count = np.zeros(n), np.zeros(n)
        for p in view.plastic:
            total += np.bincount(p.target, p.efficacy, n)
            count += np.bincount(p.target, minlength=n)
        return total, count

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        total, _ = self._sums(view)
        part = -np.expm1(-self.interval / self.tau)
        ratio = np.divide(memory["pool"], total, out=np.ones_like(total), where=total > 0.0)
        factor = (1.0 + part * (ratio - 1.0)).astype(np.float32)
        for p in view.plastic:
            p.efficacy[:] = np.minimum(p.efficacy * factor[p.target], 1.0)
