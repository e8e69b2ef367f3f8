"""A protocol seen from a model: sorted times at which states jump and parameters are set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cascades.compiler.equations import Equations
from cascades.errors import ProtocolError, UnknownName
from cascades.protocols import Protocol, Setting, Spikes

ADD_TO_STATE, SET_STATE, SET_PARAMETER, RESTORE_PARAMETER, RESTORE_STATE = range(5)


@dataclass(frozen=True, eq=False)
class Stops:
    """One row per change, in the order in which they are applied.

    time : float, shape (n,)
        [the model's time unit], not decreasing.
    action : int, shape (n,)
        `ADD_TO_STATE` ... `RESTORE_STATE`; restoring gives back the value at the start of the run.
    index : int, shape (n,)
        Of the state or the parameter.
    value : float, shape (n,)
        What is added or set; multiplied by the parameter `jump` where that is not -1.
    jump : int, shape (n,)
    """

    time: np.ndarray
    action: np.ndarray
    index: np.ndarray
    value: np.ndarray
    jump: np.ndarray

    @cached_property
    def edges(self) -> np.ndarray:
        """The distinct times, sorted."""
        return np.unique(self.time)

    def apply(self, t: float, y: np.ndarray, p: np.ndarray, y_start: np.ndarray, p_start: np.ndarray) -> None:
        """Change y and p, in place, as everything that happens at `t` does."""
        first, last = np.searchsorted(self.time, t, "left"), np.searchsorted(self.time, t, "right")
        for row in range(first, last):
            i = self.index[row]
            action = self.action[row]
            if action == ADD_TO_STATE:
                y[i] += self.value[row] * (1.0 if self.jump[row] < 0 else p[self.jump[row]])
            elif action == SET_STATE:
                y[i] = self.value[row]
            elif action == SET_PARAMETER:
                p[i] = self.value[row]
            elif action == RESTORE_PARAMETER:
                p[i] = p_start[i]
            else:
                y[i] = y_start[i]


def resolve(protocol: Protocol | None, equations: Equations) -> Stops:
    """The stops of a protocol in a model.

    A target is a port, else a state (spikes are added to it), else a parameter (settings only).
    Settings come before spikes at the same time.

    Raises UnknownName for a target that does not exist, ProtocolError for a spike on a parameter.
    """
    if protocol and protocol.stimuli and equations.delayed:
        names = ", ".join(sorted(set(equations.delayed.values())))
        raise ProtocolError(protocol.name, names, "stimuli would not reach what the model delays")
    rows: list[tuple[float, int, int, int, float, int]] = []
    seconds = 1.0 / seconds_per(equations.time_unit)
    for stimulus in protocol.stimuli if protocol else ():
        if isinstance(stimulus, Spikes):
            index, jump, size = _spiked(stimulus, equations)
            rows += [(t * seconds, 1, ADD_TO_STATE, index, size, jump) for t in stimulus.times]
        else:
            action, index, value = _set(stimulus, equations)
            rows.append((stimulus.time * seconds, 0, action, index, value, -1))
    rows.sort(key=lambda row: row[:2])
    time, _, action_, index_, value_, jump_ = zip(*rows, strict=True) if rows else ((), (), (), (), (), ())
    return Stops(
        np.array(time, dtype=float),
        np.array(action_, dtype=np.int64),
        np.array(index_, dtype=np.int64),
        np.array(value_, dtype=float),
        np.array(jump_, dtype=np.int64),
    )


_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0}


def seconds_per(time_unit: str) -> float:
    """How long a model's time unit is [s]; 1 for one that is not a time."""
    return _TIME_UNITS.get(time_unit, 1.0)


def _spiked(stimulus: Spikes, equations: Equations) -> tuple[int, int, float]:
    """The state that a spike adds to, the parameter that scales it (or -1), and the number."""
    port = next((port for port in equations.ports if port.name == stimulus.target), None)
    if port is not None and port.kind != "spike":
        raise ProtocolError(stimulus.target, port.kind, "spikes need a port of kind 'spike'")
    symbol = port.symbol if port else stimulus.target
    if symbol in equations.parameter_names:
        raise ProtocolError(stimulus.target, symbol, "a spike adds to a state, and this is a parameter")
    if symbol not in equations.state_names:
        raise _unknown(stimulus.target, equations)
    index = equations.state_names.index(symbol)
    if port is None or not isinstance(port.jump, str):
        return index, -1, stimulus.size * (1.0 if port is None else float(port.jump))
    return index, equations.parameter_names.index(port.jump), stimulus.size


def _set(stimulus: Setting, equations: Equations) -> tuple[int, int, float]:
    port = next((port for port in equations.ports if port.name == stimulus.target), None)
    symbol = port.symbol if port else stimulus.target
    value = 0.0 if stimulus.value is None else stimulus.value
    if symbol in equations.parameter_names:
        action = RESTORE_PARAMETER if stimulus.value is None else SET_PARAMETER
        return action, equations.parameter_names.index(symbol), value
    if symbol in equations.state_names:
        action = RESTORE_STATE if stimulus.value is None else SET_STATE
        return action, equations.state_names.index(symbol), value
    raise _unknown(stimulus.target, equations)


def _unknown(name: str, equations: Equations) -> UnknownName:
    known = [port.name for port in equations.ports]
    return UnknownName("stimulus target", name, [*known, *equations.state_names, *equations.parameter_names])
