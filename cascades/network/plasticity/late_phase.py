"""The derived late phase in a network: a tag and a late weight per synapse, a signal and proteins per neuron.

The numbers are those of `cascades.reduction.LatePhase`, reduced from a biochemical model.  An episode is the
early rule's own potentiation: the efficacy that a synapse gained since the last visit.
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
    from cascades.reduction.late import LatePhase


@dataclass(frozen=True)
class DerivedLatePhase(Mechanism):
    """Transmitted is the rule's efficacy plus `share` times the late weight in parts of its limit.

    Parameters
    ----------
    late : LatePhase
    quorum : float
        Efficacy that a neuron's synapses gain in all when its signal is as strong as in the reduced model,
        where one synapse stands for all of those that are stimulated together.
    share : float
        Efficacy of a late weight at its limit.
    protein_block : times [(start, end), ...] [ms] without synthesis
    """

    late: LatePhase | None = None
    quorum: float = 1.0
    share: float = 1.0
    protein_block: tuple[tuple[float, float], ...] = ()

    expresses = True
    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if self.late is None:
            raise NetworkError(
                "DerivedLatePhase", "it needs a late phase: see cascades.reduction.derive_late_phase"
            )
        if not (self.quorum > 0.0 and self.share >= 0.0):
            raise NetworkError("DerivedLatePhase", "quorum must be positive and share not negative")

    def start(self, view: View) -> dict[str, np.ndarray]:
        early = efficacy_of_all(view)
        for p, _ in parts(view):
            p.expressed[:] = p.efficacy
        neurons = view.network.size
        return {
            "early": early.astype(float), "tag": np.zeros(early.size), "late": np.zeros(early.size),
            "signal": np.zeros(neurons), "protein": np.zeros(neurons),
        }  # fmt: skip

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        late, h = self.late, self.interval / 1000.0  # [s]
        if late is None:
            return
        signal, protein = memory["signal"], memory["protein"]
        blocked = any(start <= view.time < end for start, end in self.protein_block)
        source = 0.0 if blocked else signal**late.cooperativity
        kept = np.exp(-h / late.tau_protein)
        before = protein.copy()
        protein[:] = source + (protein - source) * kept
        signal *= np.exp(-h / late.tau_signal)
        gained = np.zeros(view.network.size)
        for p, part in parts(view):
            tag, slow, early = memory["tag"][part], memory["late"][part], memory["early"][part]
            made = 0.5 * (before + protein)[p.target]
            slow += (late.limit - slow) * -np.expm1(-late.capture * tag**late.sites * made * h / late.limit)
            tag *= np.exp(-h / late.tau_tag)
            episode = np.clip(p.efficacy - early, 0.0, 1.0)
            tag += late.tag_gain * episode * (1.0 - tag)
            gained += np.bincount(p.target, episode, gained.size)
            early[:] = p.efficacy
            p.expressed[:] = p.efficacy + self.share * slow / late.limit
        signal += late.signal_gain * np.minimum(gained / self.quorum, 1.0) * (1.0 - signal)
