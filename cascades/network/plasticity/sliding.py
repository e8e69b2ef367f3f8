"""Rules whose thresholds slide: the BCM rule, and rules derived along slow variables.

Bienenstock, Cooper & Munro (1982) J. Neurosci. 2:32: the threshold between depression and potentiation
follows a power of the neuron's activity.  In a calcium rule both thresholds of a postsynaptic neuron move
together.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import NetworkError
from cascades.network.constants import zones
from cascades.network.plasticity.base import Mechanism, running_rate, start_rate

if TYPE_CHECKING:
    from cascades.network.network import Network
    from cascades.network.view import View
    from cascades.reduction.rule import CalciumRule

LN_HIGH, LN_LOW = 0, 1


@dataclass(frozen=True)
class SlidingThreshold(Mechanism):
    """The thresholds of a neuron, above resting calcium, are those of the rule times (rate / target)**power.

    The rate [Hz] is averaged with `tau_rate` [ms]; the factor stays between `lowest` and `highest`.  Where
    the depression threshold does not move, the other, which parts depression from potentiation, never passes
    it: then activity turns potentiation into depression, where two moving thresholds also turn both off.
    """

    target: float = 5.0
    power: float = 1.0
    tau_rate: float = 10_000.0
    lowest: float = 0.5
    highest: float = 2.0
    moves_depression: bool = True

    slides = True

    def check(self, network: Network) -> None:
        super().check(network)
        if not (self.target > 0.0 and 0.0 < self.lowest <= 1.0 <= self.highest):
            raise NetworkError("SlidingThreshold", "target must be positive, and lowest <= 1 <= highest")
        rule = network.rule
        if not self.moves_depression and rule is not None and rule.theta_p <= rule.theta_d:
            raise NetworkError("SlidingThreshold", "theta_p must lie above theta_d to slide alone")

    def start(self, view: View) -> dict[str, np.ndarray]:
        return start_rate(view, self.target)

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rate = running_rate(view, memory, self.interval, self.tau_rate)
        factor = np.clip((np.maximum(rate, 1e-9) / self.target) ** self.power, self.lowest, self.highest)
        start = zones(view.rule)
        view.zones[:, LN_HIGH] = np.maximum(start[LN_HIGH] + np.log(factor), start[LN_LOW])
        if self.moves_depression:
            view.zones[:, LN_HIGH] = start[LN_HIGH] + np.log(factor)
            view.zones[:, LN_LOW] = start[LN_LOW] + np.log(factor)


@dataclass(frozen=True, eq=False)
class SlowVariable(Mechanism):
    """A slow variable of each neuron (a miRNA, a phosphatase, PKA tone) slides the rule along a derived
    table.

    Parameters
    ----------
    name : str
    values : sequence of float
        Values of the variable, increasing.
    rules : sequence of CalciumRule
        The rule derived at each of them; between two, thresholds and rates are interpolated.
    tau : float
        Time [ms] with which the variable follows its drive.
    rates, targets : sequences of float
        Where the variable is driven at increasing rates [Hz] of the neuron, linear between them and constant
        beyond: as `cascades.reduction.SlowDynamics` has them.
    """

    name: str = "slow variable"
    values: tuple[float, ...] = ()
    rules: tuple[CalciumRule, ...] = field(default=())
    tau: float = 3_600_000.0
    rates: tuple[float, ...] = (0.0,)
    targets: tuple[float, ...] = (0.0,)
    tau_rate: float = 10_000.0

    slides = True

    def check(self, network: Network) -> None:
        super().check(network)
        values = np.asarray(self.values, dtype=float)
        if values.size < 2 or values.size != len(self.rules) or (np.diff(values) <= 0.0).any():
            raise NetworkError(self.name, "at least two increasing values, and one rule for each, are needed")
        rates = np.asarray(self.rates, dtype=float)
        if rates.size < 1 or rates.size != len(self.targets) or (np.diff(rates) <= 0.0).any():
            raise NetworkError(self.name, "its rates must increase, and each needs a target")
        if any(rule.rates is not None or rule.filter is not None for rule in self.rules):
            raise NetworkError(self.name, "only rules with step thresholds slide")
        same = ("tau", "rho_star", "sigma", "well", "well_table", "calcium")
        for rule in self.rules:
            for part in same:
                if getattr(rule, part) != getattr(network.rule, part):
                    raise NetworkError(
                        self.name, f"{part} must be that of the network's rule; thresholds and rates slide"
                    )

    def start(self, view: View) -> dict[str, np.ndarray]:
        return start_rate(view, 0.0) | {"value": np.full(view.network.size, float(self.targets[0]))}

    def rule_at(self, value: float) -> CalciumRule:
        """Between two values logarithms are interpolated, as in `cascades.reduction.SlidingRule`."""
        moved = ("theta_d", "theta_p", "gamma_d", "gamma_p")
        logs = np.log([[max(getattr(r, n), 1e-300) for r in self.rules] for n in moved])
        numbers: dict[str, Any] = {
            n: float(np.exp(np.interp(value, self.values, row))) for n, row in zip(moved, logs, strict=True)
        }
        return dataclasses.replace(self.rules[0], **numbers)

    def apply(self, view: View, memory: dict[str, np.ndarray]) -> None:
        rate = running_rate(view, memory, self.interval, self.tau_rate)
        target = np.interp(rate, self.rates, self.targets)
        memory["value"] += (target - memory["value"]) * -np.expm1(-self.interval / self.tau)
        # a fine grid of rules: zones cost a logarithm each, neurons only a look-up
        grid = np.linspace(self.values[0], self.values[-1], 1025)
        table = np.array([zones(self.rule_at(x)) for x in grid])
        at = np.clip((memory["value"] - grid[0]) / (grid[-1] - grid[0]) * 1024.0, 0.0, 1024.0)
        low = np.minimum(at.astype(int), 1023)
        view.zones[:] = table[low] + (at - low)[:, None] * (table[low + 1] - table[low])
