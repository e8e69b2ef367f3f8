"""The coordinates in which curves are followed: states by their size, parameters by their logarithm.

In these coordinates a step of length 0.1 means the same everywhere: states change by about a tenth
of their size, parameters by about a tenth of themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cascades.continuation.problem import Problem, second_complex, third_complex
from cascades.errors import ContinuationError


@dataclass(frozen=True)
class Axis:
    """A free parameter: its place k, its range, and whether its logarithm is followed."""

    k: int
    low: float
    high: float
    is_log: bool

    def to_value(self, theta: float) -> float:
        return float(np.exp(theta)) if self.is_log else theta * (self.high - self.low)

    def to_theta(self, value: float) -> float:
        return float(np.log(value)) if self.is_log else value / (self.high - self.low)

    def slope(self, value: float) -> float:
        """d value / d theta."""
        return value if self.is_log else self.high - self.low


def make_axis(problem: Problem, parameter: str, bounds: Sequence[float], scale: str) -> Axis:
    """The axis of a parameter over its range.

    Raises
    ------
    UnknownName, ContinuationError
    """
    k = problem.index(parameter)
    low, high = float(bounds[0]), float(bounds[1])
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ContinuationError(
            f"the range of {parameter} must be two increasing numbers (got {low:g}, {high:g})"
        )
    if scale not in ("auto", "log", "linear"):
        raise ContinuationError(f"parameter_scale must be 'auto', 'log' or 'linear' (got {scale!r})")
    if scale == "log" and low <= 0.0:
        raise ContinuationError(
            f"{parameter} can only be followed in its logarithm over a positive range (got {low:g})"
        )
    return Axis(k, low, high, scale == "log" or (scale == "auto" and low > 0.0))


@dataclass(frozen=True, eq=False)
class Scaled:
    """A problem in scaled coordinates with some free parameters; z = x / size, theta per axis.

    u = (z, theta_1, ...): everything here takes u and gives derivatives with respect to it.
    `q` holds the values of the parameters that are not free.
    """

    problem: Problem
    q: np.ndarray
    axes: tuple[Axis, ...]
    size: np.ndarray

    @cached_property
    def n(self) -> int:
        return self.size.size

    def at(self, q: np.ndarray) -> Scaled:
        return replace(self, q=q)

    def with_axes(self, *axes: Axis) -> Scaled:
        return replace(self, axes=axes)

    def pack(self, x: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.concatenate([x / self.size, [axis.to_theta(q[axis.k]) for axis in self.axes]])

    def unpack(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and q."""
        q = self.q.copy()
        for axis, theta in zip(self.axes, u[self.n :], strict=False):
            q[axis.k] = axis.to_value(theta)
        return u[: self.n] * self.size, q

    def rates(self, u: np.ndarray) -> np.ndarray:
        x, q = self.unpack(u)
        return self.problem.rates(x, q) / self.size

    def state_jacobian(self, u: np.ndarray) -> np.ndarray:
        x, q = self.unpack(u)
        return self.problem.jacobian(x, q) * self._ratio

    def jacobian(self, u: np.ndarray) -> np.ndarray:
        """d rates / d u, shape (n, n + axes)."""
        x, q = self.unpack(u)
        full = np.empty((self.n, self.n + len(self.axes)))
        full[:, : self.n] = self.problem.jacobian(x, q) * self._ratio
        for j, axis in enumerate(self.axes):
            full[:, self.n + j] = self.problem.parameter_derivative(x, q, axis.k) * (
                axis.slope(q[axis.k]) / self.size
            )
        return full

    def second(self, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        x, q = self.unpack(u)
        if np.iscomplexobj(v) or np.iscomplexobj(w):
            return second_complex(self.problem, x, q, v * self.size, w * self.size) / self.size
        return self.problem.second(x, q, v * self.size, w * self.size) / self.size

    def third(self, u: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        x, q = self.unpack(u)
        s = self.size
        if any(np.iscomplexobj(d) for d in (a, b, c)):
            return third_complex(self.problem, x, q, a * s, b * s, c * s) / s
        return self.problem.third(x, q, a * s, b * s, c * s) / s

    def contraction(self, u: np.ndarray, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The gradient over u of the number w . J v, shape (n + axes,)."""
        x, q = self.unpack(u)
        ks = tuple(axis.k for axis in self.axes)
        over_x, over_q = self.problem.contraction(x, q, w / self.size, v * self.size, ks)
        slopes = [axis.slope(q[axis.k]) for axis in self.axes]
        return np.concatenate([over_x * self.size, over_q * slopes])

    def natural(self, u: np.ndarray) -> tuple[Scaled, np.ndarray]:
        """The coordinates in which normal forms are stated, states in units of the problem's own
        scale, and the same point in them."""
        own = replace(self, size=self.problem.scale)
        x, q = self.unpack(u)
        return own, own.pack(x, q)

    @cached_property
    def _ratio(self) -> np.ndarray:
        return self.size[None, :] / self.size[:, None]


def scaled(problem: Problem, q: np.ndarray, axes: Sequence[Axis], x: np.ndarray | None = None) -> Scaled:
    """The coordinates for a search; `x` is a state whose size counts beside the typical one."""
    size = problem.scale if x is None else np.maximum(problem.scale, np.abs(x))
    return Scaled(problem, q.copy(), tuple(axes), size * np.sqrt(size.size))


def outside(scaled: Scaled, u: np.ndarray) -> str:
    """Empty, or which parameter left its range."""
    for j, axis in enumerate(scaled.axes):
        theta = u[scaled.n + j]
        name = scaled.problem.parameter_names[axis.k]
        if theta < axis.to_theta(axis.low):
            return f"{name} reached the lower end of its range, {axis.low:g}"
        if theta > axis.to_theta(axis.high):
            return f"{name} reached the upper end of its range, {axis.high:g}"
    return ""
