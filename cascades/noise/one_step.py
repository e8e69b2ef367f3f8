"""Exact answers for one-step processes: a single count that goes up or down by one.

van Kampen (2007) Stochastic Processes in Physics and Chemistry, 3rd ed., chapter XII.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cascades.errors import NoiseError

Rate = Callable[[np.ndarray], np.ndarray]


def mean_first_passage_time(
    birth: Rate, death: Rate, start: int, target: int, *, largest: int | None = None
) -> float:
    """The mean time to reach `target` from `start` [in the time unit of the rates].

    Parameters
    ----------
    birth, death : functions of counts, shape (counts,)
        Rates n -> n + 1 and n -> n - 1; death(0) is 0.
    largest : int, optional
        For a target below the start: the largest count that matters; doubled until the result does
        not change in the last digits, if missing.

    Raises
    ------
    NoiseError
        A rate is negative, not finite, or zero on the way.
    """
    if start == target:
        return 0.0
    if target > start:
        n = np.arange(0, target)
        return _upward(_checked(birth, n), _checked(death, n), start)
    if largest is not None:
        return _downward(birth, death, start, target, largest)
    top = 2 * max(start, 16)
    previous = _downward(birth, death, start, target, top)
    while True:
        top *= 2
        time = _downward(birth, death, start, target, top)
        if abs(time - previous) <= 1e-14 * time or top > 10_000_000:
            return time
        previous = time


def _upward(up: np.ndarray, down: np.ndarray, start: int) -> float:
    """tau_n, the mean time from n to n + 1, fulfils tau_n = 1 / b_n + d_n / b_n tau_{n-1}."""
    if (up <= 0.0).any():
        raise NoiseError(
            f"the birth rate is zero at {int(np.argmax(up <= 0.0))}: the target is never reached"
        )
    total, tau = 0.0, 0.0
    for n, (b, d) in enumerate(zip(up.tolist(), down.tolist(), strict=True)):
        tau = (1.0 + d * tau) / b
        if n >= start:
            total += tau
    return total


def _downward(birth: Rate, death: Rate, start: int, target: int, largest: int) -> float:
    n = np.arange(target + 1, largest + 1)
    up, down = _checked(birth, n), _checked(death, n)
    if (down <= 0.0).any():
        raise NoiseError(
            f"the death rate is zero at {int(n[np.argmax(down <= 0.0)])}: the target is never reached"
        )
    total, tau = 0.0, 0.0
    for i in range(n.size - 1, -1, -1):
        tau = (1.0 + (up[i] * tau if i + 1 < n.size else 0.0)) / down[i]
        if n[i] <= start:
            total += tau
    return float(total)


def stationary_distribution(birth: Rate, death: Rate, largest: int) -> np.ndarray:
    """Probabilities of 0 ... largest, shape (largest + 1,), by detailed balance."""
    n = np.arange(0, largest + 1)
    up, down = _checked(birth, n[:-1]), _checked(death, n[1:])
    with np.errstate(divide="ignore"):
        logs = np.concatenate([[0.0], np.cumsum(np.log(up) - np.log(down))])
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


def _checked(rate: Rate, n: np.ndarray) -> np.ndarray:
    values = np.broadcast_to(np.asarray(rate(n.astype(float)), float), n.shape)
    bad = ~np.isfinite(values) | (values < 0.0)
    if bad.any():
        raise NoiseError(
            f"a rate is {values[bad][0]:g} at {int(n[bad][0])}; rates must be finite and not negative"
        )
    return values
