"""The nine parameter sets of Graupner & Brunel (2012) PNAS 109:3991, SI Tables S1 and S2, and their
analytic synaptic change.

There rho' = ... / tau multiplies everything, so their gammas divided by tau are ours [1/s].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.errors import UnknownName
from cascades.reduction.rule import CalciumRule, CalciumTrace

# (tau_Ca [s], C_pre, C_post, theta_d, theta_p, gamma_d, gamma_p, sigma, tau [s], delay [s], beta, b)
_SETS: dict[str, tuple[float, ...]] = {
    "DP": (0.02, 1.0, 2.0, 1.0, 1.3, 200.0, 321.808, 2.8284, 150.0, 0.0137, 0.5, 5.0),
    "DPD": (0.02, 0.9, 0.9, 1.0, 1.3, 250.0, 550.0, 2.8284, 150.0, 0.0046, 0.5, 5.0),
    "DPD'": (0.02, 1.0, 2.0, 1.0, 2.5, 50.0, 600.0, 2.8284, 150.0, 0.0022, 0.5, 5.0),
    "P": (0.02, 2.0, 2.0, 1.0, 1.3, 160.0, 257.447, 2.8284, 150.0, 0.0, 0.5, 5.0),
    "D": (0.02, 0.6, 0.6, 1.0, 1.3, 500.0, 550.0, 5.6568, 150.0, 0.0, 0.5, 5.0),
    "D'": (0.02, 1.0, 2.0, 1.0, 3.5, 60.0, 600.0, 2.8284, 150.0, 0.0, 0.5, 5.0),
    "hippocampal slice": (
        0.0488373, 1.0, 0.275865, 1.0, 1.3, 313.0965, 1645.59, 9.1844, 688.355, 0.0188008, 0.7, 5.28145,
    ),
    "hippocampal culture": (
        0.0119536, 0.58156, 1.76444, 1.0, 1.3, 61.141, 113.6545, 2.5654, 33.7596, 0.01, 0.5, 36.0263,
    ),
    "cortical slice": (
        0.0226936, 0.5617539, 1.23964, 1.0, 1.3, 331.909, 725.085, 3.3501, 346.3615, 0.0046098, 0.5, 5.40988,
    ),
}  # fmt: skip
PUBLISHED = tuple(_SETS)


@dataclass(frozen=True)
class Population:
    """Synapses of which a fraction `beta` starts DOWN; UP ones are `ratio` times as strong (b there)."""

    beta: float = 0.5
    ratio: float = 5.0


def published_rule(name: str) -> CalciumRule:
    """One of the nine published rules.  Raises UnknownName."""
    tau_ca, pre, post, theta_d, theta_p, gamma_d, gamma_p, sigma, tau, delay, _, _ = _set(name)
    return CalciumRule(
        theta_d=theta_d,
        theta_p=theta_p,
        gamma_d=gamma_d / tau,
        gamma_p=gamma_p / tau,
        tau=tau,
        rho_star=0.5,
        sigma=sigma,
        calcium=CalciumTrace(0.0, pre, post, tau_ca, delay),
        name=name,
        provenance={"source": "Graupner & Brunel (2012) PNAS 109:3991, SI Tables S1, S2", "set": name},
    )


def published_population(name: str) -> Population:
    beta, ratio = _set(name)[-2:]
    return Population(beta, ratio)


def _set(name: str) -> tuple[float, ...]:
    if name not in _SETS:
        raise UnknownName("published rule", name, _SETS)
    return _SETS[name]


def time_above(rule: CalciumRule, delay: float, rate: float) -> tuple[float, float]:
    """Fractions of time above theta_d and theta_p for regular pairs, in the periodic state.

    `delay` [s] from the pre- to the postsynaptic spike, `rate` [Hz] of the pairs.
    """
    trace, period = rule.calcium, 1.0 / rate
    arrivals = sorted([(trace.delay % period, trace.pre), (delay % period, trace.post)])
    # the excess just after the first arrival, once periodic
    (t1, jump1), (t2, jump2) = arrivals
    gap = t2 - t1
    first = (jump1 + jump2 * math.exp(-(period - gap) / trace.tau)) / -math.expm1(-period / trace.tau)
    second = first * math.exp(-gap / trace.tau) + jump2
    above = []
    for theta in (rule.theta_d, rule.theta_p):
        level = theta - trace.rest
        spent = [
            min(length, trace.tau * math.log(excess / level)) if excess > level else 0.0
            for excess, length in ((first, gap), (second, period - gap))
        ]
        above.append(sum(spent) / period)
    return above[0], above[1]


def transition_probabilities(
    rule: CalciumRule, above: tuple[float, float], duration: float
) -> tuple[float, float]:
    """Probabilities of DOWN to UP and of UP to DOWN after `duration` [s] of stimulation.

    The published solution: the efficacy is an Ornstein-Uhlenbeck process while stimulated and goes
    to the side of rho_star on which it is left (Graupner & Brunel 2012, SI equations S5 to S10).
    """
    up, down = rule.gamma_p * above[1], rule.gamma_d * above[0]
    rate = up + down
    if rate == 0.0:
        return 0.0, 0.0
    mean = up / rate
    decay = math.exp(-rate * duration)
    spread = math.sqrt(sum(above) * rule.sigma**2 / (rule.tau * rate) * (1.0 - decay**2))
    chances = []
    for start in (0.0, 1.0):
        centre = mean + (start - mean) * decay
        if spread == 0.0:
            chances.append(float(centre > rule.rho_star))
        else:
            chances.append(0.5 * (1.0 + math.erf((centre - rule.rho_star) / spread)))
    return chances[0], 1.0 - chances[1]


def synaptic_change(
    rule: CalciumRule,
    delay: Any,
    *,
    rate: float = 1.0,
    count: int = 60,
    population: Population = Population(),
) -> np.ndarray:
    """Strength after `count` pairs at `rate` [Hz], relative to before, for each `delay` [s]."""
    found = []
    beta, b = population.beta, population.ratio
    for one in np.atleast_1d(np.asarray(delay, dtype=float)):
        up, down = transition_probabilities(rule, time_above(rule, float(one), rate), count / rate)
        low = (1.0 - up) * beta + down * (1.0 - beta)
        high = up * beta + (1.0 - down) * (1.0 - beta)
        found.append((low + high * b) / (beta + (1.0 - beta) * b))
    return np.array(found)
