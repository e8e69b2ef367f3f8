"""One tick of the neurons of one thread: integrate, draw what arrives from outside, find who spikes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from cascades.network.arrays import ADAPTIVE, BLOCK, LEAKY, POISSON, REPLAYED
from cascades.network.counter import pick, waiting_time, words
from cascades.network.neuron import AdaptiveExponential, LeakyIntegrateAndFire, Neuron, PoissonSource

# Exact arithmetic apart, sums may be reordered and multiply-adds fused; infinities stay what they are.
tick_function: Any = njit(
    nogil=True, error_model="numpy", boundscheck=False, fastmath={"nnan", "nsz", "contract", "reassoc", "arcp"}
)

MG_HALF, MG_STEEPNESS = 3.57, 0.062  # [mM], [1/mV]: Jahr & Stevens (1990) J. Neurosci. 10:3178, equation 4
LARGEST_EXPONENT = 10.0  # of the spike current; beyond it the neuron spikes within a tick anyway


def kind_of(neuron: Neuron) -> int:
    if isinstance(neuron, LeakyIntegrateAndFire):
        return LEAKY
    if isinstance(neuron, AdaptiveExponential):
        return ADAPTIVE
    return POISSON if isinstance(neuron, PoissonSource) else REPLAYED


def constants(neuron: Neuron, dt: float) -> np.ndarray:
    """The numbers that `leaky` and `adaptive` read, for a tick of `dt` [ms]; float32, shape (20,)."""
    out = np.zeros(20, dtype=np.float32)
    if isinstance(neuron, LeakyIntegrateAndFire):
        decay = math.exp(-dt / neuron.tau_m)
        out[:9] = (
            decay,
            neuron.v_rest + neuron.drive,
            neuron.v_reset,
            round(neuron.refractory / dt),
            math.exp(-dt / neuron.tau_exc),
            math.exp(-dt / neuron.tau_inh),
            _response(neuron.tau_m, neuron.tau_exc, dt),
            _response(neuron.tau_m, neuron.tau_inh, dt),
            0.0,
        )
    elif isinstance(neuron, AdaptiveExponential):
        n = neuron
        out[:19] = (
            n.leak, n.v_rest, n.v_reset, round(n.refractory / dt), math.exp(-dt / n.tau_ampa),
            math.exp(-dt / n.tau_gaba), math.exp(-dt / n.tau_nmda), n.slope, n.v_peak, n.a,
            math.exp(-dt / n.tau_w), n.e_exc, n.e_inh, n.nmda_ratio, n.magnesium / MG_HALF, MG_STEEPNESS,
            n.drive, dt / n.capacitance, 0.0,
        )  # fmt: skip
    return out


def _response(tau_m: float, tau: float, dt: float) -> float:
    """What a unit synaptic current that decays with `tau` adds to the membrane within dt."""
    if abs(tau_m - tau) < 1e-6 * tau_m:
        return dt / tau_m * math.exp(-dt / tau_m)
    return tau / (tau_m - tau) * (math.exp(-dt / tau_m) - math.exp(-dt / tau))


@tick_function
def leaky(cells, k, first, last):  # type: ignore[no-untyped-def]
    v, exc, inh, quiet = cells.v, cells.exc, cells.inh, cells.quiet
    decay, rest, decay_exc, decay_inh, from_exc, from_inh = k[0], k[1], k[4], k[5], k[6], k[7]
    for i in range(first, last):
        free = rest + (v[i] - rest) * decay + exc[i] * from_exc - inh[i] * from_inh
        v[i] = v[i] if quiet[i] > 0 else free
        quiet[i] = max(quiet[i] - np.int32(1), np.int32(0))
        exc[i] *= decay_exc
        inh[i] *= decay_inh


@tick_function
def adaptive(cells, k, first, last):  # type: ignore[no-untyped-def]
    v, w, exc, nmda, inh, quiet = cells.v, cells.adaptation, cells.exc, cells.nmda, cells.inh, cells.quiet
    leak, rest, slope = k[0], k[1], k[7]
    a, decay_w, e_exc, e_inh, drive, per_capacitance = k[9], k[10], k[11], k[12], k[16], k[17]
    one = np.float32(1.0)
    for i in range(first, last):
        open_nmda = nmda[i] / (one + k[14] * math.exp(-k[15] * v[i]))
        total = leak + exc[i] + open_nmda + inh[i]
        current = leak * rest + (exc[i] + open_nmda) * e_exc + inh[i] * e_inh + drive - w[i]
        if slope > 0.0:
            current += leak * slope * math.exp(min((v[i] - cells.threshold[i]) / slope, np.float32(LARGEST_EXPONENT)))
        end = current / total
        w[i] = a * (v[i] - rest) + (w[i] - a * (v[i] - rest)) * decay_w
        free = end + (v[i] - end) * math.exp(-total * per_capacitance)
        v[i] = v[i] if quiet[i] > 0 else free
        quiet[i] = max(quiet[i] - np.int32(1), np.int32(0))
        exc[i] *= k[4]
        inh[i] *= k[5]
        nmda[i] *= k[6]


@tick_function
def spiking(cells, kind, k, first, last, neurons, count):  # type: ignore[no-untyped-def]
    """Append the neurons above threshold to `neurons`, reset them; returns how many there are now."""
    level_is_peak = kind == ADAPTIVE and k[7] > 0.0
    for i in range(first, last):
        if cells.v[i] >= (k[8] if level_is_peak else cells.threshold[i]):
            cells.v[i] = k[2]
            cells.quiet[i] = np.int32(k[3])
            cells.adaptation[i] += cells.increment[i]
            neurons[count] = i
            count += 1
    return count


@tick_function
def arrivals(cells, group, first, last, t, neurons, count):  # type: ignore[no-untyped-def]
    """Poisson events up to tick t of the blocks between two neurons: spikes of a source, or input to neurons."""
    start = (first - group.first) // BLOCK
    end = (last - group.first + BLOCK - 1) // BLOCK
    for block in range(start, end):
        inside = min(BLOCK, group.size - block * BLOCK)
        begun = count
        while group.due[block] <= t:
            a, b = words(group.drawn[block], block, group.key)
            chosen = group.first + block * BLOCK + pick(b, inside)
            group.due[block] += waiting_time(a) / (group.rate * inside)
            group.drawn[block] += 1
            if group.kind == POISSON:
                known = False  # a neuron spikes at most once in a tick
                for q in range(begun, count):
                    known = known or neurons[q] == chosen
                if not known:
                    neurons[count] = chosen
                    count += 1
            elif group.kind == LEAKY:
                cells.exc[chosen] += group.weight
            else:
                cells.exc[chosen] += group.weight
                cells.nmda[chosen] += group.weight * group.constants[13]
    return count


@tick_function
def replayed(group, thread, first, last, t, neurons, count):  # type: ignore[no-untyped-def]
    """Given spikes up to tick t of the neurons first ... last - 1."""
    at = group.replay_at[thread]
    while at < group.replay_ticks.size and group.replay_ticks[at] <= t:
        neuron = group.replay_neurons[at]
        if first <= neuron < last:
            neurons[count] = neuron
            count += 1
        at += 1
    group.replay_at[thread] = at
    return count


@tick_function
def release(cells, group, neuron, t):  # type: ignore[no-untyped-def]
    """Short-term plasticity at a spike: the release relative to the first one after a long silence."""
    if group.use == 0.0:
        return np.float32(1.0)
    elapsed = np.float32(t - cells.released[neuron])
    cells.released[neuron] = t
    one = np.float32(1.0)
    stock = one - (one - cells.stock[neuron]) * math.exp(-elapsed / group.tau_rec)
    used = group.use
    if group.tau_facil > 0.0:
        before = cells.used[neuron] * math.exp(-elapsed / group.tau_facil)
        used = before + group.use * (one - before)
        cells.used[neuron] = used
    out = used * stock
    cells.stock[neuron] = stock - out
    return np.float32(out / group.use)


@tick_function
def tick(cells, group, thread, first, last, t, neurons, gains, count):  # type: ignore[no-untyped-def]
    """One tick of one population's neurons first ... last - 1; returns the number of spikes listed so far."""
    begun = count
    if group.kind == LEAKY or group.kind == ADAPTIVE:
        if group.rate > 0.0:
            arrivals(cells, group, first, last, t, neurons, count)
        if group.kind == LEAKY:
            leaky(cells, group.constants, first, last)
        else:
            adaptive(cells, group.constants, first, last)
        count = spiking(cells, group.kind, group.constants, first, last, neurons, count)
    elif group.kind == POISSON:
        if group.rate > 0.0:
            count = arrivals(cells, group, first, last, t, neurons, count)
    else:
        count = replayed(group, thread, first, last, t, neurons, count)
    for q in range(begun, count):
        gains[q] = release(cells, group, neurons[q], t)
    return count
