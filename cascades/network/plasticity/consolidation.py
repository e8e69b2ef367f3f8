"""Synaptic tagging and capture: early changes become late ones where proteins are at hand.

Luboeinski & Tetzlaff (2021) Commun. Biol. 4:275: h is the early phase, the rule's efficacy; a synapse is
tagged while |h - h0| exceeds a threshold; a neuron makes proteins p while the sum of its early changes
exceeds another; then z' = p [(z_max - z) if tagged up, - (z - z_min) if tagged down] / tau_z, and h + h0 z
is transmitted.
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

H0_MV, UNIT_MV = 4.20075, 10.0  # baseline, and the efficacy 1, of the published model


@dataclass(frozen=True)
class TagAndCapture(Mechanism):
    """Published values, efficacies in units of 10 mV; times in ms.

    `protein_block` [(start, end), ...] are times without synthesis, as under anisomycin.
    """

    baseline: float = H0_MV / UNIT_MV
    tag_threshold: float = 0.840149 / UNIT_MV
    protein_threshold: float = 2.10037 / UNIT_MV
    tau_protein: float = 3_600_000.0
    tau_late: float = 3_600_000.0
    z_max: float = 1.0
    z_min: float = -0.5
    protein_block: tuple[tuple[float, float], ...] = ()

    expresses = True
    per_synapse = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not (self.tau_protein > 0.0 and self.tau_late > 0.0 and self.z_min < self.z_max):
            raise NetworkError("TagAndCapture", "times must be positive and z_min below z_max")

    def start(self, view: View) -> dict[str, np.ndarray]:
        early = efficacy_of_all(view)
        for p, _ in parts(view):
            p.expressed[:] = p.efficacy
        return {"late": np.zeros(early.size), "protein": np.zeros(view.network.size)}

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        protein = memory["protein"]
        early = np.zeros(view.network.size)
        for p, _ in parts(view):
            early += np.bincount(p.target, p.efficacy - self.baseline, early.size)
        blocked = any(start <= view.time < end for start, end in self.protein_block)
        goal = 0.0 if blocked else (np.abs(early) > self.protein_threshold).astype(float)
        kept = np.exp(-self.interval / self.tau_protein)
        # the integral of p over the interval, while its goal stands still
        spent = goal * self.interval + (protein - goal) * self.tau_protein * (1.0 - kept)
        protein[:] = goal + (protein - goal) * kept
        part_of_way = -np.expm1(-spent / self.tau_late)
        for p, part in parts(view):
            late, change, way = memory["late"][part], p.efficacy - self.baseline, part_of_way[p.target]
            up, down = change > self.tag_threshold, change < -self.tag_threshold
            late += way * np.where(up, self.z_max - late, np.where(down, self.z_min - late, 0.0))
            p.expressed[:] = p.efficacy + self.baseline * late
