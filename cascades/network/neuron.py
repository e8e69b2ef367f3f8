"""Neurons and sources of spikes: what a population is made of.  Times in ms, potentials in mV, rates in
Hz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cascades.errors import NetworkError


@dataclass(frozen=True)
class LeakyIntegrateAndFire:
    """tau_m v' = v_rest - v + drive + s_exc - s_inh, with currents that decay exponentially; solved exactly.

    Parameters
    ----------
    tau_m, tau_exc, tau_inh : float
        Time constants [ms] of the membrane and of the currents.
    v_rest, v_threshold, v_reset : float
        Potentials [mV].
    refractory : float
        Time [ms] after a spike in which the potential stands still.
    drive : float
        Constant input [mV].

    A spike that arrives adds its synapse's weight [mV] to `s_exc` or `s_inh`.
    """

    tau_m: float = 20.0
    v_rest: float = -65.0
    v_threshold: float = -45.0
    v_reset: float = -55.0
    refractory: float = 2.0
    tau_exc: float = 2.0
    tau_inh: float = 2.0
    drive: float = 0.0

    weight_unit = "mV"

    def __post_init__(self) -> None:
        _positive(self, "tau_m", "tau_exc", "tau_inh")
        _not_negative(self, "refractory")
        if self.v_reset >= self.v_threshold:
            raise NetworkError("neuron", f"v_reset ({self.v_reset:g} mV) must lie below v_threshold")


@dataclass(frozen=True)
class AdaptiveExponential:
    """C v' = -g_L (v - E_L) + g_L slope exp((v - v_threshold) / slope) - w + drive + synaptic currents,
    tau_w w' = a (v - E_L) - w.

    Brette & Gerstner (2005) J. Neurophysiol. 94:3637, with their values.  Excitation is AMPA and NMDA with
    the magnesium block of Jahr & Stevens (1990) J. Neurosci. 10:3178, inhibition is GABA.  A spike that
    arrives adds its synapse's weight [nS] to the AMPA conductance and `nmda_ratio` times that to NMDA, or to
    GABA. `slope` 0 and `a`, `b` 0 give a leaky integrate-and-fire neuron with conductances.

    Parameters
    ----------
    capacitance [pF], leak [nS], v_rest, v_threshold, slope, v_reset, v_peak [mV], refractory [ms]
    a [nS], b [pA], tau_w [ms] : adaptation
    tau_ampa, tau_nmda, tau_gaba [ms], e_exc, e_inh [mV], nmda_ratio, magnesium [mM]
    drive : float
        Constant current [pA].
    """

    capacitance: float = 281.0
    leak: float = 30.0
    v_rest: float = -70.6
    v_threshold: float = -50.4
    slope: float = 2.0
    v_reset: float = -70.6
    v_peak: float = 20.0
    refractory: float = 2.0
    a: float = 4.0
    b: float = 80.5
    tau_w: float = 144.0
    tau_ampa: float = 3.0
    tau_nmda: float = 100.0
    tau_gaba: float = 8.0
    e_exc: float = 0.0
    e_inh: float = -80.0
    nmda_ratio: float = 0.2
    magnesium: float = 1.0
    drive: float = 0.0

    weight_unit = "nS"

    def __post_init__(self) -> None:
        _positive(self, "capacitance", "leak", "tau_w", "tau_ampa", "tau_nmda", "tau_gaba")
        _not_negative(self, "refractory", "slope", "nmda_ratio", "magnesium")
        if self.v_reset >= self.v_threshold:
            raise NetworkError("neuron", f"v_reset ({self.v_reset:g} mV) must lie below v_threshold")


@dataclass(frozen=True)
class PoissonSource:
    """Spikes at random, `rate` [Hz] each; no potential."""

    rate: float

    weight_unit = ""

    def __post_init__(self) -> None:
        _not_negative(self, "rate")


@dataclass(frozen=True, eq=False)
class ReplayedSource:
    """Given spikes: `times` [ms] and the `neurons` (0 ... size - 1) that emit them."""

    times: np.ndarray
    neurons: np.ndarray

    weight_unit = ""

    def __post_init__(self) -> None:
        times, neurons = np.asarray(self.times, dtype=float), np.asarray(self.neurons, dtype=np.int64)
        if times.shape != neurons.shape or times.ndim != 1:
            raise NetworkError("replayed source", "times and neurons must be lists of equal length")
        if times.size and (not np.isfinite(times).all() or times.min() < 0.0):
            raise NetworkError("replayed source", "spike times must be finite and not negative")
        order = np.lexsort((neurons, times))
        object.__setattr__(self, "times", times[order])
        object.__setattr__(self, "neurons", neurons[order])


Neuron = LeakyIntegrateAndFire | AdaptiveExponential | PoissonSource | ReplayedSource


@dataclass(frozen=True)
class PoissonDrive:
    """Independent random spikes from outside onto each neuron: `rate` [Hz] in all, each of `weight`."""

    rate: float
    weight: float

    def __post_init__(self) -> None:
        _not_negative(self, "rate")


@dataclass(frozen=True)
class Population:
    """`size` neurons of one kind under one name."""

    name: str
    size: int
    neuron: Neuron
    poisson: PoissonDrive | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise NetworkError(f"population {self.name!r}", f"size must be at least 1 (got {self.size})")
        if isinstance(self.neuron, ReplayedSource) and self.neuron.neurons.size:
            low, high = int(self.neuron.neurons.min()), int(self.neuron.neurons.max())
            if low < 0 or high >= self.size:
                wrong = low if low < 0 else high
                raise NetworkError(
                    f"population {self.name!r}",
                    f"a replayed spike is of neuron {wrong}; indices run from 0 to {self.size - 1}",
                )
        if self.poisson is not None and self.is_source:
            raise NetworkError(f"population {self.name!r}", "a source of spikes takes no Poisson drive")

    @property
    def is_source(self) -> bool:
        """Whether it only emits spikes."""
        return isinstance(self.neuron, PoissonSource | ReplayedSource)


def _positive(values: object, *names: str) -> None:
    for name in names:
        if not getattr(values, name) > 0.0:
            raise NetworkError(
                type(values).__name__, f"{name} must be positive (got {getattr(values, name)!r})"
            )


def _not_negative(values: object, *names: str) -> None:
    for name in names:
        if not getattr(values, name) >= 0.0:
            raise NetworkError(
                type(values).__name__, f"{name} must not be negative (got {getattr(values, name)!r})"
            )
