"""The model as spikes see it: its own calcium, or calcium that the derived rule's trace makes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.protocols import Protocol, Spikes
from cascades.reduction import RuleLadder
from cascades.reduction.cut import PRE, clamp, driven, keep
from cascades.simulate import simulate

SETTLING = 600.0  # [s]


@dataclass(frozen=True, eq=False)
class Spiking:
    """A model with ports for spikes.

    down, up : its resting states by name; the same if there is one only
    low, high : the weight in them
    rho_star : the efficacy of the separatrix between them
    rest : time [s] after a protocol at which an outcome is read
    delay : of what presynaptic spikes do [s]
    is_given : whether calcium is made by the trace, for the model has calcium as an input
    """

    model: CompiledModel
    calcium: str
    weight: str
    down: dict[str, float]
    up: dict[str, float]
    low: float
    high: float
    rho_star: float
    is_bistable: bool
    rest: float
    delay: float
    is_given: bool

    def delayed(self, protocol: Protocol) -> Protocol:
        """The protocol with its presynaptic spikes later by `delay`."""
        stimuli = tuple(
            replace(s, times=tuple(t + self.delay for t in s.times))
            if isinstance(s, Spikes) and s.target == PRE
            else s
            for s in protocol.stimuli
        )
        return replace(protocol, stimuli=stimuli)

    def efficacy(self, weight: np.ndarray) -> np.ndarray:
        """0 in the DOWN state, 1 in the UP state."""
        return np.asarray((weight - self.low) / (self.high - self.low))


def spiking(compiled: CompiledModel, calcium: str, weight: str, ladder: RuleLadder) -> Spiking:
    """The model that the ladder was judged by."""
    states, trace = ladder.details["states"], ladder.details["trace"]
    is_given = calcium in compiled.parameter_names
    model = CompiledModel(driven(compiled.equations, calcium, trace)) if is_given else compiled
    rest = simulate(model, [0.0, SETTLING]).final()
    held = CompiledModel(keep(clamp(compiled.equations, calcium), [weight]))
    down, up = (
        {**rest, **dict(zip(held.state_names, map(float, y), strict=True))} for y in (states.down, states.up)
    )
    return Spiking(
        model, calcium, weight, down, up, states.low, states.high, states.rho_star, states.is_bistable,
        ladder.details["rest"], trace.delay if is_given else 0.0, is_given,
    )  # fmt: skip
