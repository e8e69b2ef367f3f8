"""Equilibria at resting calcium, and every branch that they lie on, with calcium held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.continuation import Branch, ContinuationSettings, SpecialPoint, continuation, equilibria
from cascades.reduction.cut import clamp, keep
from cascades.steady import SteadyState

SAME = 1e-6  # relative difference below which two folds are one
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
    """Hold calcium, find the equilibria at its resting value, and follow each over a range of calcium."""
    held = CompiledModel(keep(clamp(compiled.equations, calcium), [weight]))
    rest = held.default_values[calcium]
    states = equilibria(held)
    return Diagram(
        calcium, weight, rest, states, branches(held, calcium, (RANGE[0] * rest, RANGE[1] * rest), states)
    )


def branches(
    compiled: CompiledModel, parameter: str, bounds: tuple[float, float], starts: Sequence[SteadyState]
) -> list[Branch]:
    """The branches through the equilibria `starts`, each once."""
    found: list[Branch] = []
    for start in starts:
        branch = continuation(compiled, parameter, bounds, start=start, settings=SMOOTH)
        if not any(_same(branch, other) for other in found):
            found.append(branch)
    return found


def _same(one: Branch, other: Branch) -> bool:
    a, b = _signature(one), _signature(other)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=SAME, atol=0.0))


def _signature(branch: Branch) -> np.ndarray:
    """Numbers that two tracings of one branch share: its folds, or its ends if it has none."""
    folds = sorted(point.value for point in branch.of_kind("fold"))
    if folds:
        return np.array(folds)
    ends = np.concatenate([branch.states[[0, -1]].ravel(), branch.values[[0, -1]]])
    return np.sort(ends[np.abs(ends) > 0.0])
