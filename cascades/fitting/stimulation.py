"""Protocols as periods of an experiment: every stop becomes a row that PEtab version 2 can write."""

from __future__ import annotations

from cascades.compiler.compiled import compile_model
from cascades.errors import ProtocolError
from cascades.expression import Expr, add, mul, number, substitute, symbol
from cascades.fitting.problem import Experiment, Period
from cascades.model import Model
from cascades.protocols import Protocol
from cascades.stops import ADD_TO_STATE, RESTORE_PARAMETER, SET_PARAMETER, SET_STATE, Stops, resolve


def stimulated(
    id: str, model: Model, protocol: Protocol, *, first: Period | None = None, before: Period | None = None
) -> Experiment:
    """An experiment in which a protocol acts on a model.

    A spike adds to its state, a setting sets its parameter, both at their exact times.  A setting that
    ends gives back the model's own value, or that of `first`: say there what is fitted.

    Parameters
    ----------
    first : what holds from time 0 on besides the protocol
    before : a pre-equilibration

    Raises
    ------
    UnknownName
        The protocol refers to something that the model does not have.
    ProtocolError
        A setting of a state ends: its former value is not known beforehand.
    """
    compiled = compile_model(model)
    stops = resolve(protocol, compiled.equations)
    start = dict(first.settings) if first else {}
    own = dict(zip(compiled.parameter_names, compiled.equations.default_values, strict=True))
    origin = {name: start.get(name, number(float(value))) for name, value in own.items()}
    changes: dict[float, dict[str, Expr]] = {0.0: start}
    for row, time in enumerate(stops.time):
        settings = changes.setdefault(float(time), {})
        if stops.action[row] == ADD_TO_STATE:
            name, sum_ = _spike(stops, row, compiled.state_names, compiled.parameter_names)
            settings[name] = substitute([sum_], settings)[0]  # what was set at this instant comes first
        elif stops.action[row] == SET_STATE:
            settings[compiled.state_names[stops.index[row]]] = number(float(stops.value[row]))
        elif stops.action[row] == SET_PARAMETER:
            settings[compiled.parameter_names[stops.index[row]]] = number(float(stops.value[row]))
        elif stops.action[row] == RESTORE_PARAMETER:
            name = compiled.parameter_names[stops.index[row]]
            settings[name] = origin[name]
        else:
            name = compiled.state_names[stops.index[row]]
            raise ProtocolError(protocol.name, name, "a state that was set has no former value to return to")
    periods = [Period(time, settings) for time, settings in sorted(changes.items())]
    return Experiment(id, (*([before] if before else []), *periods))


def _spike(stops: Stops, row: int, states: tuple[str, ...], parameters: tuple[str, ...]) -> tuple[str, Expr]:
    """The state that a spike adds to, and the sum."""
    state, jump, size = states[stops.index[row]], stops.jump[row], number(float(stops.value[row]))
    return state, add(symbol(state), size if jump < 0 else mul(size, symbol(parameters[jump])))
