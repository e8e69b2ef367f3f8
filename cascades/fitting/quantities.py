"""The quantities of a problem's features, computed for one vector of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cascades.compiler.derivatives import gradients
from cascades.expression import ONE, TIME, Expr, add, mul, symbol
from cascades.fitting.experiments import Context, Reading, run
from cascades.fitting.features import Feature, FoldPosition, Margin, Measured, ReadingAt, SwitchingTime
from cascades.fitting.folds import fold_value, margin, still
from cascades.fitting.formula import Formula
from cascades.fitting.prepare import Closing, Group, Prepared
from cascades.fitting.statements import Scalar, Term, between, measured
from cascades.fitting.tangents import Failure, Point

LOOKS = 200  # times at which a crossing is looked for, and again within the interval that is found
ROUNDS = 3  # each narrows the interval by the number of looks


def evaluate_feature(prepared: Prepared, feature: Feature, context: Context, rtol: float) -> Term | Failure:
    """Its contribution to the log-likelihood, or why there is none."""
    found = _quantity(prepared, feature, context, rtol)
    if isinstance(found, Failure):
        return found
    statement = feature.statement

    def scalar(formula: Expr) -> Scalar:
        value, slopes = context(Formula(formula), lambda name: None)
        return Scalar(float(value), slopes)

    sigma = scalar(statement.sigma)
    if not (np.isfinite(found.value) and np.isfinite(found.slopes).all() and sigma.value > 0.0):
        return Failure(0.0, f"{feature.id} is not finite or its noise is not positive")
    if isinstance(statement, Measured):
        if statement.is_log and found.value <= 0.0:
            return Failure(0.0, f"{feature.id} has no logarithm: {found.value:g}")
        return measured(found, statement.value, sigma, statement.is_log)
    return between(found, scalar(statement.low), scalar(statement.high), sigma)


def _quantity(prepared: Prepared, feature: Feature, context: Context, rtol: float) -> Scalar | Failure:
    quantity = feature.quantity
    where = prepared, feature.experiment, context, rtol
    if isinstance(quantity, ReadingAt):
        found = _read(*where, [quantity.formula], np.array([quantity.time]))
        return found if isinstance(found, Failure) else found[0][0]
    if isinstance(quantity, SwitchingTime):
        return _switching(prepared, feature.experiment, context, rtol, quantity)
    begin = max(prepared.bare[feature.experiment].periods[-1][0], 0.0)
    point = _point(*where, quantity.time if isinstance(quantity, Margin) else begin)
    if isinstance(point, Failure):
        return point
    place = still(prepared.compiled, point)
    if isinstance(place, Failure):
        return place
    return fold_value(place, quantity) if isinstance(quantity, FoldPosition) else margin(place, quantity)


def _read(
    prepared: Prepared, experiment: str, context: Context, rtol: float,
    formulas: Sequence[Expr], times: np.ndarray,
) -> list[list[Scalar]] | Failure:  # fmt: skip
    """Formulas at sorted times of an experiment: one list of times per formula."""
    close = Closing(prepared.compiled)
    rows, one = np.arange(times.size), Formula(ONE)
    groups = tuple(
        Group(Formula(close(formula)), one, rows + k * times.size, times)
        for k, formula in enumerate(formulas)
    )
    (found,) = run(prepared, replace(prepared.bare[experiment], groups=groups), [context], rtol)
    if isinstance(found, Failure):
        return found
    table: dict[int, Scalar] = {}
    for reading in found:
        table |= _scalars(reading)
    return [[table[k * times.size + i] for i in range(times.size)] for k in range(len(formulas))]


def _scalars(reading: Reading) -> dict[int, Scalar]:
    parts = zip(reading.rows, reading.simulated, reading.simulated_slopes, strict=True)
    return {int(row): Scalar(float(value), slopes) for row, value, slopes in parts}


def _point(
    prepared: Prepared, experiment: str, context: Context, rtol: float, time: float
) -> Point | Failure:
    """States and parameters at a time of an experiment, with their derivatives."""
    compiled = prepared.compiled
    names = (*compiled.state_names, *compiled.parameter_names)
    found = _read(prepared, experiment, context, rtol, [symbol(name) for name in names], np.array([time]))
    if isinstance(found, Failure):
        return found
    n = len(compiled.state_names)
    values = np.array([one.value for (one,) in found])
    slopes = np.array([one.slopes for (one,) in found])
    return Point(values[:n], slopes[:n], values[n:], slopes[n:])


def _switching(
    prepared: Prepared, experiment: str, context: Context, rtol: float, quantity: SwitchingTime
) -> Scalar | Failure:
    """The first sign change of formula - level on a grid, narrowed; its derivative is -(d/dx) / (d/dt)
    of the difference at the crossing."""
    above = quantity.formula - quantity.level
    plain = Context(context.values, {}, 0)
    low, high = 0.0, quantity.horizon
    for _ in range(ROUNDS):
        times = np.linspace(low, high, LOOKS)
        found = _read(prepared, experiment, plain, rtol, [above], times)
        if isinstance(found, Failure):
            return found
        signs = np.array([one.value for one in found[0]]) > 0.0
        changes = np.flatnonzero(signs[1:] != signs[:-1])
        if not changes.size:
            return Failure(quantity.horizon, "the level is not crossed")
        low, high = times[changes[0]], times[changes[0] + 1]
    time = 0.5 * (low + high)
    found = _read(prepared, experiment, context, rtol, [above, _rate(prepared, above)], np.array([time]))
    if isinstance(found, Failure):
        return found
    ((difference,), (speed,)) = found
    return Scalar(time - difference.value / speed.value, -difference.slopes / speed.value)


def _rate(prepared: Prepared, formula: Expr) -> Expr:
    """The formula's derivative in time along the equations."""
    equations = prepared.compiled.equations
    closed = Closing(prepared.compiled)(formula)
    slopes = gradients([closed], (*equations.state_names, TIME.name))[0]
    along = dict(zip(equations.state_names, equations.rates, strict=True))
    return add(*(mul(slope, along.get(name, ONE)) for name, slope in slopes.items()))
