"""A calcium rule in the constants of the compiled kernel: the one place where s and uM become ticks and ln c.

Between two visits calcium above rest decays exponentially, so u = ln c falls linearly.  Times are counted in
units of the decay time of calcium: u falls by one per unit, and the time spent above a threshold is a
difference of clipped logarithms.  Every constant below is a rate times that unit, or a value of u.

The kind of each part is its type, so that numba compiles one lean kernel per combination and keeps it on
disk.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from cascades.errors import NetworkError
from cascades.network.calcium import CalciumShape, SaturatingPump, SlowRise, stretched, unstretched
from cascades.reduction.rule import CalciumRule

MS_PER_S = 1000.0
NEVER = 80.0  # a threshold e**80 times the unit of calcium: never reached
FLOOR = -80.0  # u below which calcium counts as gone
TABLE_ROWS = 4096
ROWS_INSIDE = 16  # finer steps within one row when a table is made
LARGEST_PILE = 100.0  # a table reaches this many coincident pairs of spikes
WELL_ROWS = 1024

f32 = np.float32


class Calcium(NamedTuple):
    """`tick`: one tick in decay times; `pre`, `post`: jumps [the rule's unit of calcium]."""

    tick: Any
    pre: Any
    post: Any


class Steps(NamedTuple):
    """Three zones of calcium with constant rates: above both thresholds, between them, below both."""

    ln_high: Any
    ln_low: Any
    rate_high: Any
    aim_high: Any
    rate_middle: Any
    aim_middle: Any


class NeuronSteps(NamedTuple):
    """`Steps` of each postsynaptic neuron: rows of `zones` hold its six numbers, the rest rate and the rest
    aim."""

    zones: np.ndarray  # shape (8 * neurons,)


class Curve(NamedTuple):
    """Rates that depend on calcium in any way: rows (a, p) at u = low + row / per_unit.

    a is the integral of the total rate from `low` up; p the path of a synapse that comes down from saturating
    calcium.  Then rho(u1) = p(u1) + (rho(u0) - p(u0)) exp(a(u1) - a(u0)), with no difference of large
    numbers. `spread` holds in the same way the variance of that path.
    """

    rows: np.ndarray  # shape (2 * (TABLE_ROWS + 2),)
    spread: np.ndarray  # the same shape; every second number is used
    low: Any
    per_unit: Any


class Rest(NamedTuple):
    """Rates that act at resting calcium: towards `aim` at `rate`."""

    rate: Any
    aim: Any


class NoWell(NamedTuple):
    nothing: Any = 0


class EvenWell(NamedTuple):
    """The cubic well whose ridge is at 1/2: its flow has a closed form."""

    rate: Any


class CubicWell(NamedTuple):
    """The cubic well with its ridge at `star`, together with the rates at rest."""

    rate: Any
    star: Any
    rest_up: Any
    rest_down: Any


class TableWell(NamedTuple):
    """A drift at rest in equal rows over the efficacy; `steepest` is its largest slope."""

    rows: np.ndarray
    low: Any
    per_unit: Any
    steepest: Any
    rest_up: Any
    rest_down: Any


class Noise(NamedTuple):
    """Growth of the variance of the efficacy per threshold exceeded, and the key of its random numbers."""

    variance: Any
    key: Any


class Pumped(NamedTuple):
    """Extrusion that saturates: thresholds and tables stand at u + exp(u) / half, which falls as u did."""

    ln_half: Any


class Rising(NamedTuple):
    """Calcium is exp(u) exp(-t) - slow exp(-ratio t); `slow` holds the second amplitude of each synapse."""

    ratio: Any
    slow: np.ndarray  # float32, shape (synapses,)


class KernelRule(NamedTuple):
    calcium: Calcium
    drift: Any  # Steps | NeuronSteps | Curve
    rest: Any  # Rest | None
    well: Any  # NoWell | EvenWell | CubicWell | TableWell
    noise: Any  # Noise | None
    shape: Any = None  # Pumped | Rising | None


def kernel_rule(
    rule: CalciumRule, dt: float, seed: int = 0, shape: CalciumShape | None = None, synapses: int = 0
) -> KernelRule:
    """The constants of `rule` on a grid of `dt` [ms], for so many synapses.

    Raises
    ------
    NetworkError
        A rule that one calcium trace and one efficacy cannot express.
    """
    if rule.filter is not None:
        raise NetworkError(
            "rule",
            "its phosphatase filter needs a second variable per synapse; replay it in double precision",
        )
    trace = rule.calcium
    tau = trace.tau  # [s]
    calcium = Calcium(f32(dt / MS_PER_S / tau), f32(trace.pre), f32(trace.post))
    up, down = (float(rate) * tau for rate in rule.rates_at(trace.rest))
    drift = curve(rule, shape) if rule.rates is not None else steps(rule)
    kernel_shape: Any = None
    if isinstance(shape, SaturatingPump):
        kernel_shape = Pumped(f32(math.log(shape.half)))
        if isinstance(drift, Steps):
            drift = drift._replace(**{n: _stretched(getattr(drift, n), shape) for n in ("ln_high", "ln_low")})
    elif isinstance(shape, SlowRise):
        if isinstance(drift, Curve):
            raise NetworkError(
                "slow rise",
                "graded rates are tabulated along the one path on which calcium falls; calcium that rises "
                "slowly takes many. Give the rule step thresholds, or replay(..., precision='double')",
            )
        height = shape.height(tau)
        calcium = calcium._replace(pre=f32(trace.pre * height), post=f32(trace.post * height))
        kernel_shape = Rising(f32(tau / shape.rise), np.zeros(synapses, dtype=f32))
    well = _well(rule, up, down)
    in_well = isinstance(well, CubicWell | TableWell)
    rest = Rest(f32(up + down), f32(up / (up + down))) if up + down > 0.0 and not in_well else None
    noise = None
    if rule.sigma > 0.0:
        noise = Noise(
            f32(rule.sigma**2 / rule.tau * tau), np.int32(np.uint32(seed & 0xFFFFFFFF).astype(np.int32))
        )
    return KernelRule(calcium, drift, rest, well, noise, kernel_shape)


def _stretched(ln_threshold: Any, shape: SaturatingPump) -> Any:
    return ln_threshold if ln_threshold >= NEVER else f32(stretched(float(ln_threshold), shape.half))


def apart(rule: KernelRule) -> KernelRule:
    """The same constants, for a copy of the records: nothing that it changes is that of the running ones."""
    if not isinstance(rule.shape, Rising):
        return rule
    return rule._replace(shape=rule.shape._replace(slow=rule.shape.slow.copy()))


def zones(rule: CalciumRule) -> np.ndarray:
    """ln_high, ln_low, rate and aim above both thresholds, between them, at rest; shape (8,)."""
    trace = rule.calcium
    p, d = rule.theta_p - trace.rest, rule.theta_d - trace.rest
    up, down = rule.gamma_p * trace.tau, rule.gamma_d * trace.tau
    ordered = sorted([(p, up, 0.0), (d, 0.0, down)])  # the lower threshold first
    at_rest = [x for x in ordered if x[0] < 0.0]
    above = [math.log(max(x[0], 1e-30)) for x in ordered if x[0] >= 0.0]
    ln_low = above[0] if above else NEVER
    ln_high = above[-1] if above else NEVER
    if len(at_rest) == 1:  # one threshold lies below rest: nothing lies between the two
        ln_low = ln_high
    middle = ordered[0]
    rest_up, rest_down = sum(x[1] for x in at_rest), sum(x[2] for x in at_rest)
    pairs = [(up, down), (middle[1], middle[2]), (rest_up, rest_down)]
    rates = [number for a, b in pairs for number in (a + b, a / (a + b) if a + b > 0.0 else 0.0)]
    return np.array([ln_high, ln_low, *rates])


def steps(rule: CalciumRule) -> Steps:
    """The zones of step thresholds in any order."""
    return Steps(*(f32(x) for x in zones(rule)[:6]))


def curve(rule: CalciumRule, shape: CalciumShape | None = None) -> Curve:
    """Tables for the rates of `rule` at any calcium."""
    pump = shape if isinstance(shape, SaturatingPump) else None
    trace = rule.calcium
    jumps = trace.pre + trace.post
    smallest = min(x for x in (trace.pre, trace.post, jumps) if x > 0.0) if jumps > 0.0 else 1.0
    if rule.rates is not None:
        knots = [c - trace.rest for c in rule.rates.calcium if c > trace.rest]
        smallest = min([smallest, *knots[:1]])
    low, high = math.log(smallest) - 6.0, math.log(LARGEST_PILE * max(jumps, 1e-30))
    if pump:
        low, high = (float(stretched(x, pump.half)) for x in (low, high))
    step = (high - low) / TABLE_ROWS
    fine = step / ROWS_INSIDE
    u = low + fine * (np.arange(TABLE_ROWS * ROWS_INSIDE) + 0.5)
    if pump:
        u = unstretched(u, pump.half)
    up, down = rule.rates_at(trace.rest + np.exp(u))
    up, down = np.asarray(up) * trace.tau, np.asarray(down) * trace.tau
    total = up + down
    aim = np.divide(up, total, out=np.zeros_like(up), where=total > 0.0)
    exceeded = (np.exp(u) + trace.rest > rule.theta_p).astype(float) + (np.exp(u) + trace.rest > rule.theta_d)
    growth = exceeded * (rule.sigma**2 / rule.tau * trace.tau)
    a = np.concatenate([[0.0], np.cumsum(total * fine)])
    p, v = _path_down(total, aim, growth, fine)
    pick = slice(0, None, ROWS_INSIDE)
    rows, spread = (np.zeros((TABLE_ROWS + 2, 2), dtype=f32) for _ in range(2))
    rows[:-1, 0], rows[:-1, 1], spread[:-1, 0] = a[pick], p[pick], v[pick]
    rows[-1], spread[-1] = rows[-2], spread[-2]
    return Curve(rows.ravel(), spread.ravel(), f32(low), f32(1.0 / step))


def _path_down(
    total: np.ndarray, aim: np.ndarray, growth: np.ndarray, fine: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the path from saturating calcium, exact for rates constant in each fine step."""
    p, v = np.empty(total.size + 1), np.empty(total.size + 1)
    p[-1] = aim[-1]
    v[-1] = growth[-1] / (2.0 * total[-1]) if total[-1] > 0.0 else 0.0
    decay = np.exp(-total * fine)
    added = (
        growth
        * fine
        * np.where(total > 1e-9, -np.expm1(-2.0 * total * fine) / (2.0 * total * fine + 1e-300), 1.0)
    )
    for i in range(total.size - 1, -1, -1):
        p[i] = aim[i] + (p[i + 1] - aim[i]) * decay[i] if total[i] > 0.0 else p[i + 1]
        v[i] = v[i + 1] * decay[i] ** 2 + added[i]
    return p, v


def _well(rule: CalciumRule, rest_up: float, rest_down: float) -> Any:
    """The well; `rest_up` and `rest_down` are the rates at resting calcium, per decay time."""
    rate = rule.calcium.tau / rule.tau
    if rule.well == "cubic":
        if rule.rho_star == 0.5 and rest_up + rest_down == 0.0:
            return EvenWell(f32(rate))
        return CubicWell(f32(rate), f32(rule.rho_star), f32(rest_up), f32(rest_down))
    if rule.well_table is None:
        return NoWell()
    table = rule.well_table
    rho = np.linspace(table.rho[0], table.rho[-1], WELL_ROWS + 1)
    drift = rule.drift_at_rest(rho) * rule.calcium.tau
    rows = np.zeros((WELL_ROWS + 2, 2), dtype=f32)
    rows[:-1, 0] = drift
    rows[:-1, 1] = np.append(np.diff(drift), drift[-1] - drift[-2])
    rows[-1] = rows[-2]
    steepest = np.abs(np.diff(drift)).max() * WELL_ROWS / (rho[-1] - rho[0])
    per_unit = WELL_ROWS / (rho[-1] - rho[0])
    return TableWell(
        rows.ravel(), f32(rho[0]), f32(per_unit), f32(max(steepest, 1e-30)), f32(rest_up), f32(rest_down)
    )
