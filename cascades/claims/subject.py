"""The model that a claim is about, compiled once, and the experiments that claims do on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades import protocols
from cascades.card import ModelCard
from cascades.errors import ProtocolError, UnknownName
from cascades.simulate import simulate

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.trajectory import Trajectory

RTOL = 1e-8
SOLVER = "rodas5p"
_STIMULI = (
    "spikes", "pulse_train", "lfs", "hfs", "theta_burst", "pairing", "poisson", "setting", "rest",
    *protocols.EXPERIMENTS,
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A compiled model with its card."""

    compiled: CompiledModel
    card: ModelCard
    _runs: dict[str, Trajectory] = field(default_factory=dict, compare=False, repr=False)

    def values(self, given: Mapping[str, float] | None, named: str = "") -> dict[str, float]:
        """Parameter values: those of a named set or patch, overridden by those given."""
        return {**(self.card.values(named) if named else {}), **(given or {})}

    def initial(
        self, given: Mapping[str, float | str] | None, values: Mapping[str, float]
    ) -> dict[str, float]:
        """Initial states; a text stands for the parameter of that name."""
        known = {**self.compiled.default_values, **values}
        return {
            name: float(known[v]) if isinstance(v, str) else float(v) for name, v in (given or {}).items()
        }

    def observe(self, name: str, state: Mapping[str, float], values: Mapping[str, float]) -> float:
        """A state or observable at one state."""
        if name in state:
            return float(state[name])
        y = np.array([state[n] for n in self.compiled.state_names])
        return float(
            np.squeeze(self.compiled.observable(name, y, self.compiled.parameter_array(values)[0], 0.0))
        )

    def run(
        self,
        *,
        duration: float,
        protocol: Sequence[Mapping[str, Any]] = (),
        values: Mapping[str, float] | None = None,
        named: str = "",
        initial: Mapping[str, float | str] | None = None,
        settle: float = 0.0,
        before: Sequence[Mapping[str, Any]] = (),
        samples: int = 2001,
        rtol: float = RTOL,
    ) -> Trajectory:
        """A run of `duration`, after `settle` with the stimuli in `before`, none as a rule.  Times count
        from the first stimulus' time 0; the same experiment is run only once."""
        chosen = self.values(values, named)
        key = repr((duration, protocol, sorted(chosen.items()), initial, settle, before, samples, rtol))
        if key not in self._runs:
            start = self.settled(values, named, initial, settle, before, rtol)
            times = np.linspace(0.0, duration, samples)
            stimuli = build_protocol(protocol)
            times = np.unique(np.concatenate([times, stimuli.times()[stimuli.times() <= duration]]))
            self._runs[key] = simulate(
                self.compiled, times, protocol=stimuli, values=chosen, initial=start, rtol=rtol, solver=SOLVER
            )
        return self._runs[key]

    def batch(
        self,
        stimuli: Sequence[protocols.Protocol],
        times: Sequence[float] | np.ndarray,
        *,
        values: Mapping[str, float] | None = None,
        named: str = "",
        rtol: float = RTOL,
        **start: Any,
    ) -> Trajectory:
        """One run per protocol, all from the state that `settled` gives; done once."""
        chosen = self.values(values, named)
        key = repr((stimuli, list(times), sorted(chosen.items()), start, rtol))
        if key not in self._runs:
            initial = self.settled(values, named, rtol=rtol, **start)
            self._runs[key] = simulate(
                self.compiled, times,
                protocol=stimuli, values=chosen, initial=initial, rtol=rtol, solver=SOLVER,
            )  # fmt: skip
        return self._runs[key]

    def settled(
        self,
        values: Mapping[str, float] | None = None,
        named: str = "",
        initial: Mapping[str, float | str] | None = None,
        settle: float = 0.0,
        before: Sequence[Mapping[str, Any]] = (),
        rtol: float = RTOL,
    ) -> dict[str, float]:
        """The state after `settle` with the stimuli in `before`."""
        chosen = self.values(values, named)
        start = self.initial(initial, chosen)
        if not settle:
            return start
        key = repr((sorted(chosen.items()), initial, settle, before, rtol))
        if key not in self._runs:
            self._runs[key] = simulate(
                self.compiled, [0.0, settle],
                protocol=build_protocol(before), values=chosen, initial=start, rtol=rtol, solver=SOLVER,
            )  # fmt: skip
        return self._runs[key].final()


def build_protocol(entries: Sequence[Mapping[str, Any]]) -> protocols.Protocol:
    """A protocol from tables such as {kind = "pulse_train", rate = 1.0, count = 900}.

    Keys other than `kind`, `begin` [s], `repeat` and `every` [s] are arguments of the constructor.
    """
    parts = []
    for entry in entries:
        arguments = dict(entry)
        kind = arguments.pop("kind", "")
        if kind not in _STIMULI:
            raise UnknownName("stimulus", kind, _STIMULI)
        begin, count, every = (
            arguments.pop(k, d) for k, d in (("begin", 0.0), ("repeat", 1), ("every", 1.0))
        )
        try:
            part = getattr(protocols, kind)(**arguments)
        except TypeError as error:
            raise ProtocolError(kind, arguments, str(error)) from error
        part = part.repeat(count, every=every) if count > 1 else part
        parts.append(part.shift(begin) if begin else part)
    return dataclasses.replace(
        protocols.overlay(parts), name=" + ".join(part.name for part in parts) or "rest"
    )


def varied(
    values: Mapping[str, float] | None, vary: Mapping[str, Sequence[float]] | None
) -> Iterator[dict[str, float]]:
    """The values once per entry of the (equally long) sequences in `vary`."""
    fixed = dict(values or {})
    if not vary:
        yield fixed
        return
    for numbers in zip(*vary.values(), strict=True):
        yield {**fixed, **dict(zip(vary, numbers, strict=True))}
