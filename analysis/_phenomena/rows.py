"""The rows of the table: every claim of the spine, and those that need a dendrite or a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis._phenomena.dendrite import heterosynaptic
from cascades.card import model_card
from cascades.claims import ClaimResult, check_claim
from cascades.claims.check import subject_of
from cascades.compiler.compiled import CompiledModel
from cascades.protocols import Protocol, stdp
from cascades.simulate import simulate

NEAR = 0.06  # delays [s] that the exponential fits see
TIMING = {"pre before post": (1.0, 78.8, 16.5), "post before pre": (-1.0, -22.8, 41.6)}  # Bi & Poo: %, ms


@dataclass(frozen=True)
class Row:
    """One line of the table; `used` says whether constants were set against it."""

    name: str
    target: str
    value: str
    holds: bool | None  # None: reported without a verdict
    used: str
    note: str

    @property
    def verdict(self) -> str:
        return "reported" if self.holds is None else "holds" if self.holds else "miss"


def claim_rows(model: str, only: str = "") -> list[Row]:
    """A row per claim whose name contains `only`."""
    subject = subject_of(model)
    chosen = [c for c in model_card(model).claims if only.lower() in c.name.lower()]
    return [_of_claim(check_claim(subject, claim)) for claim in chosen]


def _of_claim(one: ClaimResult) -> Row:
    target = ", ".join(_range(e, t) for e, t in zip(one.expected, one.tolerance, strict=True))
    if one.measure == "direction":
        target = {1.0: "larger", -1.0: "smaller"}[one.expected[0]]
        value = ", ".join({1.0: "larger", -1.0: "smaller", 0.0: "no change"}[v] for v in one.value) or "-"
    else:
        value = ", ".join(f"{v:.4g}" for v in one.value) or "-"
    note = one.source if one.holds else f"{one.reason} ({one.source})"
    return Row(one.name, target, value, one.holds, "tuned" if one.tuned else "held out", note)


def _range(expected: float, tolerance: float) -> str:
    return (
        f"{expected:.4g}" if tolerance == 0.0 else f"{expected - tolerance:.4g} .. {expected + tolerance:.4g}"
    )


def dendrite_row(model: str) -> Row:
    """What the other eight of ten synapses lose when late LTP gives two of them more slots."""
    seen = heterosynaptic(model)
    tolerance = 0.1 * abs(seen.expected)
    return Row(
        f"two of ten synapses of a pool gain slots (total {seen.slots:+.1%}): the others lose receptors",
        f"{100 * (seen.expected - tolerance):.2f} .. {100 * (seen.expected + tolerance):.2f} %",
        f"{100 * seen.lowest:.2f} %",
        abs(seen.lowest - seen.expected) <= tolerance,
        "held out",
        "Triesch et al. 2018, closed form at this rise (-3.136 % at +20 %, F = 0.5), within a tenth",
    )


def timing_rows(compiled: CompiledModel, delays: np.ndarray) -> list[Row]:
    """Amplitude and time constant of each side of the spike-timing window, at 1 and 5 Hz."""
    rows = []
    for rate in (1.0, 5.0):
        change = changes(compiled, [stdp(delay=float(d), rate=rate) for d in delays]) - 1.0
        for side, (sign, amplitude, tau) in TIMING.items():
            chosen = (np.abs(delays) <= NEAR) & (sign * delays > 0.0)
            seen = exponential(np.abs(delays[chosen]), change[chosen])
            value = (
                f"{100 * seen[0]:+.1f} %, {1e3 * seen[1]:.0f} ms" if seen else "changes sign or does not fall"
            )
            rows.append(
                Row(
                    f"60 pairs at {rate:g} Hz, {side}: amplitude and time constant",
                    f"{amplitude:+.1f} %, {tau:g} ms",
                    value,
                    None,
                    "held out",
                    "exponential through the digitised points of Bi & Poo 1998 (1 Hz); wide errors",
                )
            )
    return rows


def exponential(lag: np.ndarray, change: np.ndarray) -> tuple[float, float] | None:
    """Amplitude and time constant [s] of A exp(-lag / tau), least squares in the logarithm; None where
    the change has both signs or does not fall with the lag."""
    if np.ptp(np.sign(change)) > 0.0:
        return None
    slope, start = np.polyfit(lag, np.log(np.abs(change)), 1)
    return (float(np.sign(change[0]) * np.exp(start)), float(-1.0 / slope)) if slope < 0.0 else None


def changes(
    compiled: CompiledModel,
    protocols: Sequence[Protocol],
    values: dict[str, float] | None = None,
    initial: dict[str, float] | None = None,
) -> np.ndarray:
    """Efficacy at the end of each protocol over that at the start."""
    ends = np.unique([0.0, *(protocol.duration for protocol in protocols)])
    run = simulate(compiled, ends, protocol=list(protocols), values=values, initial=initial)
    at = np.searchsorted(ends, [protocol.duration for protocol in protocols])
    efficacy = np.asarray(run["efficacy"])
    return np.asarray(efficacy[np.arange(at.size), at] / efficacy[:, 0])
