"""Synapses between two populations: who is connected, how strongly, how late, and whether they learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.errors import NetworkError
from cascades.network.plasticity.short_term import ShortTerm
from cascades.network.plasticity.stdp import SpikeTiming


@dataclass(frozen=True)
class FixedInDegree:
    """Every target neuron gets `count` synapses from random sources (never from itself)."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise NetworkError("fixed in-degree", f"count must not be negative (got {self.count})")


@dataclass(frozen=True, eq=False)
class Pairs:
    """One synapse per pair of `sources` and `targets` (indices in their populations)."""

    sources: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        for name in ("sources", "targets"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64).ravel())
        if self.sources.size != self.targets.size:
            raise NetworkError("pairs", "as many sources as targets are needed")


@dataclass(frozen=True)
class AllToAll:
    """Every source to every target (never to itself)."""


Connectivity = FixedInDegree | Pairs | AllToAll


@dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses from the population `source` to the population `target`.

    Parameters
    ----------
    connect : FixedInDegree, Pairs or AllToAll
    weight : float
        What one spike adds to the target's input [mV for leaky integrate-and-fire neurons, nS for neurons
        with conductances]; of a plastic synapse, at efficacy 1.
    delay : float
        From a presynaptic spike to its arrival [ms].  The calcium delay is part of the rule.
    receptor : "exc" or "inh"
    plastic : bool
        Whether the network's rule (and `timing`) changes the efficacy.
    efficacy : float, tuple of two or array
        At the start: one number, random between two, or one per synapse in the order of `connect`; in [0, 1].
    short_term : ShortTerm, if the release of one axon facilitates and depresses
    timing : SpikeTiming, if pairs or triplets of spikes change the efficacy beside the rule
    """

    source: str
    target: str
    connect: Connectivity
    weight: float
    delay: float = 1.5
    receptor: str = "exc"
    plastic: bool = False
    efficacy: Any = (0.0, 1.0)
    short_term: ShortTerm | None = None
    timing: SpikeTiming | None = None

    @property
    def name(self) -> str:
        return f"{self.source} -> {self.target}"

    def __post_init__(self) -> None:
        part = f"synapses {self.name}"
        if not np.isfinite(self.weight) or self.weight < 0.0:
            raise NetworkError(part, f"weight must not be negative; say receptor='inh' (got {self.weight!r})")
        if not self.delay >= 0.0:
            raise NetworkError(part, f"delay must not be negative (got {self.delay!r} ms)")
        if self.receptor not in ("exc", "inh"):
            raise NetworkError(part, f"receptor must be 'exc' or 'inh' (got {self.receptor!r})")
        if self.timing is not None and not self.plastic:
            raise NetworkError(part, "timing changes the efficacy of plastic synapses only; say plastic=True")
        efficacy = np.asarray(self.efficacy, dtype=float)
        if isinstance(self.efficacy, tuple) and efficacy.shape != (2,):
            raise NetworkError(
                part, "a range of efficacies is two numbers; give an array for one per synapse"
            )
        if not (np.isfinite(efficacy).all() and efficacy.min() >= 0.0 and efficacy.max() <= 1.0):
            wrong = efficacy.ravel()[~((efficacy >= 0.0) & (efficacy <= 1.0)).ravel()][0]
            raise NetworkError(part, f"efficacy must lie in [0, 1] (got {wrong:g})")

    def count(self, source_size: int, target_size: int) -> int:
        """How many synapses there are, between populations of these sizes."""
        if isinstance(self.connect, FixedInDegree):
            return self.connect.count * target_size
        if isinstance(self.connect, Pairs):
            return self.connect.sources.size
        return source_size * target_size - (target_size if self.source == self.target else 0)
