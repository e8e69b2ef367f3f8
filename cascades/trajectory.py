"""What a simulation gives: values with names, units, a status per member and their origin."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import UnknownName

if TYPE_CHECKING:
    import pandas
    import xarray


class Series(np.ndarray):
    """An array that knows its `name` and its `unit`."""

    name: str
    unit: str

    @classmethod
    def of(cls, values: np.ndarray, name: str, unit: str) -> Series:
        series = np.asarray(values).view(cls)
        series.name, series.unit = name, unit
        return series

    def __array_finalize__(self, other: Any) -> None:
        self.name = getattr(other, "name", "")
        self.unit = getattr(other, "unit", "")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States over time for each member of a batch.

    At a time at which a spike arrives or an event fires, the values are those just after it.

    times : float, shape (times,)
        [`time_unit`]
    values : float, shape (members, times, states)
        NaN after the time at which a failed member stopped.
    names, units : of the states
    status : int, shape (members,)
        0 where the member reached the end, else an index into `cascades.solvers.REASONS`.
    reached : float, shape (members,)
        The time that each member reached.
    provenance : dict
        Model hash, protocol, solver, tolerances, versions.
    """

    times: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    units: Mapping[str, str]
    status: np.ndarray
    reached: np.ndarray
    time_unit: str = "s"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    observable_names: tuple[str, ...] = ()
    _observe: Callable[[str], np.ndarray] | None = None

    @property
    def n_members(self) -> int:
        return self.values.shape[0]

    @property
    def is_complete(self) -> bool:
        """Whether every member reached the end."""
        return not self.status.any()

    def __getitem__(self, name: str) -> Series:
        """A state or observable, shape (members, times)."""
        if name in self.names:
            found = self.values[:, :, self.names.index(name)]
        elif name in self.observable_names and self._observe is not None:
            found = self._observe(name)
        else:
            raise UnknownName("state or observable", name, [*self.names, *self.observable_names])
        return Series.of(found, name, self.units.get(name, ""))

    def final(self, member: int = 0) -> dict[str, float]:
        """The last state of a member, by name; pass it on as `initial` of the next run."""
        return dict(zip(self.names, map(float, self.values[member, -1]), strict=True))

    def to_xarray(self, *names: str) -> xarray.Dataset:
        """A dataset with dimensions (member, time); all states if no names are given."""
        import xarray

        chosen = names or self.names
        variables = {
            n: (("member", "time"), np.asarray(self[n]), {"units": self.units.get(n, "")}) for n in chosen
        }
        members = np.arange(self.n_members)
        coordinates = {"member": members, "time": ("time", self.times, {"units": self.time_unit})}
        attributes = {key: str(value) for key, value in self.provenance.items()}
        return xarray.Dataset(variables, coords=coordinates, attrs=attributes)

    def to_dataframe(self, *names: str) -> pandas.DataFrame:
        """One row per member and time."""
        return self.to_xarray(*names).to_dataframe().reset_index()

    def save(self, path: str | Path) -> Path:
        """Write an .npz file (or .csv, by the ending), under a temporary name first."""
        path = Path(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                if path.suffix == ".csv":
                    self.to_dataframe(*self.names, *self.observable_names).to_csv(file, index=False)
                else:
                    np.savez_compressed(file, allow_pickle=False, **self._columns())
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return path

    def _columns(self) -> dict[str, Any]:
        observed = {name: np.asarray(self[name]) for name in self.observable_names}
        names, units = np.array(self.names), np.array([self.units.get(n, "") for n in self.names])
        return {
            **observed, "times": self.times, "values": self.values, "names": names, "units": units,
            "status": self.status, "reached": self.reached,
        }  # fmt: skip
