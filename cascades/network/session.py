"""A network while it runs: its arrays, its mechanisms' memories, and what was found so far."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cascades.network.build import Built, build, rule_constants
from cascades.network.constants import apart
from cascades.network.loop import advance
from cascades.network.network import Network
from cascades.network.passes import settle
from cascades.network.recording import Recording
from cascades.network.view import View

SAMPLED = 100  # synapses followed one by one, per description
REBASE = 1 << 30  # ticks after which the records count from a new beginning


@dataclass
class Session:
    """`tick` is the next one to be run; ticks count from 1."""

    built: Built
    spike_counts: np.ndarray
    memories: list[dict[str, np.ndarray]]
    kept: np.ndarray | None = None  # bool, per neuron: whose spikes are kept; None: all
    ticks: list[np.ndarray] = field(default_factory=list)
    neurons: list[np.ndarray] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    readings: list[dict[str, Any]] = field(default_factory=list)
    _others: ThreadPoolExecutor | None = None  # threads beside this one, kept from call to call

    @classmethod
    def new(cls, network: Network, seed: int, threads: int) -> Session:
        """The network wired and at rest."""
        built = build(network, seed, threads)
        session = cls(built, np.zeros(network.size, np.int64), [])
        view = session.view()
        session.memories = [m.start(view) for m in network.mechanisms]
        return session

    @property
    def tick(self) -> int:
        return self.built.tick

    def view(self) -> View:
        return View(self.built, self.spike_counts)

    def _next_visit(self) -> int:
        """The tick after the next one at which a mechanism visits."""
        nexts = [self._interval(m) * ((self.tick - 1) // self._interval(m) + 1) + 1 for m in self._mechanisms]
        return min(nexts, default=2**62)

    def advance(self, stop: int) -> None:
        """Run up to tick `stop` (not included); mechanisms visit when it is their turn."""
        b = self.built
        while b.tick < stop:
            if b.tick - b.base >= REBASE:
                self._rebase()
            till = min(stop, self._next_visit())
            b.tick = self._run(till)
            self._collect()
            if b.tick == till:
                self._visit()

    def _run(self, stop: int) -> int:
        """All threads up to `stop`, or to where there is no room for more spikes; the tick reached."""
        b = self.built
        b.found.done[:], b.found.stop[:] = b.tick, stop

        def part(thread: int) -> int:
            run = (thread, b.tick, b.window, b.base)
            synapses = (b.rule, b.timing, b.groups, b.plastic, b.static)
            return int(advance(*run, *synapses, b.cells, b.log, b.found, b.first, b.last))

        if b.threads == 1:
            return part(0)
        if self._others is None:
            self._others = ThreadPoolExecutor(b.threads - 1)
        others = [self._others.submit(part, k) for k in range(1, b.threads)]
        return max(part(0), *(other.result() for other in others))  # they all reach the same tick

    def _collect(self) -> None:
        """Take the spikes found, in the order of tick and neuron."""
        found, size = self.built.found, self.spike_counts.size
        ticks = np.concatenate([found.ticks[k, : found.counts[k]] for k in range(self.built.threads)])
        neurons = np.concatenate([found.neurons[k, : found.counts[k]] for k in range(self.built.threads)])
        # each thread's own are nearly in order, which a stable sort merges quickly
        order = np.argsort(ticks * size + neurons, kind="stable")
        ticks, neurons = ticks[order], neurons[order]
        self.spike_counts += np.bincount(neurons, minlength=size)
        if self.kept is not None:
            kept = self.kept[neurons]
            ticks, neurons = ticks[kept], neurons[kept]
        self.ticks.append(ticks)
        self.neurons.append(neurons)

    @property
    def _mechanisms(self) -> Any:
        return self.built.network.mechanisms

    def _interval(self, mechanism: Any) -> int:
        return max(round(mechanism.interval / self.built.network.dt), 1)

    def _visit(self) -> None:
        due = [k for k, m in enumerate(self._mechanisms) if (self.tick - 1) % self._interval(m) == 0]
        if due:
            view = self.view()
            view.settle()
            for k in due:
                self._mechanisms[k].apply(view, self.memories[k])

    def _rebase(self) -> None:
        """Count the ticks of the records from now on: 32 bits hold 59 hours of 0.1 ms."""
        b = self.built
        now = b.tick - 1 - b.base
        settle(b.rule, b.plastic.records, np.int32(now))
        b.plastic.records.view(np.int32).reshape(-1, 4)[:, 2] = 0
        b.base += now
        b.rule = rule_constants(b.network, b.seed, b.base)._replace(drift=b.rule.drift, shape=b.rule.shape)

    def read(self) -> None:
        """Note the efficacies as they stand, without changing anything."""
        b = self.built
        now = np.int32(b.tick - 1 - b.base)
        row: dict[str, Any] = {}
        everything = b.plastic.expressed
        if everything is None:
            records = b.plastic.records.copy()
            settle(apart(b.rule), records, now)
            everything = records.reshape(-1, 4)[:, 1].copy()
        for k, synapses in enumerate(b.plastic_of):
            values = everything[b.plastic.first[k] : b.plastic.first[k + 1]]
            wide = values.astype(np.float64)
            picked = np.unique(np.linspace(0, values.size - 1, min(SAMPLED, values.size)).astype(np.int64))
            row[synapses.name] = (
                wide.mean() if wide.size else np.nan,
                wide.std() if wide.size else np.nan,
                values[picked].copy(),
                values,
            )
        for previous in self.readings[-1:]:  # only the last reading keeps every synapse
            for name, (mean, spread, sample, _) in previous.items():
                previous[name] = (mean, spread, sample, None)
        self.times.append((b.tick - 1) * b.network.dt)
        self.readings.append(row)

    def keep(self, populations: Sequence[str] | None) -> None:
        """Keep the spikes of these populations only; None: of all.  Raises UnknownName."""
        network = self.built.network
        if populations is None:
            self.kept = None
            return
        self.kept = np.zeros(network.size, dtype=bool)
        for name in populations:
            first = network.first(name)
            self.kept[first : first + network.population(name).size] = True

    def recording(self, begin: int, counted: np.ndarray, complete: bool) -> Recording:
        """What was found since tick `begin`, when the neurons had spiked `counted` times."""
        b = self.built
        dt = b.network.dt
        populations = b.network.neurons
        kept = [p.name for p in populations if self.kept is None or self.kept[b.network.first(p.name)]]
        if self.times[-1] != (b.tick - 1) * dt:
            self.read()
        names = [s.name for s in b.plastic_of]
        nothing = np.zeros(0, np.int64)
        return Recording(
            network=b.network,
            start=(begin - 1) * dt,
            duration=(b.tick - begin) * dt,
            spike_times=np.concatenate([nothing, *self.ticks]) * dt,
            spike_neurons=np.concatenate([nothing, *self.neurons]),
            spike_counts=self.spike_counts - counted,
            kept=tuple(kept),
            times=np.array(self.times),
            mean_efficacy={n: np.array([r[n][0] for r in self.readings]) for n in names},
            spread_of_efficacy={n: np.array([r[n][1] for r in self.readings]) for n in names},
            sampled_efficacies={n: np.array([r[n][2] for r in self.readings]) for n in names},
            final_efficacies={n: np.array(self.readings[-1][n][3]) for n in names},
            memories={type(m).__name__: memory for m, memory in zip(self._mechanisms, self.memories)},
            seed=b.seed,
            complete=complete,
        )
