"""The numbers that steer a continuation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContinuationSettings:
    """Lengths are in scaled units: a state changes by its own size, a parameter by a factor of e
    (if it is followed in its logarithm) or by the width of its range.

    Parameters
    ----------
    first_step, largest_step, smallest_step : float
        Arclength.
    tolerance : float
        A Newton step shorter than this has converged.
    sharpest_turn : float
        Smallest cosine between the directions of two consecutive points.
    most_points : int
        Points in each direction.
    parameter_scale : {"auto", "log", "linear"}
        "auto" follows a parameter in its logarithm where its whole range is positive.
    events : tuple of (name, level)
        User events: the state or observable `name` crosses `level`.
    """

    first_step: float = 0.01
    largest_step: float = 0.2
    smallest_step: float = 1e-9
    tolerance: float = 1e-10
    sharpest_turn: float = 0.94
    most_points: int = 5000
    parameter_scale: str = "auto"
    events: tuple[tuple[str, float], ...] = ()
