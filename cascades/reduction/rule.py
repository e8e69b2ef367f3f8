"""The calcium rule: spikes in, synaptic efficacy out.

    rho' = gamma_p (1 - rho) [c > theta_p] - gamma_d rho [c > theta_d] - rho (1 - rho)(rho_star - rho) / tau
    c'   = -(c - rest) / trace.tau + pre * sum delta(t - t_pre - delay) + post * sum delta(t - t_post)

Letters of Graupner & Brunel (2012) PNAS 109:3991, with one difference: here gamma_d and gamma_p are
rates [1/s]; theirs are divided by tau (see `cascades.reduction.published`).

Derived rules may replace parts of it: `rates` by tables over calcium instead of steps, `well_table`
by the drift at rest instead of the cubic, `filter` by a phosphatase that follows calcium slowly.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cascades.errors import RuleError

WELLS = ("cubic", "none", "table")
TINY = 1e-300
JSON_FORMAT = "cascades calcium rule 1"


@dataclass(frozen=True)
class CalciumTrace:
    """Calcium that jumps at spikes and decays: `rest` [uM], jumps `pre` and `post` [uM], decay time
    `tau` [s], and the `delay` [s] of the jump after a presynaptic spike."""

    rest: float = 0.0
    pre: float = 1.0
    post: float = 2.0
    tau: float = 0.02
    delay: float = 0.0

    def __post_init__(self) -> None:
        _check("calcium trace", self, positive=("tau",), not_negative=("rest", "pre", "post", "delay"))

    def jumps(self, pre: np.ndarray, post: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sorted times [s] at which calcium jumps and by how much [uM]."""
        pre, post = np.asarray(pre, dtype=float).ravel(), np.asarray(post, dtype=float).ravel()
        times = np.concatenate([pre + self.delay, post])
        sizes = np.concatenate([np.full(pre.size, self.pre), np.full(post.size, self.post)])
        order = np.argsort(times, kind="stable")
        return times[order], sizes[order]

    def at(self, times: np.ndarray, pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        """Calcium [uM] at sorted `times` [s], just after any jump there; shape (times,)."""
        spikes, sizes = self.jumps(pre, post)
        times = np.asarray(times, dtype=float)
        after = np.empty(spikes.size)  # excess just after each jump
        excess, last = 0.0, 0.0
        for i, (t, size) in enumerate(zip(spikes, sizes, strict=True)):
            excess = excess * math.exp(-(t - last) / self.tau) + size
            after[i], last = excess, t
        row = np.searchsorted(spikes, times, "right") - 1
        elapsed = times - np.where(row >= 0, spikes[np.maximum(row, 0)] if spikes.size else 0.0, 0.0)
        start = np.where(row >= 0, after[np.maximum(row, 0)] if spikes.size else 0.0, 0.0)
        return self.rest + start * np.exp(-elapsed / self.tau)


@dataclass(frozen=True)
class RateTable:
    """Graded rates: `potentiation` and `depression` [1/s] at increasing `calcium` [uM], linear
    between rows and constant beyond them."""

    calcium: tuple[float, ...]
    potentiation: tuple[float, ...]
    depression: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_table("rate table", self.calcium, self.potentiation, self.depression)
        if min(*self.potentiation, *self.depression) < 0.0:
            raise RuleError(
                "rate table", "a rate is negative; a synapse cannot be potentiated at a negative rate"
            )

    def at(self, calcium: Any) -> tuple[Any, Any]:
        """Potentiation and depression rates [1/s] at `calcium` [uM]."""
        return (
            np.interp(calcium, self.calcium, self.potentiation),
            np.interp(calcium, self.calcium, self.depression),
        )


@dataclass(frozen=True)
class WellTable:
    """The drift [1/s] of the efficacy at resting calcium at increasing `rho`, linear between rows
    (and continued along the first and the last piece)."""

    rho: tuple[float, ...]
    drift: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_table("well table", self.rho, self.drift)


def saturation(x: float, half: float) -> float:
    """s(x, half) of an enzyme's rate, 1 where x = 1; below 0 as at 0."""
    return 1.0 if math.isinf(half) else (1.0 + half) / (max(x, 0.0) + half)


@dataclass(frozen=True)
class PhosphataseFilter:
    """Depression through a phosphatase m that follows calcium slowly:

        m'   = on(c) (1 - m) - off(c) m s(m, half_m)
        rho' = ... - gain m rho s(rho, half_rho),    s(x, half) = (1 + half) / (x + half)

    with rates [1/s] at increasing `calcium` [uM], linear between rows and constant beyond them.  Both
    reactions are those of an enzyme, which saturates where its substrate is above `half` (Goldbeter &
    Koshland 1981, PNAS 78:6840); where `half` is infinite, s is 1.
    """

    gain: float
    calcium: tuple[float, ...]
    on: tuple[float, ...]
    off: tuple[float, ...]
    half_rho: float = math.inf
    half_m: float = math.inf

    def __post_init__(self) -> None:
        _check("phosphatase filter", self, positive=("half_rho", "half_m"), not_negative=("gain",))
        _check_table("phosphatase filter", self.calcium, self.on, self.off)
        if min(*self.on, *self.off) < 0.0:
            raise RuleError("phosphatase filter", "a rate is negative")

    def at(self, calcium: Any) -> tuple[Any, Any]:
        """The rates on and off [1/s] at `calcium` [uM]."""
        return np.interp(calcium, self.calcium, self.on), np.interp(calcium, self.calcium, self.off)

    def resting(self, calcium: Any) -> Any:
        """The phosphatase [0 to 1] in equilibrium with `calcium` [uM]."""
        on, off = self.at(calcium)
        if math.isinf(self.half_m):
            return on / np.maximum(on + off, TINY)
        # on (1 - m)(m + half) = off (1 + half) m
        b = off * (1.0 + self.half_m) - on * (1.0 - self.half_m)
        root = np.hypot(b, 2.0 * on * math.sqrt(self.half_m))
        small, large = (
            2.0 * on * self.half_m / np.maximum(b + root, TINY),
            (root - b) / np.maximum(2.0 * on, TINY),
        )
        return np.where(b > 0.0, small, large)[()]

    def depression(self, m: float, rho: float) -> float:
        """The rate [1/s] at which `rho` is depressed, per unit of it."""
        return self.gain * m * saturation(rho, self.half_rho)

    def drift(self, calcium: float, m: float) -> float:
        """m' [1/s]."""
        on, off = self.at(calcium)
        return float(on * (1.0 - m) - off * m * saturation(m, self.half_m))


@dataclass(frozen=True)
class CalciumRule:
    """A calcium-threshold rule of one synapse, and where it comes from.

    Parameters
    ----------
    theta_d, theta_p : float
        Calcium [uM, or the unit of `calcium`] above which the synapse is depressed, potentiated.
    gamma_d, gamma_p : float
        Rates [1/s] of depression and potentiation above the thresholds.
    tau : float
        Time [s] of the double well.
    rho_star : float
        The efficacy that separates the DOWN (0) from the UP (1) state.
    sigma : float
        Noise, as in Graupner & Brunel 2012: the variance of rho grows by sigma^2 / tau per second
        and threshold exceeded.
    well : "cubic", "none" or "table"
    calcium : CalciumTrace
    rates : RateTable, if the rates are graded; the thresholds then only summarise them
    well_table : WellTable, if `well` is "table"
    filter : PhosphataseFilter, if depression acts through one; it then replaces the depression rate
    provenance : mapping of text to text, numbers, lists and mappings of these
        Model, content hash, protocols, errors, versions.

    Raises
    ------
    RuleError
        A value that makes no sense; says which.
    """

    theta_d: float
    theta_p: float
    gamma_d: float
    gamma_p: float
    tau: float
    rho_star: float = 0.5
    sigma: float = 0.0
    well: str = "cubic"
    calcium: CalciumTrace = field(default_factory=CalciumTrace)
    rates: RateTable | None = None
    well_table: WellTable | None = None
    filter: PhosphataseFilter | None = None
    name: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        not_negative = ("gamma_d", "gamma_p", "sigma")
        _check("calcium rule", self, positive=("tau", "theta_d", "theta_p"), not_negative=not_negative)
        if not 0.0 < self.rho_star < 1.0:
            raise RuleError("calcium rule", f"rho_star must lie between 0 and 1 (got {self.rho_star!r})")
        if self.well not in WELLS:
            raise RuleError("calcium rule", f"well must be one of {', '.join(WELLS)} (got {self.well!r})")
        if (self.well == "table") != (self.well_table is not None):
            raise RuleError("calcium rule", 'a well_table is needed with well="table", and only then')

    def rates_at(self, calcium: Any) -> tuple[Any, Any]:
        """Potentiation and depression rates [1/s] at `calcium` [uM]."""
        if self.rates is not None:
            return self.rates.at(calcium)
        return (
            np.where(np.greater(calcium, self.theta_p), self.gamma_p, 0.0)[()],
            np.where(np.greater(calcium, self.theta_d), self.gamma_d, 0.0)[()],
        )

    def drift_at_rest(self, rho: Any) -> Any:
        """The drift [1/s] of the well at efficacy `rho`."""
        if self.well == "cubic":
            return -rho * (1.0 - rho) * (self.rho_star - rho) / self.tau
        if self.well_table is None:
            return np.zeros_like(np.asarray(rho, dtype=float))[()]
        x, y = np.array(self.well_table.rho), np.array(self.well_table.drift)
        cell = np.clip(np.searchsorted(x, rho, "right") - 1, 0, x.size - 2)
        return y[cell] + (rho - x[cell]) * ((y[1:] - y[:-1]) / (x[1:] - x[:-1]))[cell]

    def replay(
        self, pre: Any, post: Any, times: Any, *, rho: float = 0.0, phosphatase: float | None = None
    ) -> np.ndarray:
        """The efficacy at sorted `times` [s], shape (times,), from `rho` at time 0; without noise.

        The reference for every faster implementation: see `cascades.reduction.replay`.
        """
        from cascades.reduction.replay import replay

        return replay(self, pre, post, times, rho=rho, phosphatase=phosphatase)

    def to_json(self) -> str:
        """All of it, so that `from_json` gives an equal rule, to the last bit."""
        return json.dumps({"format": JSON_FORMAT, **plain(dataclasses.asdict(self))}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> CalciumRule:
        """Raises RuleError if the text is not a rule that `to_json` wrote."""
        try:
            content = unplain(json.loads(text))
            if content.pop("format", None) != JSON_FORMAT:
                raise RuleError("rule file", f"not a {JSON_FORMAT!r} file")
            parts = {
                key: kind(**content.pop(key)) for key, kind in _PARTS.items() if content.get(key) is not None
            }
            return cls(**content, **parts)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            if isinstance(error, RuleError):
                raise
            raise RuleError("rule file", f"not a calcium rule: {error}") from error


_PARTS: dict[str, Any] = {
    "calcium": CalciumTrace,
    "rates": RateTable,
    "well_table": WellTable,
    "filter": PhosphataseFilter,
}
_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def plain(value: Any) -> Any:
    """A value as strict JSON has it: infinities by name, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):  # strict JSON has no infinity
        return {"number": str(value)}
    return value


def unplain(value: Any) -> Any:
    """What `plain` was given, with tuples for lists."""
    if isinstance(value, dict):
        if list(value) == ["number"] and value["number"] in _INFINITE:
            return _INFINITE[value["number"]]
        return {k: unplain(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(unplain(v) for v in value)
    return value


def _check(
    what: str, values: Any, *, positive: tuple[str, ...] = (), not_negative: tuple[str, ...] = ()
) -> None:
    for name in (*positive, *not_negative):
        value = getattr(values, name)
        if not isinstance(value, int | float | np.floating) or math.isnan(value):
            raise RuleError(what, f"{name} must be a number (got {value!r})")
        if value < 0.0 or (value == 0.0 and name in positive):
            sign = "positive" if name in positive else "not negative"
            raise RuleError(what, f"{name} must be {sign} (got {value!r})")


def _check_table(what: str, x: tuple[float, ...], *columns: tuple[float, ...]) -> None:
    if len(x) < 2 or any(len(column) != len(x) for column in columns):
        raise RuleError(what, "at least two rows are needed, and columns of equal length")
    if not np.isfinite([x, *columns]).all() or (np.diff(x) <= 0.0).any():
        raise RuleError(what, "rows must be finite and their first column must increase")
