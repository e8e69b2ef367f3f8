"""The two curves that every plasticity paper shows, from the full model and from a rule, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cascades.protocols import Protocol, pairing, pulse_train
from cascades.reduction import CalciumRule
from cascades.reduction.batch import jumps_of, replay_cases
from cascades.reduction.cut import POST, PRE
from cascades.reduction.families import Case
from cascades.report.spiking import Spiking
from cascades.simulate import simulate

DELAYS = np.array([-100, -60, -40, -30, -20, -15, -10, -5, 0, 5, 10, 15, 20, 30, 40, 60, 100]) / 1e3  # [s]
PAIRS, PAIR_RATE = 60, 1.0  # Bi & Poo (1998) J Neurosci 18:10464: 60 pairs at 1 Hz
RATES = np.array([0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0])  # [Hz]
PULSES = 300


@dataclass(frozen=True, eq=False)
class Curve:
    """Efficacy after each protocol, between the DOWN state (0) and the UP state (1).

    x : float, shape (protocols,)
    full, rule : float, shape (2, protocols), from the DOWN and from the UP state
    separatrices : of the full model and of the rule
    """

    title: str
    label: str
    x: np.ndarray
    full: np.ndarray
    rule: np.ndarray
    separatrices: tuple[float, float]

    @property
    def agreement(self) -> float:
        """The fraction of protocols after which both are on the same side, each of its own separatrix."""
        full, rule = self.separatrices
        return float(np.mean((self.full > full) == (self.rule > rule)))


def curves(
    spine: Spiking, rule: CalciumRule, *, report: Callable[[float], None] | None = None
) -> list[Curve]:
    """Spike timing and frequency, from both resting states."""
    pairs = [pairing(delay=float(d), rate=PAIR_RATE, count=PAIRS) for d in DELAYS]
    trains = [pulse_train(rate=float(rate), count=PULSES) for rate in RATES]
    own = rule.rho_star if rule.well == "cubic" else spine.rho_star
    separatrices = (spine.rho_star, own)
    found = []
    for i, (title, label, x, protocols) in enumerate((
        (f"{PAIRS} pairs at {PAIR_RATE:g} Hz", "post minus pre [ms]", 1e3 * DELAYS, pairs),
        (f"{PULSES} presynaptic spikes", "rate [Hz]", RATES, trains),
    )):  # fmt: skip
        full, said = _full(spine, protocols), _said(rule, protocols, spine.rest)
        found.append(Curve(title, label, x, full, said, separatrices))
        if report:
            report(0.5 * (i + 1))
    return found


def _full(spine: Spiking, protocols: Sequence[Protocol]) -> np.ndarray:
    """Shape (2, protocols).  The protocols are shifted so that all end, and are read, at the same time."""
    end = max(p.duration for p in protocols)
    shifted = [spine.delayed(p).shift(end - p.duration) for p in protocols] * 2
    states = (spine.down, spine.up)
    initial = {name: np.repeat([s[name] for s in states], len(protocols)) for name in spine.model.state_names}
    run = simulate(spine.model, [0.0, end + spine.rest], protocol=shifted, initial=initial)
    return spine.efficacy(np.asarray(run[spine.weight])[:, -1]).reshape(2, -1)


def _said(rule: CalciumRule, protocols: Sequence[Protocol], rest: float) -> np.ndarray:
    """Shape (2, protocols)."""
    cases = [Case("", p.name, tuple(p.spike_times(PRE)), tuple(p.spike_times(POST))) for p in protocols]
    jumps = replace(jumps_of(cases, rule.calcium), end=np.array([p.duration for p in protocols]))
    return replay_cases(rule, jumps, rest)[1].T
