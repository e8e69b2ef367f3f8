"""The spike protocols that a rule is fitted to, and the ones it is judged by.

Training uses random trains only.  The families are the experiments of the field: spike timing (Bi &
Poo 1998), pairing against frequency (Sjostrom et al. 2001), triplets and quadruplets (Wang et al.
2005), theta bursts (Larson et al. 1986), Poisson trains, and trains whose rates fluctuate as in vivo.
There are two sets of them, with other numbers and other seeds: `validation` serves every choice (which
level, which tolerance), `held_out` only judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from cascades.protocols import Protocol, rest, spikes
from cascades.reduction.cut import POST, PRE

BUDGETS = {"full": 1, "quick": 4}  # one in n of the cases of a family
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


def validation(budget: str = "full") -> dict[str, list[Case]]:
    """The families that choices are made by, by name; the quick budget keeps a quarter of each, by lot."""
    return _families(VALIDATION, budget)


def held_out(budget: str = "full") -> dict[str, list[Case]]:
    """The families that judge a rule, by name; the quick budget keeps a quarter of each, by lot."""
    return _families(HELD_OUT, budget)


@dataclass(frozen=True)
class Numbers:
    """What distinguishes two sets of families: rates [Hz], times [s], counts, sizes of the jumps, seeds."""

    timing: tuple[tuple[int, float, float], ...]  # (pairs, rate, scale)
    delays: tuple[float, ...]
    pair_rates: tuple[float, ...]
    pair_delays: tuple[float, float]
    pair_scales: tuple[float, ...]
    pre_rates: tuple[float, ...]
    intervals: tuple[float, ...]  # of triplets
    triplet_scales: tuple[float, ...]
    gaps: tuple[float, ...]  # of quadruplets
    quadruplet_scales: tuple[float, ...]
    bursts: tuple[int, ...]
    burst_rates: tuple[float, ...]  # inside, and of bursts
    per_burst: tuple[int, ...]
    theta: tuple[float, ...]
    burst_scales: tuple[float, ...]
    poisson: tuple[tuple[float, float], ...]
    poisson_scales: tuple[float, ...]
    in_vivo: tuple[tuple[float, float], ...]
    in_vivo_scales: tuple[float, ...]
    seed: int


VALIDATION = Numbers(
    timing=((60, 1.0, 0.6), (15, 1.0, 0.8), (60, 5.0, 0.5)),
    delays=tuple(np.linspace(-0.12, 0.12, 17).tolist()),
    pair_rates=(0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0),
    pair_delays=(-0.03, 0.01),
    pair_scales=(0.5, 0.9),
    pre_rates=(0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0),
    intervals=(0.005, 0.015, 0.05),
    triplet_scales=(0.4, 0.6),
    gaps=(-0.08, -0.04, -0.02, 0.02, 0.04, 0.08),
    quadruplet_scales=(0.4, 0.7),
    bursts=(5, 20),
    burst_rates=(50.0, 100.0),
    per_burst=(3, 5),
    theta=(1.0, 5.0),
    burst_scales=(0.35, 0.6),
    poisson=(
        (1, 1), (2, 2), (5, 5), (10, 10), (1, 5), (5, 1), (10, 2), (2, 10), (20, 0), (0, 20), (3, 3), (7, 7),
    ),
    poisson_scales=(0.25, 0.4, 0.7),
    in_vivo=((0.5, 5.0), (1.0, 10.0), (0.5, 20.0), (2.0, 8.0), (0.2, 15.0)),
    in_vivo_scales=(0.3, 0.6),
    seed=0,
)  # fmt: skip

HELD_OUT = Numbers(
    timing=((50, 0.5, 0.65), (20, 2.0, 0.7), (75, 8.0, 0.45)),
    delays=tuple(np.linspace(-0.1, 0.1, 17).tolist()),
    pair_rates=(0.1, 0.7, 1.5, 2.5, 4.0, 6.0, 10.0, 15.0, 30.0),
    pair_delays=(-0.02, 0.015),
    pair_scales=(0.45, 0.8),
    pre_rates=(0.8, 1.5, 2.5, 4.0, 6.0, 9.0, 12.0, 20.0, 30.0, 40.0),
    intervals=(0.008, 0.02, 0.035),
    triplet_scales=(0.45, 0.55),
    gaps=(-0.1, -0.06, -0.03, 0.03, 0.06, 0.1),
    quadruplet_scales=(0.45, 0.6),
    bursts=(8, 15),
    burst_rates=(40.0, 80.0),
    per_burst=(2, 4),
    theta=(2.0, 6.0),
    burst_scales=(0.4, 0.55),
    poisson=(
        (1, 2), (2, 1), (4, 4), (8, 8), (2, 6), (6, 2), (12, 3), (3, 12), (15, 0), (0, 15), (2, 3), (6, 6),
    ),
    poisson_scales=(0.3, 0.45, 0.6),
    in_vivo=((0.4, 6.0), (0.8, 12.0), (1.0, 18.0), (1.5, 7.0), (0.3, 10.0)),
    in_vivo_scales=(0.35, 0.5),
    seed=1000,
)  # fmt: skip


def _families(numbers: Numbers, budget: str) -> dict[str, list[Case]]:
    made: dict[str, list[Case]] = {}
    for count, rate, scale in numbers.timing:
        name = f"spike timing, {count} pairs at {rate:g} Hz"
        made[name] = list(_spike_timing(rate, count, scale, numbers.delays))
    made |= {name: list(make(numbers)) for name, make in FAMILIES.items()}
    chosen = {}
    for name, cases in made.items():
        lot = np.random.default_rng(7 + numbers.seed).permutation(len(cases))
        kept = sorted(lot[: -(-len(cases) // BUDGETS[budget])])
        chosen[name] = [replace(cases[i], family=name) for i in kept]
    return chosen


# --- the families -------------------------------------------------------------------------------


def _pairs(rate: float, delay: float, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pre = 0.5 + np.arange(count) / rate
    return _times(pre), _times(pre + delay)


def _times(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(t) for t in np.sort(np.asarray(list(values), dtype=float)))


def _spike_timing(rate: float, count: int, scale: float, delays: Iterable[float]) -> Iterable[Case]:
    for delay in delays:
        pre, post = _pairs(rate, delay, count)
        yield Case("", f"{count} pairs at {rate:g} Hz, {1e3 * delay:+.0f} ms", pre, post, scale)


def _pair_frequency(numbers: Numbers) -> Iterable[Case]:
    for scale, rate, delay in product(numbers.pair_scales, numbers.pair_rates, numbers.pair_delays):
        pre, post = _pairs(rate, delay, 40)
        yield Case("", f"40 pairs at {rate:g} Hz, {1e3 * delay:+.0f} ms, x {scale:g}", pre, post, scale)


def _pre_frequency(numbers: Numbers) -> Iterable[Case]:
    for rate in numbers.pre_rates:
        yield Case("", f"100 presynaptic at {rate:g} Hz", _pairs(rate, 0.0, 100)[0], ())


def _triplets(numbers: Numbers) -> Iterable[Case]:
    starts = 0.5 + np.arange(40)
    for scale, before, after in product(numbers.triplet_scales, numbers.intervals, numbers.intervals):
        twice = _times(np.concatenate([starts - before, starts + after]))
        label = f"{1e3 * before:g}, {1e3 * after:g} ms, x {scale:g}"
        yield Case("", f"pre-post-pre {label}", twice, _times(starts), scale)
        yield Case("", f"post-pre-post {label}", _times(starts), twice, scale)


def _quadruplets(numbers: Numbers) -> Iterable[Case]:
    starts = 0.6 + np.arange(40)
    for scale, gap in product(numbers.quadruplet_scales, numbers.gaps):
        first, second = (starts - abs(gap) / 2, starts + abs(gap) / 2)
        inner = np.sign(gap) * 0.005
        pre = _times(np.concatenate([first - inner / 2, second + inner / 2]))
        post = _times(np.concatenate([first + inner / 2, second - inner / 2]))
        yield Case("", f"quadruplets {1e3 * gap:+.0f} ms, x {scale:g}", pre, post, scale)


def _theta_bursts(numbers: Numbers) -> Iterable[Case]:
    every = product(
        numbers.burst_scales, numbers.bursts, numbers.burst_rates, numbers.per_burst, numbers.theta
    )
    for scale, bursts, rate, per_burst, burst_rate in every:
        starts = np.arange(bursts)[:, None] / burst_rate
        pre = 0.5 + (starts + np.arange(per_burst) / rate).ravel()
        label = f"{bursts} x {per_burst} at {rate:g} Hz, each {1.0 / burst_rate:.2g} s, x {scale:g}"
        yield Case("", f"bursts {label}", _times(pre), (), scale)
        yield Case("", f"bursts with spikes {label}", _times(pre), _times(pre + 0.005), scale)


def _poisson(numbers: Numbers) -> Iterable[Case]:
    for scale in numbers.poisson_scales:
        for number, (pre, post) in enumerate(numbers.poisson):
            draw = np.random.default_rng(numbers.seed + number)
            trains = [0.5 + draw.uniform(0.0, 40.0, draw.poisson(rate * 40.0)) for rate in (pre, post)]
            name = f"Poisson {pre}, {post} Hz, x {scale:g}"
            yield Case("", name, _times(trains[0]), _times(trains[1]), scale)


def _in_vivo(numbers: Numbers) -> Iterable[Case]:
    """Poisson trains whose common rate switches between a low and a high level, about once a second."""
    for scale in numbers.in_vivo_scales:
        for number, (low, high) in enumerate(numbers.in_vivo):
            draw = np.random.default_rng(100 + numbers.seed + number)
            edges = np.cumsum(draw.exponential(1.0, 80))
            trains = []
            for _ in range(2):
                candidates = np.sort(draw.uniform(0.0, 40.0, draw.poisson(high * 40.0)))
                is_high = np.searchsorted(edges, candidates) % 4 == 3
                stays = is_high | (draw.uniform(size=candidates.size) < low / high)
                trains.append(0.5 + candidates[stays])
            label = f"in vivo {low:g} to {high:g} Hz, x {scale:g}"
            yield Case("", label, _times(trains[0]), _times(trains[1]), scale)


FAMILIES: dict[str, Callable[[Numbers], Iterable[Case]]] = {
    "pairing frequency": _pair_frequency,
    "presynaptic frequency": _pre_frequency,
    "triplets": _triplets,
    "quadruplets": _quadruplets,
    "theta bursts": _theta_bursts,
    "Poisson": _poisson,
    "in vivo": _in_vivo,
}

__all__ = ["BUDGETS", "FAMILIES", "TRAINING_CASES", "Case", "held_out", "training", "validation"]
