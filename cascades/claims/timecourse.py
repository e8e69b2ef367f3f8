"""Measures of a run in time: values, peaks, rise and decay, areas, and the dose that flips a switch.

All take the arguments of `Subject.run` (duration, protocol, values, named, initial, settle, samples)
beside their own.  `relative` divides by the value at the start, or at a given time [s].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cascades.claims.subject import Subject, varied


def at(
    subject: Subject,
    of: str,
    *,
    time: float | Sequence[float],
    relative: bool | float = False,
    vary: Mapping[str, Sequence[float]] | None = None,
    values: Mapping[str, float] | None = None,
    **experiment: Any,
) -> list[float]:
    """The observable at one or several times, once per entry of `vary`."""
    wanted = np.atleast_1d(np.asarray(time, dtype=float))
    experiment.setdefault("duration", float(wanted.max()))
    found: list[float] = []
    for chosen in varied(values, vary):
        t, y = _series(subject, of, relative, chosen, experiment)
        found += [float(v) for v in np.interp(wanted, t, y)]
    return found


def peak(subject: Subject, of: str, *, relative: bool = False, **experiment: Any) -> float:
    """The largest value of the observable."""
    return float(_series(subject, of, relative, experiment.pop("values", None), experiment)[1].max())


def minimum(subject: Subject, of: str, *, relative: bool = False, **experiment: Any) -> float:
    """The smallest value of the observable."""
    return float(_series(subject, of, relative, experiment.pop("values", None), experiment)[1].min())


def peak_time(subject: Subject, of: str, **experiment: Any) -> float:
    """When the observable is largest [s]."""
    t, y = _series(subject, of, False, experiment.pop("values", None), experiment)
    return float(t[y.argmax()])


def rise_time(
    subject: Subject, of: str, *, fractions: Sequence[float] = (0.1, 0.9), **experiment: Any
) -> float:
    """The time between two fractions of the peak on the way up [s]."""
    t, y = _series(subject, of, False, experiment.pop("values", None), experiment)
    top = int(y.argmax())
    low, high = np.interp(np.asarray(fractions) * y[top], y[: top + 1], t[: top + 1])
    return float(high - low)


def decay_time(
    subject: Subject, of: str, *, fraction: float = 0.5, base: float = 0.0, **experiment: Any
) -> float:
    """The time from the peak until the observable has fallen to `fraction` of its height above `base` [s]."""
    t, y = _series(subject, of, False, experiment.pop("values", None), experiment)
    top = int(y.argmax())
    level = base + fraction * (y[top] - base)
    below = np.flatnonzero(y[top:] <= level)
    if below.size == 0:
        return float("inf")
    k = top + int(below[0])
    return float(np.interp(-level, [-y[k - 1], -y[k]], [t[k - 1], t[k]]) - t[top])


def area(subject: Subject, of: str, **experiment: Any) -> float:
    """The integral of the observable over time."""
    t, y = _series(subject, of, False, experiment.pop("values", None), experiment)
    return float(np.trapezoid(y, t))


def threshold_dose(
    subject: Subject,
    of: str,
    *,
    dose: str,
    bounds: Sequence[float],
    level: float,
    rest: float,
    protocol: Sequence[Mapping[str, Any]],
    relative_precision: float = 1e-4,
    **experiment: Any,
) -> float:
    """The smallest dose after which the observable ends above `level`, by bisection.

    `dose` names an argument of the first stimulus ("stop": the duration of a step; "value": its
    height; "size": of spikes); `rest` [s] passes after it.
    """
    low, high = map(float, bounds)

    def flips(x: float) -> bool:
        stimuli = [{**protocol[0], dose: x}, *protocol[1:]]
        duration = (x if dose == "stop" else float(protocol[0].get("stop", 0.0))) + rest
        y = _series(
            subject, of, False, None, {**experiment, "protocol": stimuli, "duration": duration, "samples": 2}
        )[1]
        return bool(y[-1] > level)

    if flips(low) or not flips(high):
        return float("nan")
    while abs(high - low) > relative_precision * max(abs(low), abs(high)):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if flips(middle) else (middle, high)
    return 0.5 * (low + high)


def _series(
    subject: Subject,
    of: str,
    relative: bool | float,
    values: Mapping[str, float] | None,
    experiment: Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    trajectory = subject.run(values=values, **experiment)
    y = np.asarray(trajectory[of][0])
    if relative is False:
        return trajectory.times, y
    return trajectory.times, y / (y[0] if relative is True else np.interp(relative, trajectory.times, y))
