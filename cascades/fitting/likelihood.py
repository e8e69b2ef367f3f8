"""Measurements against simulation: likelihood, residuals and their derivatives.

Noise and transformation as in PEtab 1.0 (Schmiester et al. 2021): with h the transformation,
h(measured) = h(simulated) + noise, so that the density of the measurement carries |h'(measured)|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)

# Added to log(sigma^2) so that its root is real: then the squared residuals add up to minus twice the
# log-likelihood (Raue et al. 2013, PLoS ONE 8:e74335), for any sigma above exp(-25).
SIGMA_OFFSET = 50.0


@dataclass(frozen=True, eq=False)
class Data:
    """What was measured.

    value : float, shape (points,)
    transformation : int, shape (points,), index into ("lin", "log", "log10")
    is_laplace : bool, shape (points,)
    """

    value: np.ndarray
    transformation: np.ndarray
    is_laplace: np.ndarray

    @cached_property
    def transformed(self) -> np.ndarray:
        return transform(self.value, self.transformation)[0]

    @cached_property
    def log_slope(self) -> np.ndarray:
        """log |h'(measured)|."""
        with np.errstate(divide="ignore"):
            return np.log(transform(self.value, self.transformation)[1])


def transform(values: np.ndarray, transformation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h(values) and h'(values), entry by entry; NaN where there is no logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
        base = np.where(transformation == 2, math.log(10.0), 1.0)
        is_log = transformation > 0
        return np.where(is_log, logs / base, values), np.where(is_log, 1.0 / (values * base), 1.0)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Simulation against data.

    simulated, sigma : float, shape (points,)
    simulated_slopes, sigma_slopes : float, shape (points, parameters), or None
        Derivatives with respect to the parameters.
    """

    data: Data
    simulated: np.ndarray
    sigma: np.ndarray
    simulated_slopes: np.ndarray | None = None
    sigma_slopes: np.ndarray | None = None

    @cached_property
    def _transformed(self) -> tuple[np.ndarray, np.ndarray]:
        return transform(self.simulated, self.data.transformation)

    @cached_property
    def residuals(self) -> np.ndarray:
        """(h(simulated) - h(measured)) / sigma, shape (points,)."""
        return (self._transformed[0] - self.data.transformed) / self.sigma

    @property
    def log_likelihood(self) -> float:
        """Sum over the points; -inf if the simulation has no logarithm where one is needed."""
        z = self.residuals
        normal = -0.5 * z**2 - LOG_SQRT_2PI
        laplace = -np.abs(z) - math.log(2.0)
        points = np.where(self.data.is_laplace, laplace, normal) - np.log(self.sigma) + self.data.log_slope
        return float(points.sum()) if np.isfinite(points).all() else -math.inf

    @cached_property
    def residual_slopes(self) -> np.ndarray:
        """Derivatives of the residuals, shape (points, parameters)."""
        slopes = self._transformed[1][:, None] * self.simulated_slopes / self.sigma[:, None]
        return slopes - (self.residuals / self.sigma)[:, None] * self.sigma_slopes

    @property
    def gradient(self) -> np.ndarray:
        """Of the log-likelihood, shape (parameters,)."""
        z = self.residuals
        pull = np.where(self.data.is_laplace, -np.sign(z), -z)
        noise = self.sigma_slopes / self.sigma[:, None]
        return (pull[:, None] * self.residual_slopes - noise).sum(axis=0)

    @property
    def information_rows(self) -> np.ndarray:
        """R with R'R the Fisher information, shape (2 points, parameters): the slopes of the means and
        of the noise, each in units of its own error.

        Normal noise: J of the mean and sqrt(2) dsigma/sigma; Laplace noise: both with weight 1.
        """
        mean = self._transformed[1][:, None] * self.simulated_slopes / self.sigma[:, None]
        weight = np.sqrt(np.where(self.data.is_laplace, 1.0, 2.0)) / self.sigma
        return np.vstack([mean, weight[:, None] * self.sigma_slopes])

    @property
    def fisher_information(self) -> np.ndarray:
        """Expected information, shape (parameters, parameters), exact for these noise models."""
        rows = self.information_rows
        return rows.T @ rows

    def least_squares(self) -> tuple[np.ndarray, np.ndarray]:
        """Residuals whose squares add up to minus twice the log-likelihood plus a constant, and their
        derivatives; for normal noise only."""
        root = np.sqrt(2.0 * np.log(self.sigma) + SIGMA_OFFSET)
        slopes = self.sigma_slopes / (self.sigma * root)[:, None]
        return np.concatenate([self.residuals, root]), np.vstack([self.residual_slopes, slopes])
