"""The spike protocols that a rule is fitted to, and the ones it is judged by.

Training uses random trains only.  The held-out families are the experiments of the field: spike
timing (Bi & Poo 1998), pairing against frequency (Sjostrom et al. 2001), triplets and quadruplets
(Wang et al. 2005), theta bursts (Larson et al. 1986), Poisson trains, and trains whose rates
fluctuate as in vivo.  The fluctuating numbers come from seeded generators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from cascades.protocols import Protocol, rest, spikes
from cascades.reduction.cut import POST, PRE

BUDGETS = {"full": 1, "quick": 4}  # one in n of the held-out cases
TRAINING_CASES = {"full": 110, "quick": 48}


@dataclass(frozen=True)
class Case:
    """Presynaptic and postsynaptic spikes [s] of one experiment; `scale` multiplies the size of every
    calcium jump (or of every transmitter release), as synapses differ."""

    family: str
    name: str
    pre: tuple[float, ...]
    post: tuple[float, ...]
    scale: float = 1.0

    @property
    def end(self) -> float:
        """When the protocol is over [s]: half a second after its last spike."""
        return max((*self.pre, *self.post), default=0.0) + 0.5

    def protocol(
        self, *, shift: float = 0.0, delay: float = 0.0, ports: tuple[str, str] = (PRE, POST)
    ) -> Protocol:
        """The spikes at the ports, `shift` [s] later; presynaptic ones act after `delay` [s]."""
        whole = rest(self.end + shift)
        for target, times, more in ((ports[0], self.pre, delay), (ports[1], self.post, 0.0)):
            if times:
                train = spikes((t + shift + more for t in times), target=target, size=self.scale)
                whole = whole + train
        return replace(whole, name=self.name)


def training(count: int = 110, seed: int = 0) -> list[Case]:
    """Random regular trains: pairs, and one in six with presynaptic or postsynaptic spikes only."""
    draw = np.random.default_rng(seed)
    cases = []
    for k in range(count):
        alone = k % 6 == 5
        rate = 10.0 ** draw.uniform(-0.5, 1.6 if alone else 1.3)
        number = int(draw.integers(20, 150) if alone else draw.integers(5, 100))
        pre, post = _pairs(rate, draw.uniform(-0.1, 0.1), number)
        if alone:
            pre, post = (pre, ()) if k % 12 == 5 else ((), post)
        scale = 1.0 if alone else float(draw.uniform(0.35, 1.2))
        cases.append(Case("training", f"random train {k}", pre, post, scale))
    return cases


def held_out(budget: str = "full") -> dict[str, list[Case]]:
    """The families that judge a rule, by name; the quick budget keeps a quarter of each, by lot."""
    chosen = {}
    for name, make in FAMILIES.items():
        cases = list(make())
        lot = np.random.default_rng(7).permutation(len(cases))
        chosen[name] = [cases[i] for i in sorted(lot[: -(-len(cases) // BUDGETS[budget])])]
    return chosen


# --- the families -------------------------------------------------------------------------------


def _pairs(rate: float, delay: float, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pre = 0.5 + np.arange(count) / rate
    return _times(pre), _times(pre + delay)


def _times(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(t) for t in np.sort(np.asarray(list(values), dtype=float)))


def _spike_timing(rate: float, count: int, scale: float) -> Callable[[], Iterable[Case]]:
    def cases() -> Iterable[Case]:
        for delay in np.linspace(-0.12, 0.12, 17):
            pre, post = _pairs(rate, delay, count)
            yield Case("", f"{count} pairs at {rate:g} Hz, {1e3 * delay:+.0f} ms", pre, post, scale)

    return cases


def _pair_frequency() -> Iterable[Case]:
    for scale in (0.5, 0.9):
        for rate in (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0):
            for delay in (-0.03, 0.01):
                pre, post = _pairs(rate, delay, 40)
                yield Case(
                    "", f"40 pairs at {rate:g} Hz, {1e3 * delay:+.0f} ms, x {scale:g}", pre, post, scale
                )


def _pre_frequency() -> Iterable[Case]:
    for rate in (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0):
        yield Case("", f"100 presynaptic at {rate:g} Hz", _pairs(rate, 0.0, 100)[0], ())


def _triplets() -> Iterable[Case]:
    starts = 0.5 + np.arange(40)
    for scale in (0.4, 0.6):
        for before in (0.005, 0.015, 0.05):
            for after in (0.005, 0.015, 0.05):
                twice = _times(np.concatenate([starts - before, starts + after]))
                label = f"{1e3 * before:g}, {1e3 * after:g} ms, x {scale:g}"
                yield Case("", f"pre-post-pre {label}", twice, _times(starts), scale)
                yield Case("", f"post-pre-post {label}", _times(starts), twice, scale)


def _quadruplets() -> Iterable[Case]:
    starts = 0.6 + np.arange(40)
    for scale in (0.4, 0.7):
        for gap in (-0.08, -0.04, -0.02, 0.02, 0.04, 0.08):
            first, second = (starts - abs(gap) / 2, starts + abs(gap) / 2)
            inner = np.sign(gap) * 0.005
            pre = _times(np.concatenate([first - inner / 2, second + inner / 2]))
            post = _times(np.concatenate([first + inner / 2, second - inner / 2]))
            yield Case("", f"quadruplets {1e3 * gap:+.0f} ms, x {scale:g}", pre, post, scale)


def _theta_bursts() -> Iterable[Case]:
    for scale in (0.35, 0.6):
        for bursts in (5, 20):
            for rate in (50.0, 100.0):
                for per_burst in (3, 5):
                    for burst_rate in (1.0, 5.0):
                        starts = np.arange(bursts)[:, None] / burst_rate
                        pre = 0.5 + (starts + np.arange(per_burst) / rate).ravel()
                        label = (
                            f"{bursts} x {per_burst} at {rate:g} Hz, each {1.0 / burst_rate:g} s, x {scale:g}"
                        )
                        yield Case("", f"bursts {label}", _times(pre), (), scale)
                        yield Case("", f"bursts with spikes {label}", _times(pre), _times(pre + 0.005), scale)


POISSON_RATES = (
    (1, 1), (2, 2), (5, 5), (10, 10), (1, 5), (5, 1), (10, 2), (2, 10), (20, 0), (0, 20), (3, 3), (7, 7),
)  # fmt: skip


def _poisson() -> Iterable[Case]:
    for scale in (0.25, 0.4, 0.7):
        for seed, (pre, post) in enumerate(POISSON_RATES):
            draw = np.random.default_rng(seed)
            trains = [0.5 + draw.uniform(0.0, 40.0, draw.poisson(rate * 40.0)) for rate in (pre, post)]
            yield Case(
                "", f"Poisson {pre}, {post} Hz, x {scale:g}", _times(trains[0]), _times(trains[1]), scale
            )


def _in_vivo() -> Iterable[Case]:
    """Poisson trains whose common rate switches between a low and a high level, about once a second."""
    for scale in (0.3, 0.6):
        for seed, (low, high) in enumerate([(0.5, 5.0), (1.0, 10.0), (0.5, 20.0), (2.0, 8.0), (0.2, 15.0)]):
            draw = np.random.default_rng(100 + seed)
            edges = np.cumsum(draw.exponential(1.0, 80))
            trains = []
            for _ in range(2):
                candidates = np.sort(draw.uniform(0.0, 40.0, draw.poisson(high * 40.0)))
                is_high = np.searchsorted(edges, candidates) % 4 == 3
                stays = is_high | (draw.uniform(size=candidates.size) < low / high)
                trains.append(0.5 + candidates[stays])
            label = f"in vivo {low:g} to {high:g} Hz, x {scale:g}"
            yield Case("", label, _times(trains[0]), _times(trains[1]), scale)


def _named(name: str, make: Callable[[], Iterable[Case]]) -> Callable[[], Iterable[Case]]:
    return lambda: (replace(case, family=name) for case in make())


FAMILIES: dict[str, Callable[[], Iterable[Case]]] = {
    name: _named(name, make)
    for name, make in {
        "spike timing, 60 pairs at 1 Hz": _spike_timing(1.0, 60, 0.6),
        "spike timing, 15 pairs at 1 Hz": _spike_timing(1.0, 15, 0.8),
        "spike timing, 60 pairs at 5 Hz": _spike_timing(5.0, 60, 0.5),
        "pairing frequency": _pair_frequency,
        "presynaptic frequency": _pre_frequency,
        "triplets": _triplets,
        "quadruplets": _quadruplets,
        "theta bursts": _theta_bursts,
        "Poisson": _poisson,
        "in vivo": _in_vivo,
    }.items()
}

__all__ = ["BUDGETS", "FAMILIES", "TRAINING_CASES", "Case", "held_out", "training"]
