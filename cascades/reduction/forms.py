"""The forms of fitted rules: their free numbers, and the rule that the numbers make.

Each form contains the one before it, so that a fit can begin where the simpler one ended.  Numbers are
decimal logarithms, except rho_star; thresholds are logarithms of calcium above rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cascades.reduction.rule import CalciumRule, CalciumTrace, PhosphataseFilter, RateTable, WellTable

ROWS = 96  # of the tables of a fitted rule
SPREAD_OF_STARTS = 0.7  # decades


@dataclass(frozen=True)
class Form:
    """A family of rules: its free numbers with bounds, and the rule that they make."""

    name: str
    numbers: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    build: Callable[[np.ndarray], CalciumRule]


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


def general_start(setting: Setting, hill: CalciumRule, x: np.ndarray, nodes: int = 6) -> np.ndarray:
    """The general rates that equal a Hill rule, and its numbers x, at their nodes."""
    a, b = setting.bounds()
    up, down = hill.rates_at(setting.trace.rest + 10.0 ** np.linspace(a, b, nodes))
    logs = [np.log10(np.maximum(rate, 1e-5)) for rate in (down, up)]
    return np.concatenate([x[4:6], *logs])


def filter_form(setting: Setting, nodes: int = 6) -> Form:
    """Two variables: any potentiation rate, and depression by a phosphatase that turns on and off at
    any rates, all given by their logarithms at `nodes` levels of calcium; both reactions saturate; a
    cubic well."""
    a, b = setting.bounds()
    places = np.linspace(a, b, nodes)
    calcium = setting.calcium()
    where = np.log10(np.maximum(calcium - setting.trace.rest, 1e-12))
    general = general_form(setting, nodes)

    def build(x: np.ndarray) -> CalciumRule:
        up, on, off = (_bending(where, places, x[5 + k * nodes : 5 + (k + 1) * nodes]) for k in range(3))
        off = np.where(where < places[0], 10.0 ** x[5 + 2 * nodes], off)
        gain, half_rho, half_m = (float(10.0**value) for value in x[2:5])
        found = PhosphataseFilter(gain, _row(calcium), _row(on), _row(off), half_rho, half_m)
        down = gain * found.resting(calcium)
        return CalciumRule(
            theta_d=_half(calcium, down), theta_p=_half(calcium, up), gamma_d=float(down.max()),
            gamma_p=float(up.max()), tau=10.0 ** x[0], rho_star=float(x[1]), calcium=setting.trace,
            rates=RateTable(_row(calcium), _row(up), (0.0,) * calcium.size),
            filter=found, name="phosphatase",
        )  # fmt: skip

    labels = tuple(f"{kind} {i}" for kind in ("potentiation", "on", "off") for i in range(nodes))
    low = (*general.low[:2], -2.0, -3.0, -2.0, *(-5.0,) * (2 * nodes), *(-2.5,) * nodes)
    high = (*general.high[:2], 1.5, 1.0, 1.0, *(2.0,) * (2 * nodes), *(2.0,) * nodes)
    numbers = ("tau", "rho_star", "gain", "half_rho", "half_m", *labels)
    return Form("two variables: rates and phosphatase", numbers, low, high, build)


def filter_starts(setting: Setting, count: int = 6, seed: int = 0, nodes: int = 6) -> list[np.ndarray]:
    """Places to begin: a phosphatase that a little calcium frees and more of it binds, with rates per
    second, as protocols last for seconds, and draws around it."""
    tau, rho_star = float(np.log10(max(setting.cubic[0], 1e-2))), setting.rho_star
    rates = [np.linspace(-4.0, 0.5, nodes), np.full(nodes, -1.0), np.linspace(-2.0, 1.0, nodes)]
    middle = np.concatenate([[tau, rho_star, 0.0, -1.0, -1.0], *rates])
    draw = np.random.default_rng(seed)
    return [middle, *(middle + SPREAD_OF_STARTS * draw.normal(size=(count - 1, middle.size)))]


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
