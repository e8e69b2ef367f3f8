"""One tick of the neurons of one thread: integrate, draw what arrives from outside, find who spikes."""

from __future__ import annotations

import math

import numpy as np

from cascades.network.arrays import (
    ADAPTATION,
    ADAPTIVE,
    CONSTANTS,
    EXC,
    INCREMENT,
    INH,
    KIND,
    LEAKY,
    NMDA,
    POISSON,
    QUIET,
    RATE,
    REPLAYED,
    THRESHOLD,
    USE,
    V,
)
from cascades.network.compiled import kernel, tick_function
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, Neuron, PoissonSource
from cascades.network.sources import arrivals, release, replayed

MG_HALF, MG_STEEPNESS = 3.57, 0.062  # [mM], [1/mV]: Jahr & Stevens (1990) J. Neurosci. 10:3178, equation 4
NEURON_CONSTANTS = 18
SCAN = 256  # neurons looked at together for a spike
LARGEST_EXPONENT = 10.0  # of the spike current; beyond it the neuron spikes within a tick anyway


def kind_of(neuron: Neuron) -> int:
    if isinstance(neuron, LeakyIntegrateAndFire):
        return LEAKY
    if isinstance(neuron, AdaptiveExponential):
        return ADAPTIVE
    return POISSON if isinstance(neuron, PoissonSource) else REPLAYED


def constants(neuron: Neuron, dt: float) -> np.ndarray:
    """The numbers that `leaky` and `adaptive` read, for a tick of `dt` [ms]; shape (NEURON_CONSTANTS,)."""
    out = np.zeros(NEURON_CONSTANTS)
    if isinstance(neuron, LeakyIntegrateAndFire):
        decay = math.exp(-dt / neuron.tau_m)
        out[:8] = (
            decay,
            neuron.v_rest + neuron.drive,
            neuron.v_reset,
            round(neuron.refractory / dt),
            math.exp(-dt / neuron.tau_exc),
            math.exp(-dt / neuron.tau_inh),
            _response(neuron.tau_m, neuron.tau_exc, dt),
            _response(neuron.tau_m, neuron.tau_inh, dt),
        )
    elif isinstance(neuron, AdaptiveExponential):
        n = neuron
        out[:] = (
            n.leak, n.v_rest, n.v_reset, round(n.refractory / dt), math.exp(-dt / n.tau_ampa),
            math.exp(-dt / n.tau_gaba), math.exp(-dt / n.tau_nmda), n.slope, n.v_peak, n.a,
            math.exp(-dt / n.tau_w), n.e_exc, n.e_inh, n.nmda_ratio, n.magnesium / MG_HALF, MG_STEEPNESS,
            n.drive, dt / n.capacitance,
        )  # fmt: skip
    return out


def _response(tau_m: float, tau: float, dt: float) -> float:
    """What a unit synaptic current that decays with `tau` adds to the membrane within dt."""
    if abs(tau_m - tau) < 1e-6 * tau_m:
        return dt / tau_m * math.exp(-dt / tau_m)
    return tau / (tau_m - tau) * (math.exp(-dt / tau_m) - math.exp(-dt / tau))


@tick_function
def leaky(state, k, first, last):  # type: ignore[no-untyped-def]
    # slices count from zero, which lets the compiler use vectors
    v, exc, inh, quiet = (
        state[V, first:last],
        state[EXC, first:last],
        state[INH, first:last],
        state[QUIET, first:last],
    )
    decay, rest, decay_exc, decay_inh = np.float32(k[0]), np.float32(k[1]), np.float32(k[4]), np.float32(k[5])
    from_exc, from_inh = np.float32(k[6]), np.float32(k[7])
    zero, one = np.float32(0.0), np.float32(1.0)
    for i in range(v.size):
        free = rest + (v[i] - rest) * decay + exc[i] * from_exc - inh[i] * from_inh
        v[i] = v[i] if quiet[i] > zero else free
        quiet[i] = max(quiet[i] - one, zero)
        exc[i] *= decay_exc
        inh[i] *= decay_inh


@tick_function
def adaptive(state, k, first, last):  # type: ignore[no-untyped-def]
    v, w, threshold = state[V, first:last], state[ADAPTATION, first:last], state[THRESHOLD, first:last]
    exc, nmda, inh = state[EXC, first:last], state[NMDA, first:last], state[INH, first:last]
    quiet = state[QUIET, first:last]
    f = np.float32
    leak, rest, slope, a, decay_w = f(k[0]), f(k[1]), f(k[7]), f(k[9]), f(k[10])
    e_exc, e_inh, magnesium, steepness = f(k[11]), f(k[12]), f(k[14]), f(k[15])
    drive, per_capacitance, largest = f(k[16]), f(k[17]), f(LARGEST_EXPONENT)
    decay_exc, decay_inh, decay_nmda = f(k[4]), f(k[5]), f(k[6])
    zero, one = f(0.0), f(1.0)
    for i in range(v.size):
        open_nmda = nmda[i] / (one + magnesium * math.exp(-steepness * v[i]))
        total = leak + exc[i] + open_nmda + inh[i]
        current = leak * rest + (exc[i] + open_nmda) * e_exc + inh[i] * e_inh + drive - w[i]
        if slope > zero:
            current += leak * slope * math.exp(min((v[i] - threshold[i]) / slope, largest))
        end = current / total
        w[i] = a * (v[i] - rest) + (w[i] - a * (v[i] - rest)) * decay_w
        free = end + (v[i] - end) * math.exp(-total * per_capacitance)
        v[i] = v[i] if quiet[i] > zero else free
        quiet[i] = max(quiet[i] - one, zero)
        exc[i] *= decay_exc
        inh[i] *= decay_inh
        nmda[i] *= decay_nmda


@tick_function
def spiking(state, kind, k, first, last, neurons, count):  # type: ignore[no-untyped-def]
    """Append the neurons above threshold to `neurons`, reset them; returns how many there are now."""
    peak = np.float32(k[8]) if kind == ADAPTIVE and k[7] > 0.0 else np.float32(-np.inf)
    for begin in range(first, last, SCAN):
        end = min(begin + SCAN, last)
        v, threshold = state[V, begin:end], state[THRESHOLD, begin:end]
        above = 0
        for i in range(v.size):
            above += v[i] >= max(threshold[i], peak)
        if above == 0:
            continue
        for i in range(v.size):
            if v[i] >= max(threshold[i], peak):
                v[i] = k[2]
                state[QUIET, begin + i] = k[3]
                state[ADAPTATION, begin + i] += state[INCREMENT, begin + i]
                neurons[count] = begin + i
                count += 1
    return count


@kernel
def tick(cells, groups, g, thread, first, last, t, neurons, gains, count):  # type: ignore[no-untyped-def]
    """One tick of population g's neurons first ... last - 1; returns the number of spikes listed so far."""
    begun, state = count, cells.state
    numbers = groups.numbers[g]
    kind, k = np.int64(numbers[KIND]), numbers[CONSTANTS:]
    if kind in (LEAKY, ADAPTIVE):
        if numbers[RATE] > 0.0:
            arrivals(state, groups, g, first, last, t, neurons, count)
        if kind == LEAKY:
            leaky(state, k, first, last)
        else:
            adaptive(state, k, first, last)
        count = spiking(state, kind, k, first, last, neurons, count)
    elif kind == POISSON:
        if numbers[RATE] > 0.0:
            count = arrivals(state, groups, g, first, last, t, neurons, count)
    else:
        count = replayed(groups, g, thread, first, last, t, neurons, count)
    for q in range(begun, count):
        gains[q] = release(cells, numbers, neurons[q], t) if numbers[USE] > 0.0 else np.float32(1.0)
    return count
