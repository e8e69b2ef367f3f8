"""The two experiments of every report: a tetanus from DOWN, and slow stimulation from UP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.protocols import HOUR, Protocol, hfs, lfs
from cascades.report.bistability import Diagram
from cascades.report.spiking import Spiking
from cascades.simulate import simulate
from cascades.trajectory import Trajectory

AFTER = (
    120.0,
    8 * HOUR,
)  # [s] of rest after each protocol: a ring of CaMKII settles in seconds, late LTP in hours
RELAXATIONS = 5.0  # slowest times at rest that are waited for, within these bounds
AFTER_SPIKE = np.array([0.0, 0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5])  # [s]


@dataclass(frozen=True, eq=False)
class Experiment:
    """A protocol and what it did to one synapse; `weight` is the read-out that remembers."""

    title: str
    protocol: Protocol
    trajectory: Trajectory
    calcium: str
    weight: str

    @property
    def before(self) -> float:
        return float(self.trajectory[self.weight][0, 0])

    @property
    def after(self) -> float:
        return float(self.trajectory[self.weight][0, -1])

    @property
    def peak_calcium(self) -> float:
        return float(np.max(self.trajectory[self.calcium][0]))


def potentiation(spine: Spiking, diagram: Diagram) -> Experiment:
    """Four trains of 100 pulses at 100 Hz, 5 min apart, from the DOWN state."""
    return _experiment("LTP", spine, diagram, hfs(), 0)


def depression(spine: Spiking, diagram: Diagram) -> Experiment:
    """900 pulses at 1 Hz (Dudek & Bear 1992) from the UP state."""
    return _experiment("LTD", spine, diagram, lfs(), -1)


def _experiment(title: str, spine: Spiking, diagram: Diagram, protocol: Protocol, which: int) -> Experiment:
    """From the stable equilibrium with the lowest (0) or highest (-1) weight, else the rule's own state."""
    stable = sorted((s for s in diagram.states if s.is_stable), key=lambda state: state[diagram.weight])
    start = dict(spine.down if which == 0 else spine.up)
    if len(stable) > 1:
        start |= {name: value for name, value in stable[which].state.items() if name in start}
    slowest = max((state.slowest_time for state in stable), default=0.0)
    stimuli = spine.delayed(protocol)
    end = protocol.duration + min(max(AFTER[0], RELAXATIONS * slowest), AFTER[1])
    near_spikes = (stimuli.times()[:, None] + AFTER_SPIKE).ravel()
    even = (np.linspace(0.0, 1.5, 300), np.linspace(0.0, end, 601))
    times = np.unique(np.concatenate([near_spikes[near_spikes < end], *even]))
    trajectory = simulate(spine.model, times, protocol=stimuli, initial=start)
    return Experiment(title, protocol, trajectory, spine.calcium, spine.weight)
