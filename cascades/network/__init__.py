"""Spiking networks whose synapses learn by a calcium rule."""

from __future__ import annotations

from cascades.network.calcium import SaturatingPump, SlowRise
from cascades.network.ensemble import run_networks
from cascades.network.network import Network, balanced_network
from cascades.network.neuron import (
    AdaptiveExponential,
    LeakyIntegrateAndFire,
    PoissonDrive,
    PoissonSource,
    Population,
    ReplayedSource,
)
from cascades.network.recording import Recording
from cascades.network.replay import Replay, replay
from cascades.network.run import run_network
from cascades.network.synapse import AllToAll, FixedInDegree, Pairs, Synapses

__all__ = [
    "AdaptiveExponential",
    "AllToAll",
    "FixedInDegree",
    "LeakyIntegrateAndFire",
    "Network",
    "Pairs",
    "PoissonDrive",
    "PoissonSource",
    "Population",
    "Recording",
    "Replay",
    "ReplayedSource",
    "SaturatingPump",
    "SlowRise",
    "Synapses",
    "balanced_network",
    "replay",
    "run_network",
    "run_networks",
]
