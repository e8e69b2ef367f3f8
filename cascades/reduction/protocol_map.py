"""Where in the space of protocols a rule holds: full model and rule on grids of rates, numbers and intervals.

Families of experiments are points in that space; a map says what lies between them.  Both start states
are run; a rule holds in a cell if the efficacy at the end is right within `HOLDS` from each of them and
each of them ends in the right state after the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cascades.reduction.batch import STEPS, replay_cases
from cascades.reduction.derivation import Derivation
from cascades.reduction.families import Case
from cascades.reduction.levels import by_own_separatrix
from cascades.reduction.rule import CalciumRule

HOLDS = 0.2  # error of the efficacy
CELLS = {"full": 14, "quick": 7}  # along each side
SCALE = 0.6  # of the jumps of calcium, as in the middle of the families
DELAY = 0.01  # s, of the postsynaptic spike, where it is not what is varied
PAIRS = 60  # where their number is not


@dataclass(frozen=True, eq=False)
class ProtocolMap:
    """Efficacies on a grid of protocols, from DOWN and from UP.

    across, up : name and values of the two axes
    full, rule : shape (up, across, 2)
        Efficacies when the protocol ends; NaN where the full model failed, or from UP if there is none.
    is_right : shape (up, across)
        Whether both end in the right state after the rest.
    """

    across: tuple[str, np.ndarray]
    up: tuple[str, np.ndarray]
    full: np.ndarray
    rule: np.ndarray
    is_right: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """The larger of the two errors of the efficacy, shape (up, across)."""
        error = np.abs(np.clip(self.rule, 0.0, 1.0) - np.clip(self.full, 0.0, 1.0))
        return np.asarray(np.nan_to_num(error).max(axis=2))

    @property
    def holds(self) -> np.ndarray:
        return np.asarray((self.error <= HOLDS) & self.is_right)

    def change(self, which: str) -> np.ndarray:
        """What the protocol does to a synapse that is as likely DOWN as UP: "full" or "rule"."""
        said = np.clip(self.full if which == "full" else self.rule, 0.0, 1.0)
        known = np.isfinite(said)
        moved = np.where(known, said - np.array([0.0, 1.0]), 0.0)
        return np.asarray(moved.sum(axis=2) / np.maximum(known.sum(axis=2), 1))

    def __str__(self) -> str:
        x, y = self.across[1], self.up[1]
        return (
            f"{self.across[0]} {x[0]:.3g} to {x[-1]:.3g}, {self.up[0]} {y[0]:.3g} to {y[-1]:.3g}: holds in "
            f"{self.holds.mean():.0%}, right outcome in {self.is_right.mean():.0%}, median error "
            f"{np.median(self.error):.3f}"
        )


def protocol_maps(known: Derivation, rule: CalciumRule) -> tuple[ProtocolMap, ...]:
    """The two maps: number of pairs by rate, and rate by interval of the pair."""
    n = CELLS[known.budget]
    rates = np.geomspace(0.3, 30.0, n)
    counts = np.unique(np.round(np.geomspace(3.0, 150.0, n)))
    delays = np.linspace(-0.1, 0.1, n + 1 if n % 2 == 0 else n)
    number = _map(known, rule, ("rate of pairs [Hz]", rates), ("number of pairs", counts),
                  lambda rate, count: _pairs(rate, DELAY, int(count)))  # fmt: skip
    interval = _map(known, rule, ("post after pre [s]", delays), ("rate of pairs [Hz]", rates),
                    lambda delay, rate: _pairs(rate, delay, PAIRS))  # fmt: skip
    return number, interval


def _map(
    known: Derivation,
    rule: CalciumRule,
    across: tuple[str, np.ndarray],
    up: tuple[str, np.ndarray],
    case: Callable[[float, float], Case],
) -> ProtocolMap:
    truth = known.ask([case(float(x), float(y)) for y in up[1] for x in across[1]])
    end, final = replay_cases(rule, known.jumps(truth), known.rest, steps=2 * STEPS)
    star = known.states.rho_star
    final = by_own_separatrix(final, rule, star)
    is_right = np.where(np.isfinite(truth.final), (final > star) == (truth.final > star), True).all(axis=1)
    shape = (up[1].size, across[1].size)
    return ProtocolMap(
        across, up, truth.end.reshape(*shape, 2), end.reshape(*shape, 2), is_right.reshape(shape)
    )


def _pairs(rate: float, delay: float, count: int) -> Case:
    pre = 0.5 + np.arange(count) / rate
    return Case("map", "", tuple(pre.tolist()), tuple((pre + delay).tolist()), SCALE)
