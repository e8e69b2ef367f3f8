"""What a slow mechanism sees of a running network, and may change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascades.network.arrays import FIRST, INCREMENT, SIZE, THRESHOLD
from cascades.network.build import relink
from cascades.network.constants import NeuronSteps
from cascades.network.passes import settle
from cascades.network.wiring import ABSENT

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
        settle(self._built.rule, self._built.plastic.records, now)

    @cached_property
    def plastic(self) -> tuple[PlasticView, ...]:
        """One per description of plastic synapses, in their order."""
        return tuple(PlasticView(self._built, k) for k in range(len(self._built.plastic_of)))

    @property
    def scale(self) -> np.ndarray:
        """float32, shape (neurons,): factor on the plastic synapses of each neuron."""
        scale: np.ndarray | None = self._built.plastic.scale
        if scale is None:
            raise AttributeError("no mechanism of this network said that it scales")
        return scale

    @property
    def threshold(self) -> np.ndarray:
        """float32, shape (neurons,): thresholds [mV]."""
        return self._built.cells.state[THRESHOLD, : self.network.size]

    @property
    def increment(self) -> np.ndarray:
        """float32, shape (neurons,): adaptation current at a spike [pA]."""
        return self._built.cells.state[INCREMENT, : self.network.size]

    @property
    def zones(self) -> np.ndarray:
        """float32, shape (neurons, 8): the rule of each postsynaptic neuron, as `constants.zones` orders
        it."""
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
        p = built.plastic
        self._built, self._number = built, number
        self._part = slice(int(p.first[number]), int(p.first[number + 1]))
        self.synapses = built.plastic_of[number]
        self.name = self.synapses.name

    @property
    def _records(self) -> np.ndarray:
        return self._built.plastic.records.reshape(-1, 4)[self._part]

    @property
    def efficacy(self) -> np.ndarray:
        """float32, shape (synapses,), strided: the efficacy of the rule."""
        return self._records[:, 1]

    @property
    def ln_calcium(self) -> np.ndarray:
        """float32, shape (synapses,), strided."""
        return self._records[:, 0]

    @property
    def target(self) -> np.ndarray:
        """int32, shape (synapses,), strided: postsynaptic neurons, counted through."""
        return self._records.view(np.int32)[:, 3]

    @property
    def source(self) -> np.ndarray:
        """int32, shape (synapses,): presynaptic neurons, counted through; made anew at each call."""
        p, k = self._built.plastic, self._number
        group = int(p.source[k])
        size = int(self._built.groups.numbers[group, SIZE])
        rows = slice(int(p.rows[k]), int(p.rows[k]) + size)
        lengths = p.split[rows, -1] - p.split[rows, 0]
        first = np.int32(self._built.groups.numbers[group, FIRST])
        return np.repeat(np.arange(size, dtype=np.int32), lengths) + first

    @property
    def expressed(self) -> np.ndarray:
        """float32, shape (synapses,): the transmitted efficacy, where a mechanism expresses one."""
        expressed: np.ndarray | None = self._built.plastic.expressed
        if expressed is None:
            raise AttributeError("no mechanism of this network said that it expresses efficacies")
        return expressed[self._part]

    def rewire(self, which: np.ndarray, sources: np.ndarray, efficacy: float) -> None:
        """Replace the synapses `which` by new ones onto the same neurons, from `sources` (counted
        through)."""
        b = self._built
        senders = self.source
        senders[which] = sources
        records = self._records
        records[which, 0], records[which, 1] = ABSENT, efficacy
        records.view(np.int32)[which, 2] = b.tick - 1 - b.base
        order = np.lexsort((self.target, senders))
        records[:] = records[order]
        relink(b, self._number, senders[order])
