"""Stimulation protocols: what happens to a synapse, when.

A `Protocol` is pure data: spikes that arrive at a port and settings of an input.  Protocols are
shifted, overlaid (`+`), joined (`then`) and repeated; nothing of them is ever inside a model file.
Experiments (`EXPERIMENTS`) are protocols that end at their read-out.
Times in s, rates in Hz, before the units of a foreign model are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cascades.errors import ProtocolError

HOUR = 3600.0  # [s]


@dataclass(frozen=True)
class Spikes:
    """Spikes at `times` [s] on `target`: each adds `size` times the port's jump to its state."""

    target: str
    times: tuple[float, ...]
    size: float = 1.0


@dataclass(frozen=True)
class Setting:
    """From `time` [s] on `target` has `value`; None gives it back the value it had at the start."""

    target: str
    time: float
    value: float | None


@dataclass(frozen=True)
class Protocol:
    """Stimuli and the time [s] they take, rest after the last stimulus included."""

    name: str
    stimuli: tuple[Spikes | Setting, ...] = ()
    duration: float = 0.0

    def __add__(self, other: Protocol) -> Protocol:
        """Both at once."""
        name = " + ".join(part for part in (self.name, other.name) if part)
        return Protocol(name, self.stimuli + other.stimuli, max(self.duration, other.duration))

    def shift(self, delay: float) -> Protocol:
        """The same, `delay` [s] later."""
        if not math.isfinite(delay):
            raise ProtocolError(self.name, delay, "the delay must be finite")
        moved = tuple(_shift(stimulus, delay) for stimulus in self.stimuli)
        early = [t for stimulus in moved for t in _times(stimulus) if t < 0.0]
        if early:
            raise ProtocolError(
                self.name, delay, f"a stimulus would come at {min(early):.6g} s, before time 0"
            )
        return Protocol(self.name, moved, max(0.0, self.duration + delay))

    def then(self, other: Protocol, *, after: float = 0.0) -> Protocol:
        """`other` begins `after` [s] later than this one ends."""
        later = other.shift(self.duration + _not_negative(self.name, after, "the pause"))
        return Protocol(f"{self.name}, then {other.name}", self.stimuli + later.stimuli, later.duration)

    def repeat(self, count: int, *, every: float) -> Protocol:
        """`count` copies whose beginnings lie `every` [s] apart."""
        _count(self.name, count)
        _positive(self.name, every, "the interval between repeats")
        copies = [self.shift(i * every) for i in range(count)]
        stimuli = tuple(stimulus for copy in copies for stimulus in copy.stimuli)
        return Protocol(f"{count} x ({self.name})", stimuli, copies[-1].duration)

    def rest(self, duration: float) -> Protocol:
        """The same, followed by `duration` [s] without stimuli."""
        return replace(self, duration=self.duration + _not_negative(self.name, duration, "the rest"))

    def targets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(stimulus.target for stimulus in self.stimuli))

    def times(self) -> np.ndarray:
        """All times [s] at which something happens, sorted, each once."""
        return np.unique([t for stimulus in self.stimuli for t in _times(stimulus)])

    def last_stimulus(self) -> float:
        """When [s] the last spike comes or the last setting begins; 0 without stimuli."""
        found = [s.times[-1] for s in self.stimuli if isinstance(s, Spikes) and s.times]
        found += [s.time for s in self.stimuli if isinstance(s, Setting) and s.value is not None]
        return max(found, default=0.0)

    def spike_times(self, target: str) -> np.ndarray:
        """The sorted times [s] of the spikes on `target`."""
        found = [s.times for s in self.stimuli if isinstance(s, Spikes) and s.target == target]
        return np.sort(np.concatenate(found)) if found else np.empty(0)


# --- stimuli ------------------------------------------------------------------------------------


def spikes(times: Iterable[float], *, target: str = "glutamate", size: float = 1.0) -> Protocol:
    """Spikes at given times [s]."""
    listed = tuple(sorted(float(t) for t in times))
    for t in listed:
        _not_negative("spikes", t, "a spike time")
    if not math.isfinite(size):
        raise ProtocolError("spikes", size, "the size must be finite")
    last = listed[-1] if listed else 0.0
    return Protocol(f"{len(listed)} spikes", (Spikes(target, listed, float(size)),), last)


def pulse_train(
    *, rate: float, count: int, start: float = 0.0, target: str = "glutamate", size: float = 1.0
) -> Protocol:
    """`count` spikes at `rate` [Hz], the first at `start` [s]; it ends one interval after the last."""
    name = f"{count} at {rate:g} Hz"
    _positive(name, rate, "the rate")
    _count(name, count)
    _not_negative(name, start, "the start")
    times = start + np.arange(count) / rate
    return replace(spikes(times, target=target, size=size), name=name, duration=start + count / rate)


def lfs(*, rate: float = 1.0, count: int = 900, target: str = "glutamate") -> Protocol:
    """Low-frequency stimulation, 900 at 1 Hz by default (Dudek & Bear 1992)."""
    return pulse_train(rate=rate, count=count, target=target)


def hfs(
    *,
    trains: int = 4,
    rate: float = 100.0,
    count: int = 100,
    interval: float = 300.0,
    target: str = "glutamate",
) -> Protocol:
    """High-frequency stimulation: `trains` of `count` pulses at `rate` [Hz], `interval` [s] apart."""
    train = pulse_train(rate=rate, count=count, target=target)
    return train if trains == 1 else train.repeat(trains, every=interval)


def theta_burst(
    *,
    bursts: int = 10,
    spikes_per_burst: int = 4,
    rate: float = 100.0,
    burst_rate: float = 5.0,
    trains: int = 1,
    interval: float = 10.0,
    target: str = "glutamate",
) -> Protocol:
    """Bursts of `spikes_per_burst` at `rate` [Hz], `burst_rate` [Hz] bursts per second."""
    name = f"theta burst {trains} x {bursts} x {spikes_per_burst}"
    _positive(name, burst_rate, "the burst rate")
    burst = pulse_train(rate=rate, count=spikes_per_burst, target=target)
    train = burst.repeat(bursts, every=1.0 / burst_rate)
    whole = train if trains == 1 else train.repeat(trains, every=interval)
    return replace(whole, name=name)


def pairing(
    *,
    delay: float,
    rate: float = 1.0,
    count: int = 60,
    pre: str = "glutamate",
    post: str = "bap",
    post_spikes: int = 1,
    post_rate: float = 50.0,
) -> Protocol:
    """Spike pairs at `rate` [Hz]; the postsynaptic spike comes `delay` [s] after the presynaptic one
    (before it if negative).  With several `post_spikes` the first of the burst has that delay."""
    name = f"{count} pairs at {rate:g} Hz, {1e3 * delay:+g} ms"
    _positive(name, rate, "the rate")
    _count(name, count)
    _finite(name, delay, "the delay")
    first_pre, first_post = max(0.0, -delay), max(0.0, delay)
    burst = pulse_train(rate=post_rate, count=post_spikes, start=first_post, target=post)
    pair = spikes([first_pre], target=pre) + burst
    return replace(pair.repeat(count, every=1.0 / rate), name=name, duration=count / rate + abs(delay))


def poisson(*, rate: float, duration: float, seed: int, target: str = "glutamate") -> Protocol:
    """A Poisson train of `rate` [Hz] for `duration` [s]; the same seed gives the same spikes."""
    name = f"Poisson {rate:g} Hz"
    _not_negative(name, rate, "the rate")
    _positive(name, duration, "the duration")
    generator = np.random.Generator(np.random.Philox(seed))
    times = np.sort(generator.uniform(0.0, duration, generator.poisson(rate * duration)))
    return replace(spikes(times, target=target), name=name, duration=duration)


def setting(target: str, value: float, *, start: float = 0.0, stop: float | None = None) -> Protocol:
    """`target` is held at `value` from `start` [s] until `stop` [s] (for good if None)."""
    name = f"{target} = {value:g}"
    _finite(name, value, "the value")
    _not_negative(name, start, "the start")
    if stop is None:
        return Protocol(name, (Setting(target, start, float(value)),), start)
    if not stop > start:
        raise ProtocolError(name, stop, f"the stop must come after the start at {start:g} s")
    return Protocol(name, (Setting(target, start, float(value)), Setting(target, stop, None)), stop)


def rest(duration: float) -> Protocol:
    """Nothing, for `duration` [s]."""
    return Protocol("rest", (), _not_negative("rest", duration, "the duration"))


def overlay(protocols: Sequence[Protocol]) -> Protocol:
    """All at once."""
    whole = rest(0.0)
    for protocol in protocols:
        whole = whole + protocol
    return replace(whole, name=" + ".join(p.name for p in protocols))


# --- experiments ----------------------------------------------------------------------------------


def early_ltp(*, after: float = 600.0) -> Protocol:
    """One train of 100 at 100 Hz, read `after` [s] the train."""
    return _experiment(f"early LTP at {after:g} s", hfs(trains=1), after)


def late_ltp(*, trains: int = 4, after: float = 8.0 * HOUR) -> Protocol:
    """Trains of 100 at 100 Hz, 5 min apart (Frey & Morris 1997), read `after` [s] the last."""
    return _experiment(f"late LTP, {trains} trains, at {after:g} s", hfs(trains=trains), after)


def ltd(*, after: float = HOUR) -> Protocol:
    """900 at 1 Hz (Dudek & Bear 1992), read `after` [s] the last."""
    return _experiment(f"LTD at {after:g} s", lfs(), after)


def frequency_response(*, rate: float, count: int = 900, after: float = HOUR) -> Protocol:
    """`count` pulses at `rate` [Hz] (Dudek & Bear 1992), read `after` [s] the last."""
    return _experiment(f"{count} at {rate:g} Hz, at {after:g} s", lfs(rate=rate, count=count), after)


def stdp(*, delay: float, rate: float = 1.0, count: int = 60, after: float = 1500.0) -> Protocol:
    """`count` pairs at `rate` [Hz], post `delay` [s] after pre (Bi & Poo 1998), read `after` [s] the last."""
    pairs = pairing(delay=delay, rate=rate, count=count)
    return _experiment(f"{pairs.name}, at {after:g} s", pairs, after)


def priming(*, pause: float = 0.5 * HOUR, after: float = 600.0) -> Protocol:
    """900 at 1 Hz, and `pause` [s] later one train of 100 at 100 Hz, read `after` [s] the train."""
    whole = lfs().then(hfs(trains=1), after=pause)
    return _experiment(f"LTP {pause:g} s after LTD priming", whole, after)


def reset(*, trains: int = 4, pause: float = 4.0 * HOUR, after: float = 4.0 * HOUR) -> Protocol:
    """Late LTP and, `pause` [s] later, 900 at 1 Hz, read `after` [s] them."""
    return _experiment("late LTP, then LTD", hfs(trains=trains).then(lfs(), after=pause), after)


EXPERIMENTS: dict[str, Callable[..., Protocol]] = {
    "early_ltp": early_ltp,
    "late_ltp": late_ltp,
    "ltd": ltd,
    "frequency_response": frequency_response,
    "stdp": stdp,
    "priming": priming,
    "reset": reset,
}


def _experiment(name: str, stimuli: Protocol, after: float) -> Protocol:
    """The stimuli and the rest until they are read out: the protocol ends there."""
    return replace(stimuli.rest(after), name=name)


# --- checks -------------------------------------------------------------------------------------


def _finite(name: str, value: float, what: str) -> float:
    if not math.isfinite(value):
        raise ProtocolError(name, value, f"{what} must be finite")
    return float(value)


def _positive(name: str, value: float, what: str) -> float:
    if not _finite(name, value, what) > 0.0:
        raise ProtocolError(name, value, f"{what} must be positive")
    return float(value)


def _not_negative(name: str, value: float, what: str) -> float:
    if _finite(name, value, what) < 0.0:
        raise ProtocolError(name, value, f"{what} must not be negative")
    return float(value)


def _count(name: str, count: int) -> int:
    if count != int(count) or count < 1:
        raise ProtocolError(name, count, "the count must be a whole number of at least 1")
    return int(count)


def _times(stimulus: Spikes | Setting) -> tuple[float, ...]:
    return stimulus.times if isinstance(stimulus, Spikes) else (stimulus.time,)


def _shift(stimulus: Spikes | Setting, delay: float) -> Spikes | Setting:
    if isinstance(stimulus, Spikes):
        return replace(stimulus, times=tuple(t + delay for t in stimulus.times))
    return replace(stimulus, time=stimulus.time + delay)
