"""What a slow mechanism sees of a running network, and may change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascades.network.constants import NeuronSteps
from cascades.network.passes import settle

if TYPE_CHECKING:
    from cascades.network.build import Built
    from cascades.reduction.rule import CalciumRule

MECHANISMS = 9  # the stream of random numbers of mechanisms


class View:
    """The network at one moment.  Arrays are the running ones: writing into them changes the network."""

    def __init__(self, built: Built, spike_counts: np.ndarray):
        self._built = built
        self.spike_counts = spike_counts  # int64, shape (neurons,): since the run began
        self.network = built.network

    @property
    def time(self) -> float:
        """[ms]"""
        return (self._built.tick - 1) * self.network.dt

    def settle(self) -> None:
        """Bring every plastic synapse to the present tick."""
        now = np.int32(self._built.tick - 1 - self._built.base)
        for p in self._built.plastic:
            if p.source >= 0:
                settle(self._built.rule, p.records, now)

    @cached_property
    def plastic(self) -> tuple[PlasticView, ...]:
        """One per description of plastic synapses, in their order."""
        return tuple(PlasticView(self._built, k) for k in range(len(self._built.plastic_of)))

    @property
    def scale(self) -> np.ndarray:
        """float32, shape (neurons,): factor on the plastic synapses of each neuron."""
        if self._built.scale is None:
            raise AttributeError("no mechanism of this network said that it scales")
        return self._built.scale

    @property
    def threshold(self) -> np.ndarray:
        """float32, shape (neurons,): thresholds [mV]."""
        return self._built.cells.threshold

    @property
    def increment(self) -> np.ndarray:
        """float32, shape (neurons,): adaptation current at a spike [pA]."""
        return self._built.cells.increment

    @property
    def zones(self) -> np.ndarray:
        """float32, shape (neurons, 8): the rule of each postsynaptic neuron, as `constants.zones` orders it."""
        drift = self._built.rule.drift
        if not isinstance(drift, NeuronSteps):
            raise AttributeError("no mechanism of this network said that it slides thresholds")
        return drift.zones.reshape(-1, 8)[: self.network.size]

    @property
    def rule(self) -> CalciumRule:
        if self.network.rule is None:
            raise AttributeError("this network has no rule")
        return self.network.rule

    def targets(self) -> np.ndarray:
        """bool, shape (neurons,): neurons that receive plastic synapses."""
        out = np.zeros(self.network.size, dtype=bool)
        for s in self._built.plastic_of:
            first = self.network.first(s.target)
            out[first : first + self.network.population(s.target).size] = True
        return out

    def random(self, stream: int) -> np.random.Generator:
        """Random numbers that depend on seed, moment and stream alone."""
        return np.random.default_rng([self._built.seed, MECHANISMS, self._built.tick, stream])


class PlasticView:
    """Plastic synapses between two populations, by presynaptic, then postsynaptic neuron."""

    def __init__(self, built: Built, number: int):
        self._arrays = built.plastic[number]
        self.synapses = built.plastic_of[number]
        self.name = self.synapses.name

    @property
    def efficacy(self) -> np.ndarray:
        """float32, shape (synapses,), strided: the efficacy of the rule."""
        return self._arrays.records.reshape(-1, 4)[:, 1]

    @property
    def ln_calcium(self) -> np.ndarray:
        """float32, shape (synapses,), strided."""
        return self._arrays.records.reshape(-1, 4)[:, 0]

    @property
    def target(self) -> np.ndarray:
        """int32, shape (synapses,), strided: postsynaptic neurons, counted through."""
        return self._arrays.records.view(np.int32).reshape(-1, 4)[:, 3]

    @property
    def source(self) -> np.ndarray:
        """int32, shape (synapses,): presynaptic neurons, counted through; made anew at each call."""
        lengths = self._arrays.split[-1] - self._arrays.split[0]
        return np.repeat(np.arange(lengths.size, dtype=np.int32), lengths) + np.int32(self._arrays.source_first)

    @property
    def expressed(self) -> np.ndarray:
        """float32, shape (synapses,): the transmitted efficacy, where a mechanism expresses one."""
        if self._arrays.expressed is None:
            raise AttributeError("no mechanism of this network said that it expresses efficacies")
        return self._arrays.expressed
