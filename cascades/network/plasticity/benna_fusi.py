"""The bidirectional cascade: the efficacy is the level of the first of a chain of ever larger, ever slower
vessels.

Benna & Fusi (2016) Nat. Neurosci. 19:1697, equation 1: C_k u_k' = g_(k-1) (u_(k-1) - u_k) - g_k (u_k -
u_(k+1)), C_k = 2^(k-1), g_k proportional to 2^-k: memories fade as one over the square root of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.base import Mechanism, efficacy_of_all, parts

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View


@dataclass(frozen=True)
class BennaFusi(Mechanism):
    """`vessels` in a chain; the first, which the rule changes, exchanges with the second within `tau` [ms].

    All start at the efficacy.  Use a rule without a well.
    """

    vessels: int = 6
    tau: float = 10_000.0

    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if self.vessels < 2 or not self.tau > 0.0:
            raise NetworkError("BennaFusi", "at least two vessels and a positive tau are needed")

    def exchange(self) -> np.ndarray:
        """What one interval does to the levels: shape (vessels, vessels); the total contents are kept."""
        from scipy.linalg import expm

        m = self.vessels
        volume = 2.0 ** np.arange(m)
        tube = 2.0 ** -np.arange(m - 1) / self.tau
        rates = np.zeros((m, m))
        for k, g in enumerate(tube):
            for here, there in ((k, k + 1), (k + 1, k)):
                rates[here, there] += g / volume[here]
                rates[here, here] -= g / volume[here]
        found: np.ndarray = expm(rates * self.interval)
        return found

    def start(self, view: View) -> dict[str, np.ndarray]:
        return {"levels": np.tile(efficacy_of_all(view), (self.vessels - 1, 1))}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        exchange = self.exchange().astype(np.float32)
        for p, part in parts(view):
            levels = exchange @ np.vstack([p.efficacy, memory["levels"][:, part]])
            p.efficacy[:] = np.clip(levels[0], 0.0, 1.0)
            memory["levels"][:, part] = levels[1:]
