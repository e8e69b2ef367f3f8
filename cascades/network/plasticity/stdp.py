"""Pair and triplet spike-timing-dependent plasticity, and Hebbian plasticity with soft bounds.

Song, Miller & Abbott (2000) Nat. Neurosci. 3:919 (pairs); Pfister & Gerstner (2006) J. Neurosci. 26:9673
(triplets, with their all-to-all visual cortex values as `TRIPLET_VISUAL_CORTEX`).
"""

from __future__ import annotations

from dataclasses import dataclass

from cascades.errors import NetworkError


@dataclass(frozen=True)
class SpikeTiming:
    """Changes of the efficacy at spikes, from traces of earlier ones.

    At a postsynaptic spike rho += (ltp + ltp_triplet o2) r1 g(1 - rho), at a presynaptic arrival
    rho -= (ltd + ltd_triplet r2) o1 g(rho).  r1, r2 follow presynaptic, o1, o2 postsynaptic spikes, each
    jumping by one and decaying with its time [ms]; o2 and r2 count before the present spike.  With `soft`
    bounds g(x) = x, so that LTP and LTD scale as (1 - w) and w; otherwise g = 1 and the efficacy is clipped
    to [0, 1].

    Raises
    ------
    NetworkError
        A negative amplitude or a time that is not positive.
    """

    ltp: float = 0.01
    ltd: float = 0.0105
    tau_r1: float = 20.0
    tau_o1: float = 20.0
    ltp_triplet: float = 0.0
    ltd_triplet: float = 0.0
    tau_r2: float = 101.0
    tau_o2: float = 125.0
    soft: bool = False

    def __post_init__(self) -> None:
        for name in ("ltp", "ltd", "ltp_triplet", "ltd_triplet"):
            if not getattr(self, name) >= 0.0:
                raise NetworkError(
                    "spike timing", f"{name} must not be negative (got {getattr(self, name)!r})"
                )
        for name in ("tau_r1", "tau_r2", "tau_o1", "tau_o2"):
            if not getattr(self, name) > 0.0:
                raise NetworkError("spike timing", f"{name} must be positive (got {getattr(self, name)!r})")


# Pfister & Gerstner 2006, Table 4, visual cortex, all-to-all, full model
TRIPLET_VISUAL_CORTEX = SpikeTiming(
    ltp=5e-10,
    ltp_triplet=6.2e-3,
    ltd=7e-3,
    ltd_triplet=2.3e-4,
    tau_r1=16.8,
    tau_r2=101.0,
    tau_o1=33.7,
    tau_o2=125.0,
)


def hebbian(eta_ltp: float, eta_ltd: float, tau: float = 20.0) -> SpikeTiming:
    """dW/dt = eta_ltp LTP (1 - W) - eta_ltd LTD W, with LTP and LTD the pairings of spikes within `tau`
    [ms]."""
    return SpikeTiming(ltp=eta_ltp, ltd=eta_ltd, tau_r1=tau, tau_o1=tau, soft=True)
