"""A fit problem as data: a model, its unknown parameters, experiments, observables, measurements.

The vocabulary is PEtab's (Schmiester et al. 2021, PLoS Comput Biol 17:e1008646); nothing here depends
on a file format.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cascades.errors import UnknownName
from cascades.expression import Expr
from cascades.model import Model

if TYPE_CHECKING:
    from cascades.fitting.features import Feature
    from cascades.fitting.objective import Objective

SCALES = ("lin", "log", "log10")
PREEQUILIBRATION = -math.inf


@dataclass(frozen=True)
class Prior:
    """A distribution of a parameter: `kind` is PEtab's name, `arguments` its numbers.  It is on the
    parameter's own scale if `is_scaled`."""

    kind: str
    arguments: tuple[float, ...]
    is_scaled: bool = False


@dataclass(frozen=True)
class FitParameter:
    """An unknown: bounds and nominal value in natural units; `scale` is how optimisers see it."""

    id: str
    nominal: float
    lower: float
    upper: float
    scale: str = "log10"
    is_estimated: bool = True
    prior: Prior | None = None

    def to_scale(self, value: float) -> float:
        if self.scale == "lin":
            return value
        return math.log(value) / _LOG_OF_BASE[self.scale] if value > 0.0 else -math.inf

    def from_scale(self, value: float) -> float:
        return value if self.scale == "lin" else math.exp(value * self.log_slope)

    @property
    def log_slope(self) -> float:
        """d log(value) / d (value on the scale), of a logarithmic scale."""
        return _LOG_OF_BASE[self.scale]


_LOG_OF_BASE = {"log": 1.0, "log10": math.log(10.0)}


@dataclass(frozen=True)
class Observable:
    """`formula` and `noise` are over the model's quantities, fit parameters and the placeholders,
    which each measurement fills in.  `transformation` (one of `SCALES`) is applied to model and
    measurement before they are compared; `distribution` is "normal" or "laplace"."""

    id: str
    formula: Expr
    noise: Expr
    distribution: str = "normal"
    transformation: str = "lin"
    observable_placeholders: tuple[str, ...] = ()
    noise_placeholders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Period:
    """From `start` on (minus infinity: until the steady state) the settings hold.

    `settings` maps a parameter, species or compartment to a formula over fit parameters and the
    model's quantities at that moment.
    """

    start: float
    settings: Mapping[str, Expr] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    id: str
    periods: tuple[Period, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """`time` may be infinite: the steady state."""

    observable: str
    experiment: str
    time: float
    value: float
    observable_arguments: tuple[Expr, ...] = ()
    noise_arguments: tuple[Expr, ...] = ()


@dataclass(frozen=True, eq=False)
class FitProblem:
    """A model with data.  Vectors `x` hold the estimated parameters, each on its own scale, in the
    order of `names`.  `features` are data that are no time courses (see `cascades.fitting.features`)."""

    name: str
    model: Model
    parameters: tuple[FitParameter, ...]
    observables: tuple[Observable, ...]
    experiments: tuple[Experiment, ...]
    measurements: tuple[Measurement, ...]
    features: tuple[Feature, ...] = ()

    @cached_property
    def estimated(self) -> tuple[FitParameter, ...]:
        return tuple(parameter for parameter in self.parameters if parameter.is_estimated)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.id for parameter in self.estimated)

    @cached_property
    def nominal(self) -> np.ndarray:
        """The nominal values, each on its own scale, shape (parameters,)."""
        return np.array([parameter.to_scale(parameter.nominal) for parameter in self.estimated])

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds, each on its own scale, shapes (parameters,)."""
        lower = np.array([parameter.to_scale(parameter.lower) for parameter in self.estimated])
        upper = np.array([parameter.to_scale(parameter.upper) for parameter in self.estimated])
        return lower, upper

    def values(self, x: np.ndarray) -> dict[str, float]:
        """All fit parameters in natural units, by name: the estimated ones from `x`."""
        found = {parameter.id: parameter.nominal for parameter in self.parameters}
        for parameter, value in zip(self.estimated, np.asarray(x, dtype=float), strict=True):
            found[parameter.id] = parameter.from_scale(float(value))
        return found

    # --- the objective --------------------------------------------------------------------------

    @cached_property
    def objective(self) -> Objective:
        """Likelihood and residuals with all derivatives."""
        from cascades.fitting.objective import Objective

        return Objective(self)

    def log_likelihood(self, x: np.ndarray) -> float:
        """Without priors, in PEtab's convention; finite for every `x`."""
        return self.objective.log_likelihood(x)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Of the log-likelihood with respect to `x`, shape (parameters,)."""
        return self.objective.gradient(x)

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """(simulated - measured) / sigma, transformed, shape (measurements,)."""
        return self.objective.residuals(x)

    @cached_property
    def content_hash(self) -> str:
        """Of everything that can change a likelihood."""
        content = (
            self.model.content_hash,
            self.parameters,
            self.observables,
            self.experiments,
            self.measurements,
            self.features,
        )
        return hashlib.sha256(repr(content).encode()).hexdigest()

    @classmethod
    def from_petab(cls, path: str | Path) -> FitProblem:
        """The problem of a PEtab yaml file, version 1 or 2.

        Raises FitError with every defect, each by file, row and column.
        """
        from cascades.fitting.petab import read_petab

        return read_petab(Path(path))

    def to_petab(self, folder: str | Path, *, version: int = 1) -> Path:
        """Write PEtab files into a new folder; the path of the yaml file.

        Version 1 is what every tool reads.  Version 2 has experiments of any number of periods, such as
        those of protocols; what it lacks (scales of parameters, features) goes into an extension that
        says whether a reader may ignore it.

        Raises ExportError for what the version cannot express, OutputExists.
        """
        from cascades.fitting.petab_write_v1 import write_v1
        from cascades.fitting.petab_write_v2 import write_v2

        if version not in (1, 2):
            raise UnknownName("PEtab version", str(version), ("1", "2"))
        return (write_v1 if version == 1 else write_v2)(self, folder)
