"""The two experiments of every report: a tetanus from DOWN, and slow stimulation from UP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.protocols import Protocol, hfs, lfs
from cascades.simulate import simulate
from cascades.trajectory import Trajectory

AFTER = 120.0  # [s] of rest after each protocol: the ring settles within tens of seconds
AFTER_SPIKE = np.array(
    [0.0, 0.002, 0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1]
)  # [s] readings after each spike


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


def potentiation(compiled: CompiledModel, calcium: str, weight: str) -> Experiment:
    """100 pulses at 100 Hz from the model's initial state."""
    return _experiment("LTP", compiled, hfs(trains=1), calcium, weight, None)


def depression(compiled: CompiledModel, calcium: str, weight: str, start: dict[str, float]) -> Experiment:
    """900 pulses at 1 Hz (Dudek & Bear 1992) from the state `start`."""
    return _experiment("LTD", compiled, lfs(), calcium, weight, start)


def _experiment(
    title: str,
    compiled: CompiledModel,
    protocol: Protocol,
    calcium: str,
    weight: str,
    start: dict[str, float] | None,
) -> Experiment:
    end = protocol.duration + AFTER
    near_spikes = (protocol.times()[:, None] + AFTER_SPIKE).ravel()
    times = np.unique(
        np.concatenate(
            [near_spikes[near_spikes < end], np.linspace(0.0, 1.5, 300), np.linspace(0.0, end, 601)]
        )
    )
    trajectory = simulate(compiled, times, protocol=protocol, initial=start)
    return Experiment(title, protocol, trajectory, calcium, weight)
