"""Data that are no time courses: fold positions, switching times, outcomes, margins to a separatrix.

A `Feature` says of a `quantity` of an experiment either what was measured (`Measured`) or between which
limits it lies (`Between`).  Outcomes are ordinal: a latent quantity with normal spread between two cut
points (McCullagh 1980, J R Stat Soc B 42:109); bistability is a value between two folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cascades.expression import Expr, ExprLike, as_expr, symbol
from cascades.fitting.problem import Experiment, Measurement, Period

NEVER = math.inf
OUTCOMES = ("LTD", "no change", "LTP")


@dataclass(frozen=True)
class FoldPosition:
    """The value of `parameter` at the fold where the lower (or upper) state ends, on the branch of
    equilibria that begins at the low end of the range, in the experiment's last period.

    ends : "lower" is where the parameter turns back on the way from the low end, "upper" where it turns
        forward again; of several the outermost
    or_end : where only the other fold exists, the state lasts to the end of the range: that is the value
    """

    parameter: str
    low: float
    high: float
    ends: Literal["lower", "upper"] = "lower"
    or_end: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.parameter,)


@dataclass(frozen=True)
class SwitchingTime:
    """When `formula` first crosses `level` after time 0, looked for until `horizon`."""

    formula: Expr
    level: Expr
    horizon: float

    @property
    def names(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class ReadingAt:
    """`formula` at `time`."""

    formula: Expr
    time: float

    @property
    def names(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class Margin:
    """The signed distance of the state at `time` from the stable manifold of the nearest saddle of the
    last period, in units of the states' sizes; positive where `towards` grows away from the saddle.

    The manifold is replaced by its tangent plane, so that signs are certain near the saddle only.
    """

    time: float
    towards: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.towards,)


Quantity = FoldPosition | SwitchingTime | ReadingAt | Margin


@dataclass(frozen=True)
class Measured:
    """`value` with normal noise `sigma`; both in natural logarithms if `is_log`."""

    value: float
    sigma: Expr
    is_log: bool = False


@dataclass(frozen=True)
class Between:
    """The quantity plus normal noise `sigma` lies between `low` and `high`; either may be infinite."""

    low: Expr
    high: Expr
    sigma: Expr


@dataclass(frozen=True)
class Feature:
    """One statement about one experiment.  All formulas may use fit parameters."""

    id: str
    experiment: str
    quantity: Quantity
    statement: Measured | Between

    @property
    def formulas(self) -> tuple[Expr, ...]:
        """Every formula in it."""
        parts = (self.quantity, self.statement)
        return tuple(value for part in parts for value in vars(part).values() if isinstance(value, Expr))


def fold_position(
    id: str,
    experiment: str,
    parameter: str,
    bounds: Sequence[float],
    value: float,
    sigma: ExprLike,
    *,
    ends: Literal["lower", "upper"] = "lower",
    is_log: bool = False,
) -> Feature:
    """A measured threshold of `parameter`, beyond which the lower (or below which the upper) state is
    no more."""
    quantity = FoldPosition(parameter, float(bounds[0]), float(bounds[1]), ends)
    return Feature(id, experiment, quantity, Measured(value, as_expr(sigma), is_log))


def bistable(
    id: str, experiment: str, parameter: str, bounds: Sequence[float], at: float, sigma: ExprLike
) -> tuple[Feature, Feature]:
    """There are two stable states at the value `at` of `parameter`: it lies between two folds, whose
    positions are known to `sigma`."""
    low, high = float(bounds[0]), float(bounds[1])
    return (
        Feature(f"{id}_low", experiment, FoldPosition(parameter, low, high, "upper", or_end=True),
                Between(as_expr(-math.inf), as_expr(at), as_expr(sigma))),
        Feature(f"{id}_high", experiment, FoldPosition(parameter, low, high, "lower", or_end=True),
                Between(as_expr(at), as_expr(math.inf), as_expr(sigma))),
    )  # fmt: skip


def switching_time(
    id: str,
    experiment: str,
    formula: ExprLike | str,
    level: ExprLike,
    value: float,
    sigma: ExprLike,
    *,
    horizon: float,
    is_log: bool = False,
) -> Feature:
    """A measured time at which a quantity first crosses a level."""
    quantity = SwitchingTime(_formula(formula), as_expr(level), float(horizon))
    return Feature(id, experiment, quantity, Measured(value, as_expr(sigma), is_log))


def outcome(
    id: str,
    experiment: str,
    category: str,
    latent: ExprLike | str,
    time: float,
    *,
    cuts: Sequence[ExprLike],
    sigma: ExprLike,
    categories: Sequence[str] = OUTCOMES,
) -> Feature:
    """An ordinal outcome: `latent` at `time`, blurred by `sigma`, lies in its category.

    `cuts` are the limits between neighbouring categories, one fewer than there are categories.

    Raises ValueError for an unknown category or a wrong number of cuts.
    """
    low, high = _limits(category, categories, cuts)
    return Feature(
        id, experiment, ReadingAt(_formula(latent), float(time)), Between(low, high, as_expr(sigma))
    )


def flip(id: str, experiment: str, is_up: bool, time: float, *, towards: str, sigma: ExprLike) -> Feature:
    """At `time`, the end of a stimulus, the state is on the upper (or lower) side of the separatrix.

    The margin to it is smooth in the parameters where the final state jumps.
    """
    zero, far = as_expr(0.0), as_expr(math.inf)
    low, high = (zero, far) if is_up else (as_expr(-math.inf), zero)
    return Feature(id, experiment, Margin(float(time), towards), Between(low, high, as_expr(sigma)))


def up_and_down(
    id: str,
    observable: str,
    parameter: str,
    doses: Sequence[float],
    values_up: Sequence[float],
    values_down: Sequence[float],
    *,
    dwell: float,
    noise_arguments: Sequence[ExprLike] = (),
) -> tuple[Experiment, tuple[Measurement, ...]]:
    """A dose-response taken with rising and then with falling doses, `dwell` at each, read at its end.

    The model keeps its state from one dose to the next, so that hysteresis is seen.  The highest dose
    is taken once: `values_up` has one value per dose, `values_down` one fewer, falling.

    Raises ValueError if the numbers do not belong together.
    """
    if list(doses) != sorted(doses) or len(values_up) != len(doses):
        raise ValueError("doses must rise, with one value of the way up for each")
    if len(values_down) != len(doses) - 1:
        raise ValueError(f"the way down needs {len(doses) - 1} values (got {len(values_down)})")
    path = [*doses, *reversed(doses[:-1])]
    periods = tuple(Period(k * dwell, {parameter: as_expr(float(dose))}) for k, dose in enumerate(path))
    noise = tuple(map(as_expr, noise_arguments))
    ends = [(k + 1) * dwell * (1.0 - 1e-9) for k in range(len(path))]
    read = zip(ends, (*values_up, *values_down), strict=True)
    measured = tuple(Measurement(observable, id, end, float(v), (), noise) for end, v in read)
    return Experiment(id, periods), measured


def _formula(given: ExprLike | str) -> Expr:
    return symbol(given) if isinstance(given, str) else as_expr(given)


def _limits(category: str, categories: Sequence[str], cuts: Sequence[ExprLike]) -> tuple[Expr, Expr]:
    if category not in categories:
        raise ValueError(f"no outcome {category!r}; known: {', '.join(categories)}")
    if len(cuts) != len(categories) - 1:
        raise ValueError(f"{len(categories)} categories have {len(categories) - 1} cuts (got {len(cuts)})")
    k = list(categories).index(category)
    edges = [as_expr(-math.inf), *map(as_expr, cuts), as_expr(math.inf)]
    return edges[k], edges[k + 1]
