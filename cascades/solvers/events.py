"""State-triggered events of the lanes: what fires, when it is due, and in which order it happens.

The driver finds the moment at which a trigger changes; everything after that is rare and intricate,
so it happens here, one member at a time (SBML Level 3 Version 2 core, section 4.11).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cascades.solvers.base import ENDLESS_EVENTS

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.kernels.lanes import Memory

_SEED_OF_TIES = 7  # SBML: the order of simultaneous events of the same priority is random
_MOST_AT_ONCE = 10_000  # events at one time, after which two of them must be undoing each other


@dataclass
class Pending:
    """An event that has fired and is due at `time`; `values` if they were computed when it fired.
    `note` is what a follower wants to remember."""

    time: float
    event: int
    values: np.ndarray | None
    note: Any = None


class Follower(Protocol):
    """Somebody who goes along with the events of the first lane: derivatives."""

    def fired(self, item: Pending, t: float, y: np.ndarray, p: np.ndarray) -> Any:
        """Called when an event fires; the result is kept as the item's note."""

    def happened(self, item: Pending, t: float, before: np.ndarray, after: np.ndarray, p: np.ndarray) -> None:
        """Called when its assignments were made."""


@dataclass
class Events:
    """The events of the members that are in the lanes of one thread."""

    compiled: CompiledModel
    follower: Follower | None = None
    _queues: dict[int, list[Pending]] = field(default_factory=dict)  # by member
    _ties: dict[int, np.random.Generator] = field(default_factory=dict)  # by member, all alike

    def respond(self, lanes: np.ndarray, rows: Memory) -> dict[int, int]:
        """Look after every lane that asks for it.  Returns member -> status of those that cannot go on."""
        lane_values = lanes[0]
        failed = {}
        for lane in map(int, np.flatnonzero(lane_values["attention"])):
            member = int(lane_values["member"][lane])
            if lane_values["t"][lane] == 0.0:
                self._queues.pop(member, None)
                self._ties[member] = np.random.default_rng(_SEED_OF_TIES)
            queue = self._queues.setdefault(member, [])
            ties = self._ties.setdefault(member, np.random.default_rng(_SEED_OF_TIES))
            y = rows["y"][: self._n, lane].copy()
            known = rows["known"][-self._n_events :, lane].copy()
            p = np.ascontiguousarray(rows["p"][: len(self.compiled.parameter_names), lane])
            follower = self.follower if lane == 0 else None
            happened = self._settle(float(lane_values["t"][lane]), y, p, known, queue, ties, follower)
            if happened < 0:
                failed[lane] = ENDLESS_EVENTS
            rows["y"][: self._n, lane] = y
            rows["known"][-self._n_events :, lane] = known
            lane_values["pending"][lane] = min((item.time for item in queue), default=np.inf)
            lane_values["attention"][lane] = 0
            lane_values["stale"][lane] = 1
            if happened:
                _begin_anew(lane_values, lane)
        return failed

    def _settle(
        self,
        t: float,
        y: np.ndarray,
        p: np.ndarray,
        known: np.ndarray,
        queue: list[Pending],
        ties: np.random.Generator,
        follower: Follower | None,
    ) -> int:
        """Let everything happen that is due at `t`.  Changes y, known and the queue in place; returns
        the number of events, or -1 if there is no end to it."""
        for happened in range(_MOST_AT_ONCE):
            now = self.compiled.event_formulas(y, p, t)
            for event, is_true in enumerate(now.triggers):
                if is_true and not known[event]:
                    keeps = self._equations[event].uses_trigger_time_values
                    values = now.assignments[event] if keeps else None
                    item = Pending(t + max(now.delays[event], 0.0), event, values)
                    item.note = follower.fired(item, t, y, p) if follower else None
                    queue.append(item)
                elif not is_true and known[event] and not self._equations[event].is_persistent:
                    queue[:] = [item for item in queue if item.event != event]
            known[:] = now.triggers
            due = [item for item in queue if item.time <= t]
            if not due:
                return happened
            highest = max(now.priorities[item.event] for item in due)
            equals = [item for item in due if now.priorities[item.event] == highest]
            first = equals[ties.integers(len(equals)) if len(equals) > 1 else 0]
            queue.remove(first)
            values = first.values if first.values is not None else now.assignments[first.event]
            before = y.copy()
            y[self._targets[first.event]] = values
            if follower:
                follower.happened(first, t, before, y, p)
        return -1

    @cached_property
    def _equations(self):  # type: ignore[no-untyped-def]
        return self.compiled.equations.events

    @cached_property
    def _targets(self) -> list[np.ndarray]:
        index = self.compiled.state_index
        return [np.array([index[name] for name, _ in e.assignments], dtype=np.intp) for e in self._equations]

    @property
    def _n(self) -> int:
        return len(self.compiled.state_names)

    @property
    def _n_events(self) -> int:
        return len(self._equations)


def _begin_anew(lane_values: np.void, lane: int) -> None:
    """The next step is the first after a jump."""
    if lane_values["t"][lane] == 0.0 or lane_values["h_after"][lane] == 0.0:
        lane_values["fresh"][lane] = 1
    else:
        lane_values["h"][lane] = lane_values["h_after"][lane]
        lane_values["fresh"][lane] = 0
    lane_values["changed"][lane] = 1
    lane_values["rejected"][lane] = 0
