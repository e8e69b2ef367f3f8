"""Fitted levels: rules whose few numbers are chosen so that random trains come out right.

The loss is the mean squared error of the efficacy (clipped to 0..1) when a protocol ends, plus half
of that after the rest.  For the step rule differential evolution finds the basin; richer forms start
from the simpler one that they contain.  The simplex of Nelder and Mead finds the bottom, and is set up
again until it gains nothing; a fit that still gained at its last evaluation says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cascades.reduction.answers import Answers
from cascades.reduction.batch import Jumps, replay_cases
from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable

FINAL_WEIGHT = 0.5
ROWS = 96  # of the tables of a fitted rule
SMALL_GAIN = 1e-3  # relative, of a simplex that is at the bottom
DIFFERENCE = 0.02  # of a number, in a derivative


@dataclass(frozen=True)
class Form:
    """A family of rules: its free numbers with bounds, and the rule that they make."""

    name: str
    numbers: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    build: Callable[[np.ndarray], CalciumRule]


@dataclass(frozen=True, eq=False)
class Fit:
    """The best rule of a form; `interval` of a number is its 95 % profile interval, once asked for."""

    form: Form
    x: np.ndarray
    rule: CalciumRule
    loss: float
    converged: bool
    evaluations: int


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a rule on the training set."""

    jumps: Jumps
    answer: Answers
    rest: float

    def residuals(self, rule: CalciumRule) -> np.ndarray:
        """Whose squares sum to the loss; runs in which the full model failed count nothing."""
        end, final = replay_cases(rule, self.jumps, self.rest)
        parts = []
        for said, true, weight in ((end, self.answer.end, 1.0), (final, self.answer.final, FINAL_WEIGHT)):
            error = np.clip(said, 0.0, 1.0) - np.clip(true, 0.0, 1.0)
            known = np.isfinite(error)
            parts.append(np.where(known, error, 0.0).ravel() * np.sqrt(weight / max(1, int(known.sum()))))
        return np.concatenate(parts)

    def of_rule(self, rule: CalciumRule) -> float:
        return float(np.sum(self.residuals(rule) ** 2))

    @property
    def size(self) -> int:
        return int(np.isfinite(self.answer.end).sum())


def fit(form: Form, objective: Objective, *, generations: int, seed: int) -> Fit:
    """The rule of this form with the least loss: differential evolution, then a simplex."""
    from scipy.optimize import differential_evolution

    low, high = np.array(form.low), np.array(form.high)
    search = differential_evolution(
        lambda x: objective.of_rule(form.build(x)), list(zip(low, high, strict=True)), seed=seed,
        maxiter=generations, popsize=8, tol=1e-4, polish=False, init="sobol",
    )  # fmt: skip
    return fit_near(form, objective, search.x, evaluations=150 * low.size, spent=int(search.nfev))


def fit_near(form: Form, objective: Objective, start: np.ndarray, *, evaluations: int, spent: int = 0) -> Fit:
    """The least loss near `start`: simplices, each set up anew at the bottom of the one before."""
    from scipy.optimize import minimize

    low, high = np.array(form.low), np.array(form.high)

    def loss(x: np.ndarray) -> float:
        return objective.of_rule(form.build(np.clip(x, low, high)))

    x = np.clip(np.asarray(start, dtype=float), low, high)
    best, left, converged = loss(x), evaluations, False
    while left > 0 and not converged:
        options = {"maxfev": left, "xatol": 1e-3, "fatol": 1e-6, "adaptive": low.size > 8}
        polish = minimize(
            loss, x, method="Nelder-Mead", bounds=list(zip(low, high, strict=True)), options=options
        )
        left -= int(polish.nfev)
        gain = best - float(polish.fun)
        if gain > 0.0:
            x, best = np.clip(polish.x, low, high), float(polish.fun)
        converged = bool(polish.success) and gain < SMALL_GAIN * best
    return Fit(form, x, form.build(x), best, converged, spent + evaluations - left)


def fit_smooth(
    form: Form, objective: Objective, starts: Sequence[np.ndarray], *, iterations: int, simplex: int
) -> Fit:
    """The same for a form whose loss is smooth in its numbers: least squares from the best of the
    starts, then a simplex of `simplex` evaluations per number, as lost memories are not smooth."""
    from scipy.optimize import least_squares

    low, high = np.array(form.low), np.array(form.high)
    count = [0]

    def residuals(x: np.ndarray) -> np.ndarray:
        count[0] += 1
        return objective.residuals(form.build(np.clip(x, low, high)))

    def jacobian(x: np.ndarray) -> np.ndarray:
        here, columns = residuals(x), []
        for i in range(x.size):
            step = np.zeros(x.size)
            step[i] = DIFFERENCE if x[i] + DIFFERENCE <= high[i] else -DIFFERENCE
            columns.append((residuals(x + step) - here) / step[i])
        return np.array(columns).T

    inside = [np.clip(start, low + 1e-6, high - 1e-6) for start in starts]
    inside.sort(key=lambda x: float(np.sum(residuals(x) ** 2)))
    found = least_squares(
        residuals, inside[0], jac=jacobian, bounds=(low, high), max_nfev=iterations, ftol=1e-4, xtol=1e-4
    )
    best = min((found.x, inside[0]), key=lambda x: float(np.sum(residuals(x) ** 2)))
    return fit_near(form, objective, best, evaluations=simplex * low.size, spent=count[0])


def profile_interval(
    found: Fit, number: str, objective: Objective, *, points: int = 6
) -> tuple[float, float]:
    """The 95 % profile interval of one number, the others fitted again at each of its values.

    Residuals are taken as independent and normal: -2 log L = n log(loss), and the interval is where
    that is within 3.84 of the best.  An end at a bound of the form is returned as that bound.
    """
    from scipy.optimize import minimize

    form, i = found.form, found.form.numbers.index(number)
    low, high = np.array(form.low), np.array(form.high)
    ends = []
    allowed = found.loss * np.exp(3.84 / max(1, objective.size))
    for bound, sign in ((low[i], -1.0), (high[i], 1.0)):
        others, inside, outside = np.delete(found.x, i), found.x[i], None
        step = 0.01
        for _ in range(points):
            value = inside + sign * step if outside is None else 0.5 * (inside + outside)
            value = float(np.clip(value, low[i], high[i]))

            def loss(rest: np.ndarray, fixed: float = value) -> float:
                return objective.of_rule(form.build(np.clip(np.insert(rest, i, fixed), low, high)))

            best = minimize(loss, others, method="Nelder-Mead", options={"maxfev": 60, "adaptive": True})
            if best.fun <= allowed:
                inside, others = value, best.x
                step *= 2.0
                if value == bound:
                    break
            else:
                outside = value
        ends.append(inside if outside is None else 0.5 * (inside + outside))
    return float(ends[0]), float(ends[1])


# --- the forms ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """What all forms share: the trace, the wells, and the largest calcium of the training set."""

    trace: CalciumTrace
    well: WellTable
    cubic: tuple[float, float]
    rho_star: float
    highest: float

    def calcium(self) -> np.ndarray:
        """Rows for tables, from just above rest, even in the logarithm of the excess."""
        top = self.highest - self.trace.rest
        return self.trace.rest + np.append(0.0, np.geomspace(1e-3 * top, 1.5 * top, ROWS))

    def bounds(self) -> tuple[float, float]:
        """Decimal logarithms of the excess over rest in which thresholds are looked for."""
        top = self.highest - self.trace.rest
        return float(np.log10(0.03 * top)), float(np.log10(top))

    def threshold(self, x: float) -> float:
        return self.trace.rest + float(10.0**x)


def step_form(setting: Setting) -> Form:
    """Graupner & Brunel (2012): six numbers, cubic well."""
    a, b = setting.bounds()

    def build(x: np.ndarray) -> CalciumRule:
        return CalciumRule(
            theta_d=setting.threshold(x[0]), theta_p=setting.threshold(x[1]), gamma_d=10.0 ** x[2],
            gamma_p=10.0 ** x[3], tau=10.0 ** x[4], rho_star=float(x[5]), calcium=setting.trace, name="step",
        )  # fmt: skip

    middle = float(np.log10(max(setting.cubic[0], 1e-2)))
    return Form(
        "step thresholds, cubic well",
        ("theta_d", "theta_p", "gamma_d", "gamma_p", "tau", "rho_star"),
        (a, a, -3.0, -3.0, middle - 1.0, 0.05),
        (b, b, 1.5, 2.0, middle + 2.0, 0.95),
        build,
    )


def step_table_form(setting: Setting) -> Form:
    """Step thresholds in the well that the model really has: four numbers."""
    a, b = setting.bounds()

    def build(x: np.ndarray) -> CalciumRule:
        return CalciumRule(
            theta_d=setting.threshold(x[0]), theta_p=setting.threshold(x[1]), gamma_d=10.0 ** x[2],
            gamma_p=10.0 ** x[3], tau=setting.cubic[0], rho_star=setting.rho_star, calcium=setting.trace,
            well="table", well_table=setting.well, name="step, tabulated well",
        )  # fmt: skip

    numbers = ("theta_d", "theta_p", "gamma_d", "gamma_p")
    return Form("step thresholds, tabulated well", numbers, (a, a, -3.0, -3.0), (b, b, 1.5, 2.0), build)


def hill_form(setting: Setting) -> Form:
    """Smooth thresholds, gamma / (1 + (theta / c)^n), in a cubic well: eight numbers.  Calcium and
    theta are counted from rest."""
    highest = setting.bounds()[1]
    calcium = setting.calcium()
    step = step_form(setting)

    def build(x: np.ndarray) -> CalciumRule:
        up, down = (_hill(calcium, setting, x[k], x[6 + k]) for k in (1, 0))
        table = RateTable(_row(calcium), _row(10.0 ** x[3] * up), _row(10.0 ** x[2] * down))
        return dataclasses.replace(step.build(x[:6]), rates=table, name="Hill")

    low, high = (*step.low, 0.0, 0.0), (*step.high, 1.3, 1.3)
    high = (*high[:1], highest + 0.5, *high[2:])
    return Form("Hill thresholds, cubic well", (*step.numbers, "n_d", "n_p"), low, high, build)


def general_form(setting: Setting, nodes: int = 6) -> Form:
    """Any rates: their logarithms at `nodes` levels of calcium each, linear in the logarithm of the
    excess, in a cubic well."""
    a, b = setting.bounds()
    places = np.linspace(a, b, nodes)
    calcium = setting.calcium()
    where = np.log10(np.maximum(calcium - setting.trace.rest, 1e-12))
    step = step_form(setting)

    def build(x: np.ndarray) -> CalciumRule:
        up, down = (_bending(where, places, x[2 + k * nodes : 2 + (k + 1) * nodes]) for k in (1, 0))
        return CalciumRule(
            theta_d=_half(calcium, down), theta_p=_half(calcium, up), gamma_d=float(down.max()),
            gamma_p=float(up.max()), tau=10.0 ** x[0], rho_star=float(x[1]), calcium=setting.trace,
            rates=RateTable(_row(calcium), _row(up), _row(down)), name="general rates",
        )  # fmt: skip

    labels = tuple(f"{kind} {i}" for kind in ("depression", "potentiation") for i in range(nodes))
    low = (*step.low[4:], *(-5.0,) * (2 * nodes))
    high = (*step.high[4:], *(1.5,) * nodes, *(2.0,) * nodes)
    return Form("general rates Gp(c), Gd(c)", ("tau", "rho_star", *labels), low, high, build)


def general_start(setting: Setting, hill: Fit, nodes: int = 6) -> np.ndarray:
    """The general rates that equal a Hill rule at their nodes."""
    a, b = setting.bounds()
    up, down = hill.rule.rates_at(setting.trace.rest + 10.0 ** np.linspace(a, b, nodes))
    logs = [np.log10(np.maximum(rate, 1e-5)) for rate in (down, up)]
    return np.concatenate([hill.x[4:6], *logs])


def filter_form(setting: Setting, nodes: int = 6) -> Form:
    """Two variables: any potentiation rate, and depression by a phosphatase that turns on and off at
    any rates, all given by their logarithms at `nodes` levels of calcium; a cubic well."""
    a, b = setting.bounds()
    places = np.linspace(a, b, nodes)
    calcium = setting.calcium()
    where = np.log10(np.maximum(calcium - setting.trace.rest, 1e-12))
    general = general_form(setting, nodes)

    def build(x: np.ndarray) -> CalciumRule:
        up, on, off = (_bending(where, places, x[3 + k * nodes : 3 + (k + 1) * nodes]) for k in range(3))
        off = np.where(where < places[0], 10.0 ** x[3 + 2 * nodes], off)
        gain = float(10.0 ** x[2])
        down = gain * on / (on + off)
        return CalciumRule(
            theta_d=_half(calcium, down), theta_p=_half(calcium, up), gamma_d=float(down.max()),
            gamma_p=float(up.max()), tau=10.0 ** x[0], rho_star=float(x[1]), calcium=setting.trace,
            rates=RateTable(_row(calcium), _row(up), (0.0,) * calcium.size),
            filter=PhosphataseFilter(gain, _row(calcium), _row(on), _row(off)), name="phosphatase",
        )  # fmt: skip

    labels = tuple(f"{kind} {i}" for kind in ("potentiation", "on", "off") for i in range(nodes))
    low = (*general.low[:2], -2.0, *(-5.0,) * (2 * nodes), *(-2.5,) * nodes)
    high = (*general.high[:2], 1.5, *(2.0,) * (2 * nodes), *(2.0,) * nodes)
    return Form(
        "two variables: rates and phosphatase", ("tau", "rho_star", "gain", *labels), low, high, build
    )


def filter_starts(general: Fit, nodes: int = 6) -> list[np.ndarray]:
    """Phosphatases of several speeds that give the depression of a one-variable rule at equilibrium."""
    x = general.x
    down = 10.0 ** x[2 : 2 + nodes]
    starts = []
    for excess in (1.5, 6.0):
        gain = excess * float(down.max())
        for pace in (0.1, 0.4, 2.0, 8.0):
            on, off = pace * down / gain, pace * (1.0 - down / gain)
            starts.append(
                np.concatenate([x[:2], [np.log10(gain)], x[2 + nodes :], np.log10(on), np.log10(off)])
            )
    return starts


def _hill(calcium: np.ndarray, setting: Setting, x: float, n: float) -> np.ndarray:
    excess = np.maximum(calcium - setting.trace.rest, 1e-12)
    return 1.0 / (1.0 + (10.0**x / excess) ** (10.0**n))


def _bending(where: np.ndarray, places: np.ndarray, logs: np.ndarray) -> np.ndarray:
    rate = 10.0 ** np.interp(where, places, logs)
    # below the first node the rate vanishes with calcium
    return np.where(where < places[0], rate * 10.0 ** (2.0 * (np.maximum(where, -9.0) - places[0])), rate)


def _half(calcium: np.ndarray, rate: np.ndarray) -> float:
    """The least calcium at which a rate has half of its maximum."""
    return float(calcium[np.argmax(rate >= 0.5 * rate.max())])


def _row(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=float).tolist())
