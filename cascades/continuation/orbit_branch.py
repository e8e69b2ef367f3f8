"""What following periodic orbits gives: orbits, a table of them and the special points among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.continuation.arclength import CurvePoint
from cascades.continuation.branch import SpecialPoint, widened
from cascades.continuation.collocation import DEGREE, Condensed, OrbitCurve
from cascades.continuation.problem import Problem

if TYPE_CHECKING:
    import pandas
    import xarray


@dataclass(frozen=True, eq=False)
class Orbit:
    """One periodic orbit.

    times : shape (points,) [time], from 0 to the period
    states : independent states, shape (points, n)
    multipliers : Floquet multipliers, largest first; for a free phase one of them is 1
    """

    problem: Problem = field(repr=False)
    q: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    multipliers: np.ndarray = field(repr=False)

    @property
    def period(self) -> float:
        return float(self.times[-1])

    def __getitem__(self, name: str) -> np.ndarray:
        """A state or observable over the orbit, shape (points,)."""
        return self.problem.observe(name, self.states, self.q)


@dataclass(frozen=True, eq=False)
class OrbitBranch:
    """Periodic orbits along a curve in one parameter.

    values, periods : shape (points,)
    n_unstable : multipliers outside the unit circle, the trivial one left out, shape (points,)
    special_points : "fold of cycles", "period doubling", "neimark-sacker"; `coefficients` holds the
        period, and the change of the value from a mesh to a finer one as "error"
    dropped : sentences about special points that were suspected but do not stay where they are when the
        mesh is made finer
    """

    parameter: str
    values: np.ndarray = field(repr=False)
    periods: np.ndarray = field(repr=False)
    n_unstable: np.ndarray = field(repr=False)
    orbits: tuple[Orbit, ...] = field(repr=False)
    special_points: tuple[SpecialPoint, ...] = ()
    stopped_because: str = ""
    dropped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.values.size

    @property
    def is_stable(self) -> np.ndarray:
        return self.n_unstable == 0

    def of_kind(self, kind: str) -> list[SpecialPoint]:
        return [point for point in self.special_points if point.kind == kind]

    def extent(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and largest value of a state or observable on each orbit."""
        curves = [orbit[name] for orbit in self.orbits]
        return np.array([c.min() for c in curves]), np.array([c.max() for c in curves])

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per orbit: the parameter, period, stability, the size of the largest multiplier (the
        trivial one, 1, included), and the smallest and largest value of every state."""
        import pandas

        columns: dict[str, Any] = {self.parameter: self.values, "period": self.periods}
        columns["is_stable"] = self.is_stable
        columns["largest_multiplier"] = [np.abs(orbit.multipliers).max() for orbit in self.orbits]
        for name in self.orbits[0].problem.state_names:
            low, high = self.extent(name)
            columns |= {f"{name} min": low, f"{name} max": high}
        return pandas.DataFrame(columns)

    def to_xarray(self) -> xarray.Dataset:
        """The same with one dimension, `orbit`."""
        return self.to_dataframe().rename_axis("orbit").to_xarray()

    def plot(self, ax: Any = None, name: str | None = None, **style: Any) -> Any:
        """Smallest and largest value of a quantity over each orbit: full where stable; lines at special
        points."""
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        name = self.orbits[0].problem.state_names[0] if name is None else name
        color = style.pop("color", "tab:blue")
        for y in self.extent(name):
            ax.plot(self.values, np.where(widened(self.is_stable), y, np.nan), "-", color=color, **style)
            ax.plot(self.values, np.where(widened(~self.is_stable), y, np.nan), ":", color=color, **style)
        for point in self.special_points:
            ax.axvline(point.value, color=color, lw=0.6, alpha=0.5)
            ax.annotate(
                point.kind, (point.value, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -3),
                textcoords="offset points", fontsize=7, rotation=90, va="top",
            )  # fmt: skip
        ax.set(xlabel=self.parameter, ylabel=name)
        return ax


def orbit_at(curve: OrbitCurve, point: CurvePoint) -> Orbit:
    """The orbit at a point of a curve of orbits."""
    nodes, w = curve.unpack(point.u)
    q, _ = curve.cycle.parameters(w)
    lengths, _ = curve.cycle.durations(w)
    begin = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])[curve.mesh.segment]
    length = lengths[curve.mesh.segment]
    inside = curve.mesh.start[:, None] + curve.mesh.fraction[:, None] * np.linspace(0.0, 1.0, DEGREE + 1)
    times = begin[:, None] + length[:, None] * inside
    values = point.linear.multipliers if isinstance(point.linear, Condensed) else np.empty(0)
    return Orbit(curve.problem, q, times.ravel(), nodes.reshape(-1, curve.n), values)
