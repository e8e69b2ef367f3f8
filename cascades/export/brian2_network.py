"""A network as a Brian2 script: the same populations and synapses, wired by Brian2's own random numbers."""

from __future__ import annotations

import math

import numpy as np

from cascades.export.names import directory, variables
from cascades.network.network import Network
from cascades.network.neuron import LeakyIntegrateAndFire, PoissonSource, Population, ReplayedSource
from cascades.network.plasticity.base import Mechanism
from cascades.network.plasticity.consolidation import TagAndCapture
from cascades.network.plasticity.sliding import SlidingThreshold
from cascades.network.synapse import FixedInDegree, Pairs, Synapses


def script(network: Network, is_event: bool) -> str:
    """The source of `network.py`; `is_event` says whether the rule has an event-driven form."""
    lines = ["from brian2 import *\n", "from calcium_synapses import bring_up_to_date, calcium_synapses\n\n"]
    lines += [f"defaultclock.dt = {network.dt!r} * ms\n"]
    named = variables(network)
    lines += [_population(p, named[p.name], network) for p in network.neurons]
    lines.append(f"{directory(network)}\n")
    plastic = []
    for k, synapses in enumerate(network.synapses):
        name = f"synapses_{k}"
        lines.append(f"# {synapses.name!r}\n")
        lines.append(_synapses(name, synapses, network, is_event))
        plastic += [name] if synapses.plastic else []
    lines += [_mechanism(m, network, plastic) for m in network.mechanisms]
    return "".join(lines)


def _population(p: Population, name: str, network: Network) -> str:
    n = p.neuron
    if isinstance(n, LeakyIntegrateAndFire):
        slides = _one(network, SlidingThreshold)
        late = _one(network, TagAndCapture)
        equations = (
            f"dv/dt = ({n.v_rest!r}*mV + {n.drive!r}*mV - v + s_exc - s_inh)/({n.tau_m!r}*ms)"
            " : volt (unless refractory)\n"
            f"ds_exc/dt = -s_exc/({n.tau_exc!r}*ms) : volt\nds_inh/dt = -s_inh/({n.tau_inh!r}*ms) : volt"
            + ("\nslide : 1\nspike_rate : Hz\ncounted : 1" if slides else "")
            + ("\nprotein : 1\nearly : 1\nway : 1" if late else "")
        )
        counts = "; counted += 1" if slides else ""
        text = (
            f"{name} = NeuronGroup({p.size}, '''{equations}''', threshold='v >= {n.v_threshold!r}*mV', "
            f"reset='v = {n.v_reset!r}*mV{counts}', refractory={n.refractory!r} * ms, method='exact')\n"
            f"{name}.v = '({n.v_rest!r} + rand()*{n.v_threshold - n.v_rest!r})*mV'\n"
        )
        if isinstance(slides, SlidingThreshold):
            text += f"{name}.spike_rate = {slides.target!r} * Hz\n"
    elif isinstance(n, PoissonSource):
        text = f"{name} = PoissonGroup({p.size}, {n.rate!r} * Hz)\n"
    elif isinstance(n, ReplayedSource):
        times, indices = n.times.tolist(), n.neurons.tolist()
        text = f"{name} = SpikeGeneratorGroup({p.size}, {indices!r}, {times!r} * ms)\n"
    else:
        raise TypeError(f"no Brian2 code for {type(n).__name__}")
    if p.poisson is not None:
        text += (
            f"drive_of_{name} = PoissonInput({name}, 's_exc', 1, {p.poisson.rate!r} * Hz, "
            f"{p.poisson.weight!r} * mV)\n"
        )
    return text


def _synapses(name: str, s: Synapses, network: Network, is_event: bool) -> str:
    onto = "s_exc_post" if s.receptor == "exc" else "s_inh_post"
    named = variables(network)
    source, target = named[s.source], named[s.target]
    sent = "expressed" if _one(network, TagAndCapture) else "rho"
    if s.plastic:
        options = [f"delay={s.delay!r} * ms"] + ([] if is_event else ["mode='clock'"])
        if network.mechanisms:
            ticks = math.gcd(*(round(m.interval / network.dt) for m in network.mechanisms))
            options.append(f"read_every={ticks * network.dt!r} * ms")
        options += ["slide='slide_post'"] if _one(network, SlidingThreshold) else []
        options += ["variables='expressed : 1\\nlate : 1'"] if sent == "expressed" else []
        weight = f"{onto} += {s.weight!r} * mV * {sent}"
        text = f"{name} = calcium_synapses({source}, {target}, '{weight}', {', '.join(options)})\n"
    else:
        text = (
            f"{name} = Synapses({source}, {target}, on_pre='{onto} += {s.weight!r} * mV', "
            f"delay={s.delay!r} * ms)\n"
        )
    text += f"{name}.connect({_where(s, network)})\n"
    if s.plastic:
        text += f"{name}.rho = {_start(s.efficacy)}\n"
        text += f"{name}.expressed = {name}.rho[:]\n" if sent == "expressed" else ""
    return text


def _where(s: Synapses, network: Network) -> str:
    size, targets = network.population(s.source).size, network.population(s.target).size
    within = s.source == s.target
    if isinstance(s.connect, Pairs):
        return f"i={s.connect.sources.tolist()!r}, j={s.connect.targets.tolist()!r}"
    if isinstance(s.connect, FixedInDegree):
        target = f"np.repeat(np.arange({targets}), {s.connect.count})"
        source = f"np.random.randint(0, {size - within}, {s.connect.count * targets})"
        if within:  # from the neuron after the target on: never itself
            source = f"({target} + 1 + {source}) % {size}"
        return f"i={source}, j={target}"
    return "condition='i != j'" if within else "condition='True'"


def _start(efficacy: object) -> str:
    if isinstance(efficacy, tuple):
        return f"'{efficacy[0]!r} + {efficacy[1] - efficacy[0]!r}*rand()'"
    return repr(np.asarray(efficacy, dtype=float).tolist())


def _one(network: Network, kind: type) -> Mechanism | None:
    return next((m for m in network.mechanisms if isinstance(m, kind)), None)


def _mechanism(mechanism: Mechanism, network: Network, plastic: list[str]) -> str:
    """What happens once per interval, after all synapses have been brought up to date.

    Brian2 also does it at time 0, where nothing must change.
    """
    named = variables(network)
    learning = sorted({named[s.target] for s in network.synapses if s.plastic})
    if isinstance(mechanism, SlidingThreshold):
        return "".join(f"{name}.run_regularly('''{_slide(mechanism)}''', {_when(mechanism, 1)})\n"
                       for name in learning)  # fmt: skip
    if isinstance(mechanism, TagAndCapture):
        m = mechanism
        neurons = (
            f"{name}.run_regularly('early = 0', {_when(m, 0)})\n"
            f"{name}.run_regularly('''{_protein(m)}''', {_when(m, 2)})\n"
            for name in learning
        )
        synapses = (
            f"{name}.run_regularly('early_post += rho - {m.baseline!r}', {_when(m, 1)})\n"
            f"{name}.run_regularly('''{_capture(m)}''', {_when(m, 3)})\n"
            for name in plastic
        )
        return "".join([*neurons, *synapses])
    raise TypeError(f"no Brian2 code for {type(mechanism).__name__}")


def _when(mechanism: Mechanism, order: int) -> str:
    return f"dt={mechanism.interval!r} * ms, when='end', order={order}"


def _slide(m: SlidingThreshold) -> str:
    way = float(-np.expm1(-m.interval / m.tau_rate))
    factor = f"clip((clip(spike_rate/Hz, 1e-9, 1e9)/{m.target!r})**{m.power!r}, {m.lowest!r}, {m.highest!r})"
    return (
        f"way = {way!r}*int(t > 0*ms)\n"
        f"spike_rate = spike_rate + (counted/({m.interval!r}*ms) - spike_rate)*way\n"
        f"counted = 0\nslide = log({factor})"
    )


def _protein(m: TagAndCapture) -> str:
    kept = float(np.exp(-m.interval / m.tau_protein))
    blocked = "".join(f"*int((t < {a!r}*ms) or (t >= {b!r}*ms))" for a, b in m.protein_block)
    return (
        f"goal = int(abs(early) > {m.protein_threshold!r})*int(t > 0*ms){blocked}\n"
        f"spent = goal*{m.interval!r} + (protein - goal)*{m.tau_protein * (1.0 - kept)!r}\n"
        f"protein = goal + (protein - goal)*{kept!r}\n"
        f"way = 1 - exp(-spent/{m.tau_late!r})"
    )


def _capture(m: TagAndCapture) -> str:
    return (
        f"up = int(rho - {m.baseline!r} > {m.tag_threshold!r})\n"
        f"down = int(rho - {m.baseline!r} < -{m.tag_threshold!r})\n"
        f"late = late + way_post*(up*({m.z_max!r} - late) + down*({m.z_min!r} - late))\n"
        f"expressed = rho + {m.baseline!r}*late"
    )
