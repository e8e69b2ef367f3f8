"""How calcium falls and rises where it is not a jump with an exponential decay.

A rule says how much calcium a spike brings and how fast it decays.  Its calcium may also be extruded by a
pump that saturates, or rise with a time of its own.  Both are given to a network or a replay beside the rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cascades.errors import NetworkError
from cascades.reduction.rule import CalciumRule


@dataclass(frozen=True)
class SaturatingPump:
    """Extrusion by a Michaelis-Menten pump: c' = -(c / tau) / (1 + c / half), c above rest.

    High calcium falls more slowly than with `tau` [s] of the rule, which holds for little of it.

    Parameters
    ----------
    half : float
        Calcium above rest [the rule's unit] at which the pump runs at half its greatest speed.
    """

    half: float

    def __post_init__(self) -> None:
        if not (self.half > 0.0 and math.isfinite(self.half)):
            raise NetworkError("saturating pump", f"half must be positive (got {self.half!r})")


@dataclass(frozen=True)
class SlowRise:
    """Each spike's calcium is a difference of two exponentials, of the rule's tau and of `rise` [s].

    The size of a jump is then the height of the peak that one spike makes.
    """

    rise: float

    def __post_init__(self) -> None:
        if not self.rise > 0.0:
            raise NetworkError("slow rise", f"rise must be positive (got {self.rise!r} s)")

    def height(self, tau: float) -> float:
        """What a spike adds to either exponential for a peak of one."""
        peak = math.log(tau / self.rise) * tau * self.rise / (tau - self.rise)
        return 1.0 / (math.exp(-peak / tau) - math.exp(-peak / self.rise))


CalciumShape = SaturatingPump | SlowRise


def check_shape(shape: CalciumShape | None, rule: CalciumRule | None) -> None:
    """Raises NetworkError if calcium of this shape makes no sense with the rule."""
    if shape is None:
        return
    if rule is None:
        raise NetworkError("calcium", "only a calcium rule has calcium; the network has none")
    if isinstance(shape, SlowRise) and shape.rise >= rule.calcium.tau:
        raise NetworkError(
            "slow rise",
            f"rise must be shorter than the decay of {rule.calcium.tau:g} s (got {shape.rise:g} s)",
        )
    if rule.filter is not None:
        raise NetworkError("calcium", "a rule with a phosphatase filter has calcium that jumps and decays")


def stretched(u: np.ndarray | float, half: float) -> np.ndarray | float:
    """With a saturating pump u + exp(u) / half falls by one per decay time, u = ln calcium above rest."""
    return u + np.exp(u) / half


def unstretched(s: np.ndarray, half: float) -> np.ndarray:
    """The way back, by Newton steps from above."""
    r = np.asarray(s, dtype=float) - math.log(half)
    v = np.where(r > 1.0, np.log(np.maximum(r, 1.0)), r)
    for _ in range(8):
        grown = np.exp(v)
        v = (r + grown * (v - 1.0)) / (1.0 + grown)
    return v + math.log(half)
