"""Parameters whose optimum is known once the model is simulated: scales and offsets, and noise.

Weber et al. (2011) IFAC Proc 44:11662; Loos et al. (2018) Bioinformatics 34:4266.  A noise parameter
qualifies if it is all of a noise formula, scales and offsets if observables are linear in them
together; both only for normal noise, without priors, and if nothing else depends on them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascades.expression import free_symbols
from cascades.fitting.likelihood import transform
from cascades.fitting.prepare import Group
from cascades.fitting.problem import FitParameter

if TYPE_CHECKING:
    from cascades.fitting.objective import Evaluation, Objective

ROUNDS = 8  # of weights and linear parameters in turn; the noise settles in three or four


class Hierarchy:
    """Splits the estimated parameters into `free` ones and those that follow from them."""

    def __init__(self, objective: Objective):
        self.objective, self.problem = objective, objective.problem

    @cached_property
    def _groups(self) -> list[Group]:
        return [group for plan in self.objective.prepared.plans for group in plan.groups]

    @cached_property
    def _candidates(self) -> set[str]:
        """Estimated parameters that act through observables alone, where all noise is normal."""
        data, prepared = self.objective.prepared.data, self.objective.prepared
        if data.is_laplace.any():
            return set()
        settings = [f.root for plan in prepared.plans for _, one in plan.periods for f in one.values()]
        settings += [f.root for f in prepared.defaults.values()]
        settings += [formula for feature in self.problem.features for formula in feature.formulas]
        compiled = prepared.compiled
        in_model = {*compiled.parameter_names, *compiled.state_names} | free_symbols(*settings)
        return {p.id for p in self.problem.estimated if p.prior is None} - in_model

    @cached_property
    def noise(self) -> dict[str, np.ndarray]:
        """Noise parameters with the rows of the data whose sigma they are."""
        rows: dict[str, list[int]] = {}
        spoiled: set[str] = set()
        for group in self._groups:
            root = group.noise.root
            spoiled |= free_symbols(group.formula.root)
            if root.is_symbol:
                rows.setdefault(root.name, []).extend(group.rows)
            else:
                spoiled |= free_symbols(root)
        return {n: np.array(r) for n, r in rows.items() if n in self._candidates - spoiled}

    @cached_property
    def linear(self) -> tuple[str, ...]:
        """Scales and offsets."""
        data = self.objective.prepared.data
        found, spoiled = set(self._candidates), set(self.noise)
        for group in self._groups:
            spoiled |= free_symbols(group.noise.root)
            names = found & free_symbols(group.formula.root)
            if data.transformation[group.rows].any():
                spoiled |= names
            for name in names:
                if free_symbols(group.formula.slopes[name]) & found:
                    spoiled.add(name)
        return tuple(name for name in self.problem.names if name in found - spoiled)

    @cached_property
    def free(self) -> np.ndarray:
        """Positions of the parameters that remain to be searched."""
        gone = {*self.noise, *self.linear}
        return np.array([i for i, name in enumerate(self.problem.names) if name not in gone], dtype=int)

    def complete(self, points: np.ndarray) -> np.ndarray:
        """The points, shape (points, parameters), with the dependent parameters at their optimum,
        clipped to their bounds.  A point that cannot be simulated stays as it is."""
        if not self.noise and not self.linear:
            return points
        linear = [self.problem.names.index(name) for name in self.linear]
        probes = self._probes(points, linear)
        flat = probes.reshape(-1, points.shape[1])
        evaluations = self.objective.evaluate_many(flat, slopes=False)
        completed = points.copy()
        width = 1 + len(linear)
        for k, x in enumerate(completed):
            own = evaluations[k * width : (k + 1) * width]
            if not any(e.failed_rows.size for e in own):
                self._solve(x, linear, [e.comparison.simulated for e in own], own[0].comparison.sigma)
        return completed

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Minus the log-posterior of the completed points, shape (points,)."""
        if self.linear or not self.noise:
            return self.objective.heights(self.complete(points))
        found = []
        for x, evaluation in zip(points, self.objective.evaluate_many(points, slopes=False), strict=True):
            completed, quiet = self._with_noise(x, evaluation)
            found.append(self.objective.height_of(completed, quiet))
        return np.array(found)

    def _with_noise(self, x: np.ndarray, evaluation: Evaluation) -> tuple[np.ndarray, Evaluation]:
        """The noise at its optimum; the simulation does not depend on it."""
        if not self.noise or evaluation.n_failed:
            return x, evaluation
        x, comparison = x.copy(), evaluation.comparison
        sigma = comparison.sigma.copy()
        self._set_noise(x, comparison.simulated, sigma)
        return x, replace(evaluation, comparison=replace(comparison, sigma=sigma))

    def _probes(self, points: np.ndarray, linear: list[int]) -> np.ndarray:
        """Each point with all linear parameters zero, and with one of them 1 in turn."""
        probes = np.repeat(points[:, None], 1 + len(linear), axis=1)
        estimated = self.problem.estimated
        with np.errstate(divide="ignore"):
            for i in linear:
                probes[:, :, i] = 0.0 if estimated[i].scale == "lin" else -np.inf
        for k, i in enumerate(linear):
            probes[:, 1 + k, i] = estimated[i].to_scale(1.0)
        return probes

    def local_model(self, x: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
        """The completed point with the log-posterior, its gradient and the expected curvature, both
        over the free parameters alone."""
        if self.linear:
            x = self.complete(x[None])[0]
        x, evaluation = self._with_noise(x, self.objective.evaluate(x, slopes=True))
        value, slope, information = self.objective.local_model_of(x, evaluation)
        return x, value, slope[self.free], information[np.ix_(self.free, self.free)]

    def _solve(
        self, x: np.ndarray, linear: list[int], simulated: list[np.ndarray], sigma: np.ndarray
    ) -> None:
        """Weighted linear least squares and noise in turn, into `x`."""
        data, estimated = self.objective.prepared.data, self.problem.estimated
        matrix = np.array([column - simulated[0] for column in simulated[1:]]).T
        target, sigma = data.value - simulated[0], sigma.copy()
        for rows in self.noise.values():
            sigma[rows] = max(float(np.std(data.value[rows])), 1e-12)
        mean = simulated[0]
        for _ in range(ROUNDS if linear and self.noise else 1):
            if linear:
                found = np.linalg.lstsq(matrix / sigma[:, None], target / sigma, rcond=None)[0]
                found = np.array([_clip(estimated[i], v) for i, v in zip(linear, found, strict=True)])
                mean = simulated[0] + matrix @ found
                x[linear] = [estimated[i].to_scale(v) for i, v in zip(linear, found, strict=True)]
            self._set_noise(x, mean, sigma)

    def _set_noise(self, x: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> None:
        data = self.objective.prepared.data
        distance = transform(mean, data.transformation)[0] - data.transformed
        for name, rows in self.noise.items():
            i = self.problem.names.index(name)
            value = _clip(self.problem.estimated[i], float(np.sqrt(np.mean(distance[rows] ** 2))))
            sigma[rows], x[i] = value, self.problem.estimated[i].to_scale(value)


def _clip(parameter: FitParameter, value: float) -> float:
    low = parameter.lower if parameter.scale == "lin" else max(parameter.lower, 1e-300)
    return min(max(value, low), parameter.upper)
