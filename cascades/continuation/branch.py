"""What a continuation gives: a table of points, the special points on it, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.continuation.problem import Problem

if TYPE_CHECKING:
    import pandas
    import xarray

POSITIVE_TOLERANCE = 1e-9  # of a state's size
MARKERS = {
    "fold": "o",
    "hopf": "s",
    "branch point": "D",
    "isola centre": "x",
    "cusp": "^",
    "bogdanov-takens": "v",
}


@dataclass(frozen=True, eq=False)
class SpecialPoint:
    """A refined point: it solves the system of equations that defines its kind.

    kind : "fold", "hopf", "branch point", "isola centre", "cusp", "bogdanov-takens", "generalised hopf",
        "zero-hopf", "hopf-hopf", "user", "end"; for orbits "fold of cycles", "period doubling",
        "neimark-sacker"
    value : the followed parameter (of two, the first)
    values : every free parameter by name
    state : by name, eliminated states included
    eigenvalues : of the reduced Jacobian [1/time]; Floquet multipliers for orbits
    coefficients : of the normal form, by name
    """

    kind: str
    value: float
    values: Mapping[str, float]
    state: Mapping[str, float]
    eigenvalues: np.ndarray
    coefficients: Mapping[str, float] = field(default_factory=dict)
    problem: Problem | None = field(default=None, repr=False)
    x: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    q: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    tangents: tuple[np.ndarray, ...] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class Branch:
    """Equilibria (or special points) along a curve.

    parameters : names of the parameters that were free
    states : float, shape (points, n), the independent states
    parameter_values : float, shape (points, m), all parameters
    eigenvalues : complex, shape (points, n) [1/time]; NaN where they were not computed
    special_points : refined points in order along the branch
    special_after : for each special point, the branch point before it
    closed : whether the curve came back to its start
    stopped_because : the reason at each end that is not a closure
    dropped : sentences about special points that were suspected but could not be refined
    """

    problem: Problem = field(repr=False)
    parameters: tuple[str, ...]
    states: np.ndarray = field(repr=False)
    parameter_values: np.ndarray = field(repr=False)
    eigenvalues: np.ndarray = field(repr=False)
    special_points: tuple[SpecialPoint, ...] = ()
    special_after: tuple[int, ...] = ()
    closed: bool = False
    stopped_because: str = ""
    dropped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.states.shape[0]

    @property
    def values(self) -> np.ndarray:
        """The (first) free parameter, shape (points,)."""
        return self[self.parameters[0]]

    @property
    def n_unstable(self) -> np.ndarray:
        """Eigenvalues with a positive real part, shape (points,)."""
        return np.count_nonzero(self.eigenvalues.real > 0.0, axis=1)

    @property
    def is_stable(self) -> np.ndarray:
        """Shape (points,)."""
        return np.isfinite(self.eigenvalues).all(axis=1) & (self.n_unstable == 0)

    @property
    def is_positive(self) -> np.ndarray:
        """Whether all states are at or above zero where they should be, shape (points,)."""
        return positivity(self.problem, self.states, self.parameter_values)

    def __getitem__(self, name: str) -> np.ndarray:
        """A parameter, state or observable along the branch, shape (points,)."""
        if name in self.problem.parameter_names:
            return self.parameter_values[:, self.problem.index(name)]
        return self.problem.observe(name, self.states, self.parameter_values)

    def of_kind(self, kind: str) -> list[SpecialPoint]:
        return [point for point in self.special_points if point.kind == kind]

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per point: free parameters, all states, stability, largest real part."""
        import pandas

        columns: dict[str, Any] = {name: self[name] for name in self.parameters}
        full = self.problem.expand(self.states, self.parameter_values)
        columns |= {name: full[:, i] for i, name in enumerate(self.problem.full_names)}
        columns["is_stable"] = self.is_stable
        columns["is_positive"] = self.is_positive
        columns["largest_real_part"] = self.eigenvalues.real.max(axis=1)
        return pandas.DataFrame(columns)

    def to_xarray(self) -> xarray.Dataset:
        """The same with one dimension, `point`."""
        return self.to_dataframe().rename_axis("point").to_xarray()

    def plot(self, ax: Any = None, name: str | None = None, **style: Any) -> Any:
        """Stable parts as full, unstable ones as dashed lines; special points as marks.

        Parameters
        ----------
        ax : matplotlib axes, optional
        name : state or observable on the vertical axis; for a curve in two parameters the second
            parameter, else the first state, if missing
        """
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        if name is None:
            name = self.parameters[1] if len(self.parameters) > 1 else self.problem.state_names[0]
        x, y = self.values, self[name]
        color = style.pop("color", "k")
        if len(self.parameters) > 1:
            ax.plot(x, y, color=color, **style)
        else:
            x, y, full, dashed = self._parts(x, y, name)
            ax.plot(x, np.where(full, y, np.nan), "-", color=color, **style)
            style.pop("label", None)
            ax.plot(x, np.where(dashed, y, np.nan), "--", color=color, lw=0.9, **style)
        for point in self.special_points:
            if point.kind != "end":
                height = self._height(point, name)
                ax.plot(point.value, height, MARKERS.get(point.kind, "*"), ms=5, mfc="w", color=color)
                ax.annotate(
                    point.kind, (point.value, height), xytext=(4, 3), textcoords="offset points", fontsize=7
                )
        ax.set(xlabel=self.parameters[0], ylabel=name)
        return ax

    def _parts(
        self, x: np.ndarray, y: np.ndarray, name: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The line with its special points in their places, and where it is stable and where not: both
        at a special point, so that the parts meet there."""
        places = [i + 1 for i in self.special_after]
        x = np.insert(x, places, [point.value for point in self.special_points])
        y = np.insert(y, places, [self._height(point, name) for point in self.special_points])
        stable = np.insert(self.is_stable.astype(float), places, 0.5)
        change = np.flatnonzero(np.abs(np.diff(stable)) == 1.0)  # without a special point between
        stable[change] = 0.5
        return x, y, stable >= 0.5, stable <= 0.5

    def _height(self, point: SpecialPoint, name: str) -> float:
        if name in point.values:
            return point.values[name]
        return float(self.problem.observe(name, point.x, point.q))


def positivity(problem: Problem, states: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Whether no state that must not be negative is, shape (...,)."""
    low = -POSITIVE_TOLERANCE * problem.scale
    fine = ((states >= low) | ~problem.is_positive).all(axis=-1)
    if len(problem.full_names) > len(problem.state_names):
        own = [problem.full_names.index(name) for name in problem.state_names]
        others = np.delete(problem.expand(states, q), own, axis=-1)
        fine &= (others >= -POSITIVE_TOLERANCE * problem.scale.max()).all(axis=-1)
    return fine


def widened(mask: np.ndarray) -> np.ndarray:
    """The mask and the neighbours of its points, so that the parts of a line meet."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide
