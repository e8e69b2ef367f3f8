"""Equilibria at resting calcium, and every branch over a range of calcium that is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cascades.compiler.compiled import CompiledModel
from cascades.continuation import Branch, ContinuationSettings, SpecialPoint, branches, equilibria
from cascades.reduction.cut import clamp, keep
from cascades.steady import SteadyState

SMOOTH = ContinuationSettings(largest_step=0.06)  # points close enough to be drawn
RANGE = (0.2, 20.0)  # times resting calcium


@dataclass(frozen=True, eq=False)
class Diagram:
    """`rest` is the resting calcium [uM], `states` the equilibria there, `weight` the read-out."""

    parameter: str
    weight: str
    rest: float
    states: Sequence[SteadyState]
    branches: Sequence[Branch]

    @property
    def folds(self) -> list[SpecialPoint]:
        return [point for branch in self.branches for point in branch.of_kind("fold")]


def diagram(compiled: CompiledModel, calcium: str, weight: str) -> Diagram:
    """Hold calcium, find the equilibria at its resting value, and all branches around it."""
    held = CompiledModel(keep(clamp(compiled.equations, calcium), [weight]))
    rest = held.default_values[calcium]
    found = branches(held, calcium, (RANGE[0] * rest, RANGE[1] * rest), settings=SMOOTH)
    return Diagram(calcium, weight, rest, equilibria(held), found)
