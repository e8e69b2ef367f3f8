"""The objective of a fit problem: simulate every experiment, compare with the data.

A failed integration never gives NaN: its measurements get a penalty that grows smoothly with the
distance from the nominal parameters, and the failure is kept for the report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascades.fitting.experiments import Context, Reading, run
from cascades.fitting.likelihood import Comparison, Data
from cascades.fitting.prepare import Prepared, prepare
from cascades.fitting.priors import log_prior
from cascades.fitting.quantities import evaluate_feature
from cascades.fitting.statements import Term
from cascades.fitting.tangents import Failure

if TYPE_CHECKING:
    from cascades.fitting.problem import FitProblem

RTOL = 1e-8
PENALTY = 1e3  # residual of a measurement that could not be simulated


@dataclass(frozen=True)
class FailedExperiment:
    """Where and why an integration stopped; `values` are the fit parameters, in natural units."""

    experiment: str
    time: float
    reason: str
    values: Mapping[str, float]

    def __str__(self) -> str:
        at = ", ".join(f"{name} = {value:.6g}" for name, value in self.values.items())
        return f"{self.experiment} at time {self.time:.6g}: {self.reason} ({at})"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A comparison with the data and what failed on the way.

    terms : contributions of the features that could be computed, by name
    failed_rows : measurements that could not;  n_failed : these, and the features that could not
    """

    comparison: Comparison
    failures: tuple[FailedExperiment, ...]
    failed_rows: np.ndarray
    terms: Mapping[str, Term] = field(default_factory=dict)
    n_failed: int = 0

    @property
    def log_likelihood(self) -> float:
        return self.comparison.log_likelihood + sum(term.log_likelihood for term in self.terms.values())

    @property
    def gradient(self) -> np.ndarray:
        return self.comparison.gradient + sum(term.gradient for term in self.terms.values())

    @property
    def information_rows(self) -> np.ndarray:
        """R with R'R the information of measurements and features, shape (rows, parameters)."""
        return np.vstack([self.comparison.information_rows, *(term.rows for term in self.terms.values())])

    @property
    def information(self) -> np.ndarray:
        rows = self.information_rows
        return rows.T @ rows


class Objective:
    """Log-likelihood, log-posterior, residuals and derivatives at vectors `x` (see FitProblem)."""

    def __init__(self, problem: FitProblem, rtol: float = RTOL):
        self.problem, self.rtol = problem, rtol
        self.forget_failures()

    def forget_failures(self) -> None:
        """Begin to count failed simulations anew."""
        self.n_failures, self.last_failure = 0, ""

    @cached_property
    def prepared(self) -> Prepared:
        return prepare(self.problem)

    @cached_property
    def is_least_squares(self) -> bool:
        """Whether the noise is normal and there are no priors or features, so that squares add up."""
        return not (self.prepared.data.is_laplace.any() or self.problem.features) and all(
            parameter.prior is None for parameter in self.problem.estimated
        )

    def log_likelihood(self, x: np.ndarray) -> float:
        evaluation = self.evaluate(x, slopes=False)
        penalty, _ = self._penalty(np.asarray(x, float), evaluation)
        return evaluation.log_likelihood - penalty

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Of the log-likelihood, shape (parameters,)."""
        evaluation = self.evaluate(x, slopes=True)
        _, slope = self._penalty(np.asarray(x, float), evaluation)
        return evaluation.gradient - slope

    def log_posterior(self, x: np.ndarray) -> float:
        """Log-likelihood plus the log-density of the priors."""
        return self.log_likelihood(x) + log_prior(self.problem, np.asarray(x, float))[0]

    def log_posterior_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope, _ = self.local_model(x)
        return value, slope

    def local_model(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-posterior, its gradient, and the expected curvature of its negative."""
        x = np.asarray(x, float)
        return self.local_model_of(x, self.evaluate(x, slopes=True))

    def local_model_of(self, x: np.ndarray, evaluation: Evaluation) -> tuple[float, np.ndarray, np.ndarray]:
        """The same from an evaluation that is there already."""
        penalty, slope = self._penalty(x, evaluation)
        prior, prior_slope, prior_bend = log_prior(self.problem, x)
        information = evaluation.information + np.diag(prior_bend)
        if evaluation.n_failed:
            information = information + np.eye(x.size)
        return (
            evaluation.log_likelihood - penalty + prior,
            evaluation.gradient - slope + prior_slope,
            information,
        )

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Minus the log-posterior at many points, shape (points, parameters), as one batch."""
        evaluations = self.evaluate_many(points, slopes=False)
        return np.array([self.height_of(x, e) for x, e in zip(points, evaluations, strict=True)])

    def height_of(self, x: np.ndarray, evaluation: Evaluation) -> float:
        """Minus the log-posterior from an evaluation that is there already."""
        likelihood = evaluation.log_likelihood - self._penalty(x, evaluation)[0]
        return float(-likelihood - log_prior(self.problem, x)[0])

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """(simulated - measured) / sigma after the transformation, shape (measurements,)."""
        return self.evaluate(x, slopes=False).comparison.residuals

    def fisher_information(self, x: np.ndarray) -> np.ndarray:
        """Of measurements and features, without priors, shape (parameters, parameters)."""
        return self.evaluate(x, slopes=True).information

    def least_squares(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals for a least-squares solver, and their derivatives."""
        x = np.asarray(x, float)
        evaluation = self.evaluate(x, slopes=True)
        residuals, slopes = evaluation.comparison.least_squares()
        rows = evaluation.failed_rows
        residuals[rows] = PENALTY + 0.0 * residuals[rows]
        slopes[rows] = 0.0
        if rows.size:
            pull = (x - self.problem.nominal) / math.sqrt(rows.size)
            residuals = np.concatenate([residuals, pull])
            slopes = np.vstack([slopes, np.eye(x.size) / math.sqrt(rows.size)])
        return residuals, slopes

    def _penalty(self, x: np.ndarray, evaluation: Evaluation) -> tuple[float, np.ndarray]:
        count = evaluation.n_failed
        if not count:
            return 0.0, np.zeros(x.size)
        away = x - self.problem.nominal
        return 0.5 * PENALTY**2 * count + 0.5 * float(away @ away), away

    # --- simulation -----------------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, *, slopes: bool) -> Evaluation:
        """Simulate everything; with derivatives if `slopes`."""
        return self.evaluate_many(np.asarray(x, float)[None], slopes=slopes)[0]

    def evaluate_many(self, points: np.ndarray, *, slopes: bool) -> list[Evaluation]:
        """The same at several points, shape (points, parameters), which share vector lanes."""
        width = points.shape[1] if slopes else 0
        contexts = [
            Context(self.problem.values(x), self._directions(x) if slopes else {}, width) for x in points
        ]
        sheets = [_Sheet(self.prepared.data, width) for _ in points]
        for plan in self.prepared.plans:
            results = run(self.prepared, plan, contexts, self.rtol)
            for sheet, context, result in zip(sheets, contexts, results, strict=True):
                if isinstance(result, Failure):
                    failed = FailedExperiment(plan.id, result.time, result.reason, context.values)
                    sheet.failures.append(failed)
                else:
                    sheet.fill(result)
        for feature in self.problem.features:
            for sheet, context in zip(sheets, contexts, strict=True):
                found = evaluate_feature(self.prepared, feature, context, self.rtol)
                if isinstance(found, Failure):
                    where = f"{feature.experiment}, {feature.id}"
                    sheet.failures.append(FailedExperiment(where, found.time, found.reason, context.values))
                    sheet.n_failed += 1
                else:
                    sheet.terms[feature.id] = found
        for failure in (failure for sheet in sheets for failure in sheet.failures):
            self.n_failures, self.last_failure = self.n_failures + 1, str(failure)
        return [sheet.compare() for sheet in sheets]

    def _directions(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """d(natural value)/d(x), one-hot, per estimated parameter."""
        found = {}
        for i, (parameter, value) in enumerate(zip(self.problem.estimated, x, strict=True)):
            row = np.zeros(len(self.problem.names))
            natural = parameter.from_scale(float(value))
            row[i] = {"lin": 1.0, "log": natural, "log10": natural * math.log(10.0)}[parameter.scale]
            found[parameter.id] = row
        return found


class _Sheet:
    """Rows of the data as they are filled in; a row that stays empty has failed."""

    def __init__(self, data: Data, width: int):
        self.data = data
        self.failures: list[FailedExperiment] = []
        self.terms: dict[str, Term] = {}
        self.n_failed = 0  # features
        n = data.value.size
        self.simulated, self.sigma = np.full(n, np.nan), np.ones(n)
        self.simulated_slopes, self.sigma_slopes = np.zeros((n, width)), np.zeros((n, width))

    def fill(self, readings: list[Reading]) -> None:
        for one in readings:
            self.simulated[one.rows], self.sigma[one.rows] = one.simulated, one.sigma
            self.simulated_slopes[one.rows] = one.simulated_slopes
            self.sigma_slopes[one.rows] = one.sigma_slopes

    def compare(self) -> Evaluation:
        with np.errstate(invalid="ignore"):
            usable = np.isfinite(self.simulated) & np.isfinite(self.sigma) & (self.sigma > 0.0)
        rows = np.flatnonzero(~usable)
        self.simulated[rows], self.sigma[rows] = self.data.value[rows], 1.0
        self.simulated_slopes[rows] = self.sigma_slopes[rows] = 0.0
        comparison = Comparison(
            self.data, self.simulated, self.sigma, self.simulated_slopes, self.sigma_slopes
        )
        return Evaluation(comparison, tuple(self.failures), rows, self.terms, rows.size + self.n_failed)
