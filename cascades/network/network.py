"""The frozen description of a network, and an example of one."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from cascades.errors import NetworkError, UnknownName
from cascades.network.calcium import CalciumShape, SlowRise, check_shape
from cascades.network.neuron import LeakyIntegrateAndFire, Population
from cascades.network.plasticity.base import Mechanism
from cascades.network.synapse import FixedInDegree, Pairs, Synapses
from cascades.reduction.rule import CalciumRule

RECORD_BYTES = 20  # a plastic synapse: its record and its place in a column
BUILD_BYTES = 24  # what wiring needs for a while, per synapse
STATIC_BYTES = 4
OPTION_BYTES = 4  # a column's source (timing), an expressed efficacy, a second amplitude of calcium


@dataclass(frozen=True, eq=False)
class Network:
    """Populations, the synapses between them, and the rule by which plastic ones learn.

    Parameters
    ----------
    neurons : sequence of Population
    synapses : sequence of Synapses
    rule : CalciumRule, optional
        Of every plastic synapse; derived or published.  None: only spike timing and mechanisms act.
    mechanisms : sequence of Mechanism
        Slow plasticity beside the rule (`cascades.network.plasticity`), applied in this order.
    dt : float
        Grid of spike times [ms].
    calcium : SaturatingPump or SlowRise, optional
        Where the rule's calcium does not jump and decay exponentially.

    Raises
    ------
    NetworkError, UnknownName
        Whatever cannot be run, before anything is allocated.
    """

    neurons: Sequence[Population]
    synapses: Sequence[Synapses] = ()
    rule: CalciumRule | None = None
    mechanisms: Sequence[Mechanism] = ()
    dt: float = 0.1
    calcium: CalciumShape | None = None

    def __post_init__(self) -> None:
        for name in ("neurons", "synapses", "mechanisms"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.dt > 0.0:
            raise NetworkError("network", f"dt must be positive (got {self.dt!r} ms)")
        if not self.neurons:
            raise NetworkError("network", "at least one population is needed")
        names = [p.name for p in self.neurons]
        if len(set(names)) < len(names):
            raise NetworkError("network", f"two populations have one name: {', '.join(names)}")
        for synapses in self.synapses:
            self._check(synapses)
        plastic = [s for s in self.synapses if s.plastic]
        if any(s.timing is None for s in plastic) and self.rule is None and not self.mechanisms:
            raise NetworkError("network", "plastic synapses need a rule, spike timing or a mechanism")
        if len({s.timing for s in plastic}) > 1:
            raise NetworkError("network", "all plastic synapses share one spike timing")
        per_axon: dict[str, Any] = {}
        for s in self.synapses:
            if s.short_term is not None and per_axon.setdefault(s.source, s.short_term) != s.short_term:
                raise NetworkError(
                    f"synapses {s.name}", "an axon has one short-term plasticity; another is given"
                )
        check_shape(self.calcium, self.rule)
        for mechanism in self.mechanisms:
            mechanism.check(self)
            if self.calcium is not None and (mechanism.slides or mechanism.rewires):
                raise NetworkError(
                    type(mechanism).__name__, "needs calcium that jumps and decays exponentially"
                )
        for need in ("expresses", "slides"):
            rivals = [type(m).__name__ for m in self.mechanisms if getattr(m, need)]
            if len(rivals) > 1:
                raise NetworkError("network", f"only one mechanism can rule there: {' or '.join(rivals)}")

    def _check(self, synapses: Synapses) -> None:
        part = f"synapses {synapses.name}"
        source, target = self.population(synapses.source), self.population(synapses.target)
        if target.is_source:
            raise NetworkError(part, f"{target.name!r} only emits spikes; it takes no synapses")
        if synapses.delay < self.dt * (1.0 - 1e-9):
            raise NetworkError(
                part,
                f"delay must be at least the time step (got {synapses.delay:g} ms, dt is {self.dt:g} ms)",
            )
        connect = synapses.connect
        if isinstance(connect, Pairs):
            for side, indices, population in (
                ("source", connect.sources, source),
                ("target", connect.targets, target),
            ):
                if indices.size and not (indices.min() >= 0 and indices.max() < population.size):
                    wrong = indices[(indices < 0) | (indices >= population.size)][0]
                    raise NetworkError(
                        part,
                        f"{side} index {wrong} is out of range; "
                        f"{population.name!r} has {population.size} neurons",
                    )
        if isinstance(connect, FixedInDegree) and source is target and source.size < 2 and connect.count:
            raise NetworkError(part, "a neuron does not contact itself; the population has no other")
        count = synapses.count(source.size, target.size)
        efficacy = np.asarray(synapses.efficacy, dtype=float)
        if efficacy.ndim and not isinstance(synapses.efficacy, tuple) and efficacy.shape != (count,):
            raise NetworkError(part, f"efficacy has shape {efficacy.shape}; one number or {count} are needed")

    def population(self, name: str) -> Population:
        """The population of that name.  Raises UnknownName."""
        for population in self.neurons:
            if population.name == name:
                return population
        raise UnknownName("population", name, [p.name for p in self.neurons])

    def first(self, name: str) -> int:
        """Index of the population's first neuron when all are counted through."""
        at = 0
        for population in self.neurons:
            if population.name == name:
                return at
            at += population.size
        raise UnknownName("population", name, [p.name for p in self.neurons])

    @property
    def size(self) -> int:
        """Number of neurons."""
        return sum(p.size for p in self.neurons)

    def synapse_count(self, *, plastic: bool | None = None) -> int:
        """Number of synapses, of plastic or static ones only if asked."""
        return sum(
            s.count(self.population(s.source).size, self.population(s.target).size)
            for s in self.synapses
            if plastic is None or s.plastic == plastic
        )

    def memory(self) -> int:
        """Bytes that a run needs, wiring included."""
        plastic, static = self.synapse_count(plastic=True), self.synapse_count(plastic=False)
        largest = max((s.count(self.population(s.source).size, self.population(s.target).size)
                       for s in self.synapses), default=0)  # fmt: skip
        options = sum(
            (
                any(s.timing for s in self.synapses),
                any(m.expresses for m in self.mechanisms),
                isinstance(self.calcium, SlowRise),
            )
        )
        return (
            plastic * (RECORD_BYTES + OPTION_BYTES * options) + static * STATIC_BYTES + largest * BUILD_BYTES
        )

    def check_memory(self) -> None:
        """Raises NetworkError if the synapses cannot fit into the memory that is free."""
        needed, free = self.memory(), _free_memory()
        largest = max((s.count(self.population(s.source).size, self.population(s.target).size)
                       for s in self.synapses), default=0)  # fmt: skip
        if largest >= 2**31:
            raise NetworkError(
                "network", f"{largest:.3g} synapses between two populations; at most 2**31 are possible"
            )
        if needed > free:
            raise NetworkError(
                "network",
                f"{self.synapse_count():.3g} synapses need {needed / 1e9:.3g} GB; "
                f"{free / 1e9:.3g} GB are free",
            )

    def content_hash(self) -> str:
        """Equal for equal descriptions: names, numbers, rule and mechanisms."""
        digest = hashlib.sha256()
        _feed(digest, self)
        return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if is_dataclass(value):
        digest.update(type(value).__name__.encode())
        for f in fields(value):
            if f.compare or not f.name.startswith("provenance"):
                digest.update(f.name.encode())
                _feed(digest, getattr(value, f.name))
    elif isinstance(value, np.ndarray):
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, list | tuple):
        digest.update(b"(%d" % len(value))
        for item in value:
            _feed(digest, item)
    elif not callable(value):
        digest.update(repr(value).encode())


def _free_memory() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # a system that does not say: trust the user
        return 2**63 - 1


def balanced_network(
    rule: CalciumRule | None = None,
    *,
    neurons: int = 2000,
    inputs: int = 100,
    drive: float = 21.0,
    strength: float = 4.0,
    mechanisms: Sequence[Mechanism] = (),
) -> Network:
    """Four fifths excitatory, one fifth inhibitory neurons, driven above threshold and held by inhibition.

    Every neuron gets `inputs` excitatory synapses, plastic among excitatory neurons, and a quarter as many
    inhibitory ones, eight times as strong.  `strength` [mV] is the weight of an excitatory synapse at
    efficacy 1/2 with 100 inputs, and goes with the square root of their number (Brunel 2000 J. Comput.
    Neurosci. 8:183); `drive` [mV] stands against a threshold 20 mV above rest.
    """
    excitatory = neurons * 4 // 5
    cell = LeakyIntegrateAndFire(drive=drive)
    j = strength * math.sqrt(100.0 / inputs)
    populations = (Population("E", excitatory, cell), Population("I", neurons - excitatory, cell))
    synapses = (
        Synapses("E", "E", FixedInDegree(inputs), 2.0 * j, plastic=rule is not None, efficacy=(0.0, 1.0)),
        Synapses("E", "I", FixedInDegree(inputs), j),
        Synapses("I", "E", FixedInDegree(inputs // 4), 8.0 * j, receptor="inh"),
        Synapses("I", "I", FixedInDegree(inputs // 4), 8.0 * j, receptor="inh"),
    )
    return Network(populations, synapses, rule, mechanisms)
