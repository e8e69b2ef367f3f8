"""A network in which a rule has something to learn: an assembly that fires more than the others."""

from __future__ import annotations

import math

import numpy as np

from cascades.network import FixedInDegree, LeakyIntegrateAndFire, Network, PoissonDrive, Population, Synapses
from cascades.reduction import CalciumRule

ASSEMBLY = 0.1  # of all neurons; seven tenths are other excitatory ones, two tenths inhibitory
UP_AT_START = 0.2  # of the plastic synapses; the others are DOWN
OUTSIDE = {"A": 2400.0, "E": 1850.0, "I": 2000.0}  # [Hz] of spikes from outside, per neuron
OUTSIDE_WEIGHT = 4.0  # [mV]
STRENGTH = 2.0  # [mV] of an excitatory synapse that is UP, with 100 inputs
INHIBITION = 12.0  # times stronger than excitation at half efficacy, and a quarter as many


def assembly_network(rule: CalciumRule, *, neurons: int = 2000, inputs: int = 100, seed: int = 0) -> Network:
    """Leaky integrate-and-fire neurons driven by random spikes from outside, those of the assembly by more.

    Every excitatory neuron has `inputs` plastic synapses from excitatory neurons of both groups, in
    proportion to their number.  Weights go with the square root of the number of inputs (Brunel 2000
    J Comput Neurosci 8:183).
    """
    draw = np.random.default_rng(seed)
    cell = LeakyIntegrateAndFire()
    sizes = {"A": round(ASSEMBLY * neurons), "I": neurons // 5}
    sizes["E"] = neurons - sizes["A"] - sizes["I"]
    populations = tuple(
        Population(name, sizes[name], cell, PoissonDrive(OUTSIDE[name], OUTSIDE_WEIGHT))
        for name in ("A", "E", "I")
    )
    from_assembly = max(1, round(inputs * sizes["A"] / (sizes["A"] + sizes["E"])))
    count = {"A": from_assembly, "E": max(1, inputs - from_assembly), "I": max(1, inputs // 4)}
    weight = STRENGTH * math.sqrt(100.0 / inputs)
    synapses = []
    for target in ("A", "E", "I"):
        for source in ("A", "E"):
            is_plastic = target != "I"
            start = (
                (draw.random(count[source] * sizes[target]) < UP_AT_START).astype(float)
                if is_plastic
                else 1.0
            )
            own = weight if is_plastic else 0.5 * weight
            connect = FixedInDegree(count[source])
            synapses.append(Synapses(source, target, connect, own, plastic=is_plastic, efficacy=start))
        inhibition = 0.5 * INHIBITION * weight
        synapses.append(Synapses("I", target, FixedInDegree(count["I"]), inhibition, receptor="inh"))
    return Network(populations, tuple(synapses), rule)
