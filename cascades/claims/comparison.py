"""Measures that compare two experiments, find the value at which a memory flips, or follow a rhythm.

All take the arguments of `Subject.run`, or for crossovers of `Subject.batch`, beside their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cascades.claims.subject import Subject
from cascades.claims.timecourse import at
from cascades.protocols import pulse_train


def ratio(
    subject: Subject,
    of: str,
    *,
    time: float,
    against: Mapping[str, Any],
    relative: bool | float = False,
    **experiment: Any,
) -> float:
    """The observable at `time` over the same in the experiment changed by `against`."""
    (here,) = at(subject, of, time=time, relative=relative, **experiment)
    (there,) = at(subject, of, time=time, relative=relative, **{**experiment, **against})
    return here / there


def direction(
    subject: Subject,
    of: str,
    *,
    time: float,
    against: Mapping[str, Any],
    margin: float = 0.05,
    relative: bool | float = False,
    **experiment: Any,
) -> float:
    """1 if the observable at `time` is larger than in the experiment changed by `against`, -1 if it is
    smaller, 0 if the two differ by less than `margin` of the latter."""
    change = ratio(subject, of, time=time, against=against, relative=relative, **experiment) - 1.0
    return float(np.sign(change)) if abs(change) >= margin else 0.0


def crossover_shift(subject: Subject, of: str, *, against: Mapping[str, Any], **experiment: Any) -> float:
    """The crossover rate [Hz] minus that of the experiment changed by `against`."""
    here = crossover_rate(subject, of, **experiment)
    return here - crossover_rate(subject, of, **{**experiment, **against})


def cycle(
    subject: Subject, of: str, *, duration: float, samples: int = 20001, **experiment: Any
) -> list[float]:
    """Period [s], least and greatest value of the observable over whole periods within `duration`.

    The period is that of upward passages through the middle of its range; NaN if there are fewer than two.
    """
    trajectory = subject.run(duration=duration, samples=samples, **experiment)
    t, y = trajectory.times, np.asarray(trajectory[of][0])
    middle = 0.5 * (y.min() + y.max())
    up = np.flatnonzero((y[:-1] < middle) & (y[1:] >= middle))
    passages = t[up] + (middle - y[up]) / (y[up + 1] - y[up]) * (t[up + 1] - t[up])
    period = float(np.diff(passages).mean()) if passages.size > 1 else float("nan")
    return [period, float(y.min()), float(y.max())]


def last_above(subject: Subject, of: str, *, level: float, **experiment: Any) -> float:
    """The last time [s] at which the observable is above `level`; NaN if it never is, infinite if it
    still is at the end."""
    trajectory = subject.run(**experiment)
    t, y = trajectory.times, np.asarray(trajectory[of][0])
    above = np.flatnonzero(y > level)
    if above.size == 0:
        return float("nan")
    k = int(above[-1])
    if k == t.size - 1:
        return float("inf")
    return float(t[k] + (y[k] - level) / (y[k] - y[k + 1]) * (t[k + 1] - t[k]))


def threshold_value(
    subject: Subject,
    of: str,
    *,
    parameter: str,
    bounds: tuple[float, float],
    level: float,
    duration: float,
    relative_precision: float = 1e-5,
    values: Mapping[str, float] | None = None,
    **experiment: Any,
) -> float:
    """The value of `parameter` (such as an initial state) above which the observable ends on the
    other side of `level`, by bisection; NaN if it does not between the bounds."""
    low, high = map(float, bounds)

    def is_above(x: float) -> bool:
        chosen = {**(values or {}), parameter: x}
        return at(subject, of, time=duration, values=chosen, samples=2, **experiment)[0] > level

    below = is_above(low)
    if is_above(high) == below:
        return float("nan")
    while high - low > relative_precision * abs(high):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_above(middle) == below else (low, middle)
    return 0.5 * (low + high)


def crossover_rate(
    subject: Subject,
    of: str,
    *,
    rates: Sequence[float],
    count: int,
    rest: float,
    target: str = "glutamate",
    **experiment: Any,
) -> float:
    """The rate of `count` pulses [Hz] from which on they raise the observable, `rest` [s] after the last.

    By linear interpolation between the given rates; NaN unless there is exactly one such place.
    """
    trains = [pulse_train(rate=rate, count=count, target=target) for rate in rates]
    ends = np.unique([0.0, *(train.duration + rest for train in trains)])
    run = subject.batch(trains, ends, **experiment)
    y = np.asarray(run[of])
    read = np.searchsorted(ends, [train.duration + rest for train in trains])
    change = y[np.arange(len(trains)), read] / y[:, 0] - 1.0
    up = [k for k in range(len(rates) - 1) if change[k] < 0.0 <= change[k + 1]]
    if len(up) != 1:
        return float("nan")
    k = up[0]
    return float(rates[k] - change[k] * (rates[k + 1] - rates[k]) / (change[k + 1] - change[k]))
