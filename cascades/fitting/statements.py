"""How well a feature's statement agrees with its computed quantity, with derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from cascades.fitting.likelihood import LOG_SQRT_2PI


@dataclass(frozen=True, eq=False)
class Scalar:
    """A number and its derivatives with respect to the fitted parameters, shape (parameters,)."""

    value: float
    slopes: np.ndarray

    def log(self) -> Scalar:
        with np.errstate(all="ignore"):
            return Scalar(float(np.log(self.value)), self.slopes / self.value)


@dataclass(frozen=True, eq=False)
class Term:
    """A contribution to the log-likelihood.

    gradient : shape (parameters,)
    rows : R with R'R minus the curvature of the log-likelihood (expected for measured values, observed
        for limits, where it is never negative), shape (1 or 2, parameters)
    quantity : what was computed, in natural units
    """

    log_likelihood: float
    gradient: np.ndarray
    rows: np.ndarray
    quantity: float


def measured(quantity: Scalar, value: float, sigma: Scalar, is_log: bool) -> Term:
    """Normal noise; that of a logarithm carries the density of the measurement, as in PEtab."""
    seen = quantity.log() if is_log else quantity
    z = (seen.value - (math.log(value) if is_log else value)) / sigma.value
    z_slopes = (seen.slopes - z * sigma.slopes) / sigma.value
    noise = sigma.slopes / sigma.value
    density = -math.log(value) if is_log else 0.0
    return Term(
        -0.5 * z * z - math.log(sigma.value) - LOG_SQRT_2PI + density,
        -z * z_slopes - noise,
        np.array([seen.slopes / sigma.value, math.sqrt(2.0) * noise]),
        quantity.value,
    )


def between(quantity: Scalar, low: Scalar, high: Scalar, sigma: Scalar) -> Term:
    """log(Phi(b) - Phi(a)) with a and b the limits' distances in units of sigma: concave in both."""
    edges = [_distance(limit, quantity, sigma) for limit in (low, high)]
    (a, b) = (edge.value for edge in edges)
    log_p = _log_probability(a, b)
    da, db = (_density(edge.value, log_p) for edge in edges)
    curvature = np.array(
        [[da * da - _times(a, da), -da * db], [-da * db, db * db + _times(b, db)]]
    )  # fmt: skip
    slopes = np.array([edge.slopes for edge in edges])
    weights, directions = np.linalg.eigh(curvature)
    root = np.sqrt(np.maximum(weights, 0.0))[:, None] * directions.T
    return Term(log_p, db * slopes[1] - da * slopes[0], root @ slopes, quantity.value)


def _distance(limit: Scalar, quantity: Scalar, sigma: Scalar) -> Scalar:
    if math.isinf(limit.value):
        return Scalar(limit.value, np.zeros_like(quantity.slopes))
    z = (limit.value - quantity.value) / sigma.value
    return Scalar(z, (limit.slopes - quantity.slopes - z * sigma.slopes) / sigma.value)


def _log_probability(a: float, b: float) -> float:
    """log(Phi(b) - Phi(a)), without cancellation in either tail."""
    if a > 0.0:
        a, b = -b, -a
    upper, lower = float(log_ndtr(b)), float(log_ndtr(a))
    return upper + math.log1p(-math.exp(min(lower - upper, -1e-300))) if lower < upper else -math.inf


def _density(z: float, log_p: float) -> float:
    """phi(z) / P; zero at an infinite limit."""
    return 0.0 if math.isinf(z) else math.exp(-0.5 * z * z - LOG_SQRT_2PI - log_p)


def _times(z: float, density: float) -> float:
    return 0.0 if density == 0.0 else z * density
