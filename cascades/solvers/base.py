"""What every solver is given, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.stops import Stops

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

# Status of a member; 0 is success.  One sentence each, with what to try.
REASONS = (
    "reached the end",
    "the step size became too small; the rates may be discontinuous or infinite there",
    "a rate is not finite; look for a division by zero or a negative concentration under a root",
    "too many steps; loosen rtol, or raise the limit if the run is long",
    "the solver reported an error",
    "interrupted",
    "the algebraic equations have no solution near the state; try other initial values",
    "events kept firing at the same time; look for two that undo each other",
)
STEP_TOO_SMALL, NOT_FINITE, TOO_MANY_STEPS, SOLVER_ERROR, INTERRUPTED, NO_ALGEBRAIC, ENDLESS_EVENTS = range(
    1, 8
)


@dataclass(frozen=True, eq=False)
class Integration:
    """A batch of initial-value problems that start at time 0.

    times : float, shape (times,)
        Output times, not decreasing.
    initial : float, shape (members, states)
    parameters : float, shape (members, parameters)
    stops : one per member, or a single one for all
    rtol : float
        Relative tolerance.
    atol : float, shape (states,)
        Absolute tolerance of each state.
    """

    compiled: CompiledModel
    times: np.ndarray
    initial: np.ndarray
    parameters: np.ndarray
    stops: Sequence[Stops]
    rtol: float
    atol: np.ndarray

    @property
    def n_members(self) -> int:
        return self.initial.shape[0]

    def stops_of(self, member: int) -> Stops:
        return self.stops[member if len(self.stops) > 1 else 0]


@dataclass(frozen=True, eq=False)
class Solution:
    """values : (members, times, states), NaN after failure; status : (members,), an index into
    `REASONS`; reached : (members,), the time that was reached; steps : (members,)."""

    values: np.ndarray
    status: np.ndarray
    reached: np.ndarray
    steps: np.ndarray


class Solver(ABC):
    """A method.  `handles_events` says whether it takes state-triggered events and algebraic rules."""

    name: str
    handles_events: bool = False

    def identity(self) -> str:
        """The name, and the settings that a result depends on."""
        return self.name

    @abstractmethod
    def integrate(self, problem: Integration) -> Solution:
        """Integrate every member.  Never raises for a member that fails: its status says why."""
