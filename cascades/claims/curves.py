"""Measures of the calcium-threshold rule: the change of efficacy after spike pairs.

Graupner & Brunel (2012) PNAS 109:3991, equations S5-S13 of the supplement: what counts is the fraction
of time that calcium spends above each threshold.  That fraction is measured on the model's own
calcium; the rest is the published closed form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cascades.claims.subject import SOLVER, Subject
from cascades.protocols import spikes
from cascades.simulate import simulate

PERIODS_TO_REPEAT = 25  # time constants after which calcium repeats itself to 1e-10


def pairing_change(
    subject: Subject,
    *,
    delays: Sequence[float],
    rates: Sequence[float] | float = 1.0,
    pairs: Sequence[int] | int = 60,
    named: str = "",
    values: Mapping[str, float] | None = None,
) -> list[float]:
    """Relative efficacy for each delay [s], post minus pre, rate [Hz] and number of pairs."""
    frequency = np.broadcast_to(np.asarray(rates, dtype=float), np.shape(delays))
    numbers = np.broadcast_to(np.asarray(pairs), np.shape(delays))
    chosen = {**subject.compiled.default_values, **subject.values(values, named)}
    return [
        _change(_fractions_above(subject, chosen, float(d), float(f)), chosen, n / float(f))
        for d, f, n in zip(delays, frequency, numbers, strict=True)
    ]


def pairing_extremum(
    subject: Subject,
    *,
    bounds: Sequence[float],
    sign: int = 1,
    step: float = 0.0005,
    rate: float = 1.0,
    pairs: int = 60,
    named: str = "",
) -> list[float]:
    """The delay [s], on a grid of `step`, with the largest (`sign` 1) or smallest change, and the change."""
    delays = np.arange(bounds[0], bounds[1] + 0.5 * step, step)
    changes = pairing_change(subject, delays=list(delays), rates=rate, pairs=pairs, named=named)
    best = int(np.argmax(sign * np.asarray(changes)))
    return [float(delays[best]), changes[best]]


def _fractions_above(
    subject: Subject, values: Mapping[str, float], delay: float, rate: float
) -> tuple[float, float]:
    """The fractions of time that calcium is above theta_d and theta_p in a period of a long train.

    Calcium decays exponentially from one spike to the next, so its value just after each spike of the
    model's run gives the time above a threshold as a logarithm.
    """
    period = 1.0 / rate
    lag = (values["D"] - delay) % period  # of the presynaptic transient behind the postsynaptic one
    periods = 2 + math.ceil(PERIODS_TO_REPEAT * values["tau_Ca"] / period)
    post = period * np.arange(periods + 1)
    stimuli = spikes(tuple(post), target="post") + spikes(tuple(post + lag), target="pre")
    times = np.unique(np.concatenate([post, post + lag]))
    run = simulate(subject.compiled, times, protocol=stimuli, values=values, rtol=1e-9, solver=SOLVER)
    inside = (times >= post[-2] - 1e-12) & (times < post[-1] - 1e-12)
    starts, after = times[inside], np.asarray(run["c"][0])[inside]
    gaps = np.diff(np.append(starts, post[-1]))
    above = [
        np.clip(values["tau_Ca"] * np.log(after / values[theta]), 0.0, gaps).sum() / period
        for theta in ("theta_d", "theta_p")
    ]
    return float(above[0]), float(above[1])


def _change(fractions: tuple[float, float], values: Mapping[str, float], duration: float) -> float:
    """Relative efficacy from the fractions of time above the thresholds."""
    above_d, above_p = fractions
    up, down = values["gamma_p"] * above_p, values["gamma_d"] * above_d
    b, beta = values["b"], values["beta"]
    if up + down == 0.0:
        return 1.0
    mean = up / (up + down)
    spread = values["sigma"] ** 2 * (above_p + above_d) / (up + down)
    kept = math.exp(-duration * (up + down) / values["tau"])
    width = math.sqrt(spread * (1.0 - kept**2))
    stays_low = 0.5 * (1.0 + math.erf((values["rho_star"] - mean + mean * kept) / width))
    stays_low_from_high = 0.5 * (1.0 + math.erf((values["rho_star"] - mean + (mean - 1.0) * kept) / width))
    rise, fall = 1.0 - stays_low, stays_low_from_high
    low, high = (1.0 - rise) * beta + fall * (1.0 - beta), rise * beta + (1.0 - fall) * (1.0 - beta)
    return (low + high * b) / (beta + (1.0 - beta) * b)
