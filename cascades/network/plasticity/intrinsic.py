"""Intrinsic excitability: a neuron's threshold and adaptation follow its activity.

Desai, Rutherford & Turrigiano (1999) Nat. Neurosci. 2:515: activity above the target makes a neuron less
excitable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.network.plasticity.base import Mechanism, running_rate, start_rate

if TYPE_CHECKING:
    from cascades.network.view import View


@dataclass(frozen=True)
class IntrinsicExcitability(Mechanism):
    """Thresholds move by `threshold_rate` [mV/s] per relative error of the rate, adaptation by
    `adaptation_rate` [pA/s]; neither further from its start than its range."""

    target: float = 5.0
    tau_rate: float = 5_000.0
    threshold_rate: float = 0.1
    threshold_range: float = 5.0
    adaptation_rate: float = 0.0
    adaptation_range: float = 100.0

    def start(self, view: View) -> dict[str, np.ndarray]:
        return start_rate(view, self.target) | {
            "first_threshold": view.threshold.copy(),
            "first_increment": view.increment.copy(),
        }

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rate = running_rate(view, memory, self.interval, self.tau_rate)
        error = np.clip((rate - self.target) / self.target, -1.0, 1.0) * (self.interval / 1000.0)
        for now, first, speed, reach in (
            (view.threshold, memory["first_threshold"], self.threshold_rate, self.threshold_range),
            (view.increment, memory["first_increment"], self.adaptation_rate, self.adaptation_range),
        ):
            if speed > 0.0:
                moved = np.clip(now + speed * error, first - reach, first + reach)
                now[:] = np.where(view.targets(), moved, first)
        np.maximum(view.increment, 0.0, out=view.increment)
