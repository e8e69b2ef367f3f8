"""Mechanisms of plasticity beside the calcium rule, one file each.

`ShortTerm` and `SpikeTiming` belong to synapses; the others are mechanisms of a network and combine.
"""

from __future__ import annotations

from cascades.network.plasticity.base import Mechanism
from cascades.network.plasticity.benna_fusi import BennaFusi
from cascades.network.plasticity.cascade import CascadeSynapse
from cascades.network.plasticity.consolidation import TagAndCapture
from cascades.network.plasticity.gated import NeuromodulatedGate
from cascades.network.plasticity.heterosynaptic import SlotPool
from cascades.network.plasticity.importance import ImportanceScaling
from cascades.network.plasticity.intrinsic import IntrinsicExcitability
from cascades.network.plasticity.late_phase import DerivedLatePhase
from cascades.network.plasticity.scaling import SynapticScaling
from cascades.network.plasticity.short_term import ShortTerm
from cascades.network.plasticity.sliding import SlidingThreshold, SlowVariable
from cascades.network.plasticity.spontaneous import SpontaneousSwitching
from cascades.network.plasticity.stdp import TRIPLET_VISUAL_CORTEX, SpikeTiming, hebbian
from cascades.network.plasticity.structural import SpineTurnover

MECHANISMS: tuple[type[Mechanism], ...] = (
    SynapticScaling,
    IntrinsicExcitability,
    SlotPool,
    SlidingThreshold,
    SlowVariable,
    NeuromodulatedGate,
    CascadeSynapse,
    BennaFusi,
    TagAndCapture,
    DerivedLatePhase,
    ImportanceScaling,
    SpontaneousSwitching,
    SpineTurnover,
)

__all__ = [
    "MECHANISMS",
    "TRIPLET_VISUAL_CORTEX",
    "Mechanism",
    "ShortTerm",
    "SpikeTiming",
    "hebbian",
    "BennaFusi",
    "CascadeSynapse",
    "DerivedLatePhase",
    "ImportanceScaling",
    "IntrinsicExcitability",
    "NeuromodulatedGate",
    "SlidingThreshold",
    "SlotPool",
    "SlowVariable",
    "SpineTurnover",
    "SpontaneousSwitching",
    "SynapticScaling",
    "TagAndCapture",
]
