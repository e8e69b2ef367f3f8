"""A network as a NEST script: wired by NEST's own random numbers, on any number of ranks and threads.

Every delay of NEST is dendritic: the synapse sees a postsynaptic spike one delay after it was emitted.  The
calcium delay is therefore longer by the same, so that the rule acts as it does here, one delay later.
"""

from __future__ import annotations

import numpy as np

from cascades.export.names import directory, variables
from cascades.network.constants import MS_PER_S
from cascades.network.network import Network
from cascades.network.neuron import LeakyIntegrateAndFire, PoissonSource, Population, ReplayedSource
from cascades.network.synapse import AllToAll, FixedInDegree, Pairs, Synapses
from cascades.reduction.rule import CalciumRule

CELL, SYNAPSE = "leaky_neuron_nestml", "calcium_synapse_nestml"
LEARNING_CELL, LEARNING_SYNAPSE = f"{CELL}__with_{SYNAPSE}", f"{SYNAPSE}__with_{CELL}"

# where a noisy synapse stands in its own random numbers, and the factor and the prime of each generator
DRAWS = {"draw_a": (40014, 2147483563), "draw_b": (40692, 2147483399)}

NEURON = """# tau_m v' = v_rest - v + drive + s_exc - s_inh; the currents decay exponentially; all in mV.
model leaky_neuron:
    state:
        V_m mV = v_rest
        quiet ms = 0 ms
        s_exc mV = 0 mV
        s_inh mV = 0 mV
    equations:
        s_exc' = -s_exc / tau_exc
        s_inh' = -s_inh / tau_inh
        V_m' = (v_rest + drive - V_m + s_exc - s_inh) / tau_m
        quiet' = -1
    parameters:
        tau_m ms = 20 ms
        tau_exc ms = 2 ms
        tau_inh ms = 2 ms
        v_rest mV = -65 mV
        v_threshold mV = -45 mV
        v_reset mV = -55 mV
        refractory ms = 2 ms
        drive mV = 0 mV
    internals:
        unit mV = 1 mV
    input:
        exc_spikes <- excitatory spike
        inh_spikes <- inhibitory spike
    output:
        spike
    update:
        if quiet > 0 ms:
            integrate_odes(s_exc, s_inh, quiet)
        else:
            integrate_odes(s_exc, s_inh, V_m)
    onReceive(exc_spikes):
        s_exc += unit * exc_spikes * 1 s
    onReceive(inh_spikes):
        s_inh += unit * inh_spikes * 1 s
    onCondition(quiet <= 0 ms and V_m >= v_threshold):
        quiet = refractory
        V_m = v_reset
        emit_spike()
"""


def shortest_interval(network: Network) -> float:
    """The shortest interval [ms] between two spikes of a neuron with plastic synapses."""
    times = []
    for name in {s.source for s in network.synapses if s.plastic}:
        neuron = network.population(name).neuron
        if isinstance(neuron, LeakyIntegrateAndFire):
            times.append(max(neuron.refractory, network.dt))
        elif isinstance(neuron, ReplayedSource) and neuron.times.size:
            order = np.lexsort((neuron.times, neuron.neurons))
            gaps = np.diff(neuron.times[order])[np.diff(neuron.neurons[order]) == 0]
            times.append(max(float(gaps.min(initial=1e9)), network.dt))
        else:  # a Poisson source: several at once are rare, and counted
            times.append(1.0)
    return min(times, default=2.0)


def longest_delay(network: Network) -> float:
    """The longest transmission delay [ms] of plastic synapses."""
    return max((s.delay for s in network.synapses if s.plastic), default=0.0)


def script(network: Network, rule: CalciumRule, slots: int) -> str:
    """The source of `network.py`."""
    parts = [_HEAD.format(dt=network.dt)]
    learning = {s.target for s in network.synapses if s.plastic}
    named = variables(network)
    parts += [_population(p, named[p.name], p.name in learning, network.dt) for p in network.neurons]
    plastic = [k for k, s in enumerate(network.synapses) if s.plastic]
    for k, synapses in enumerate(network.synapses):
        parts.append(f"# {synapses.name!r}\n")
        if synapses.plastic:
            parts.append(f'nest.CopyModel("{LEARNING_SYNAPSE}", "plastic_{k}")\n')
        parts.append(_synapses(k, synapses, network, rule))
    # the state of a synapse, in the order in which it is read back
    state = ["source", "target", "rho", "c", "t_last", "lost", *(f"due_{k}" for k in range(slots))]
    parts.append(_TAIL.format(populations=directory(network), plastic=plastic, state=state))
    return "".join(parts)


_HEAD = '''"""[mpirun -n RANKS] python network.py DURATION_MS SEED THREADS OUT_FOLDER

Every rank writes OUT_FOLDER/rank_K.npz: its spikes, and the state of its plastic synapses.
"""

import sys
import time
from pathlib import Path

import numpy as np

import nest

duration, seed, threads, out = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
nest.verbosity = nest.VerbosityLevel.ERROR
nest.ResetKernel()
nest.resolution = {dt!r}
nest.local_num_threads = threads
nest.rng_seed = seed + 1
draw = np.random.default_rng(seed)  # the same on every rank
nest.Install("calciummodule")

'''

_TAIL = '''
recorder = nest.Create("spike_recorder")
{populations}
for population in POPULATIONS.values():
    nest.Connect(population, recorder)
FIRST = [population[0].global_id for population in POPULATIONS.values()]
PLASTIC = {plastic}
STATE = {state}


def synapses():
    """The state of this rank's plastic synapses, by name."""
    found = {{}}
    for k in PLASTIC:
        connections = nest.GetConnections(synapse_model=f"plastic_{{k}}")
        columns = connections.get(STATE) if len(connections) else {{name: [] for name in STATE}}
        for name in STATE:
            found[f"{{name}}_{{k}}"] = np.atleast_1d(np.asarray(columns[name], dtype=float))
    return found


def main():
    before = {{f"start_{{name}}": x for name, x in synapses().items() if name.startswith("rho_")}}
    nest.Prepare()
    begun, cpu = time.perf_counter(), time.process_time()
    nest.Run(duration)
    spent = [time.perf_counter() - begun, time.process_time() - cpu]
    nest.Cleanup()
    out.mkdir(parents=True, exist_ok=True)
    events = recorder.events
    np.savez(
        out / f"rank_{{nest.Rank()}}.npz", first=FIRST, senders=events["senders"], times=events["times"],
        seconds=spent, **before, **synapses(),
    )


if __name__ == "__main__":
    main()
'''


def _population(p: Population, name: str, learns: bool, dt: float) -> str:
    n = p.neuron
    text = ""
    if isinstance(n, LeakyIntegrateAndFire) and learns:
        text = (
            f'{name} = nest.Create("{LEARNING_CELL}", {p.size}, dict(tau_m={n.tau_m!r}, '
            f"tau_exc={n.tau_exc!r}, tau_inh={n.tau_inh!r}, v_rest={n.v_rest!r}, "
            f"v_threshold={n.v_threshold!r}, v_reset={n.v_reset!r}, refractory={n.refractory!r}, "
            f"drive={n.drive!r}))\n"
        )
    elif isinstance(n, LeakyIntegrateAndFire):  # a capacitance [pF] of tau_m [ms]: 1 pA is 1 mV
        text = (
            f'{name} = nest.Create("iaf_psc_exp", {p.size}, dict(C_m={n.tau_m!r}, tau_m={n.tau_m!r}, '
            f"tau_syn_ex={n.tau_exc!r}, tau_syn_in={n.tau_inh!r}, E_L={n.v_rest!r}, "
            f"V_th={n.v_threshold!r}, V_reset={n.v_reset!r}, t_ref={n.refractory!r}, I_e={n.drive!r}))\n"
        )
    else:
        text = f'{name} = nest.Create("parrot_neuron", {p.size})\n'
    if isinstance(n, LeakyIntegrateAndFire):
        text += f"{name}.V_m = nest.random.uniform({n.v_rest!r}, {n.v_threshold!r})\n"
    step = f"delay={dt!r}"
    if isinstance(n, PoissonSource):
        text += (
            f'source_of_{name} = nest.Create("poisson_generator", params=dict(rate={n.rate!r}))\n'
            f"nest.Connect(source_of_{name}, {name}, syn_spec=dict({step}))\n"
        )
    if isinstance(n, ReplayedSource):
        # NEST emits no spike at time 0, and a parrot repeats a step later
        times = np.maximum(np.rint(n.times / dt) - 1, 1) * dt
        trains = [np.round(times[n.neurons == k], 6).tolist() for k in range(p.size)]
        text += (
            f'source_of_{name} = nest.Create("spike_generator", {p.size})\n'
            f"for one, train in zip(source_of_{name}, {trains!r}):\n    one.spike_times = train\n"
            f'nest.Connect(source_of_{name}, {name}, "one_to_one", dict({step}))\n'
        )
    if p.poisson is not None:
        text += (
            f'drive_of_{name} = nest.Create("poisson_generator", params=dict(rate={p.poisson.rate!r}))\n'
            f"nest.Connect(drive_of_{name}, {name}, syn_spec=dict(weight={p.poisson.weight!r}, {step}))\n"
        )
    return text


def _synapses(k: int, s: Synapses, network: Network, rule: CalciumRule) -> str:
    count = s.connect.sources.size if isinstance(s.connect, Pairs) else None
    if count == 0:
        return ""
    named = variables(network)
    source, target = named[s.source], named[s.target]
    if isinstance(s.connect, Pairs):
        source = f"np.array({source}.tolist())[{s.connect.sources.tolist()!r}]"
        target = f"np.array({target}.tolist())[{s.connect.targets.tolist()!r}]"
        how = '"one_to_one"'
    elif isinstance(s.connect, FixedInDegree):
        how = f'dict(rule="fixed_indegree", indegree={s.connect.count}, allow_autapses=False)'
    elif isinstance(s.connect, AllToAll):
        how = 'dict(rule="all_to_all", allow_autapses=False)'
    else:
        raise TypeError(f"no NEST code for {type(s.connect).__name__}")
    options = {"delay": _all(s.delay, count)}
    if s.plastic:
        late = round(rule.calcium.delay * MS_PER_S + s.delay, 6)
        options |= {"synapse_model": f'"plastic_{k}"', "w_max": _all(s.weight, count),
                    "rho": _start(s, network, count), "delay_post": _all(s.delay, count),
                    "delay_ca": _all(late, count)}  # fmt: skip
        if rule.sigma > 0.0:
            options |= {name: _whole_number(prime, count) for name, (_, prime) in DRAWS.items()}
    else:
        options["weight"] = _all(s.weight if s.receptor == "exc" else -s.weight, count)
    given = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"nest.Connect({source}, {target}, {how}, dict({given}))\n"


# NEST draws for the connections that it makes; of given pairs it wants one value each


def _all(value: float, count: int | None) -> str:
    return repr(value) if count is None else f"np.full({count}, {value!r})"


def _whole_number(prime: int, count: int | None) -> str:
    """From 1 to below `prime`."""
    if count is None:
        return f"nest.random.uniform_int({prime - 1}) + 1"
    return f"draw.integers(1, {prime}, {count})"


def _start(s: Synapses, network: Network, count: int | None) -> str:
    if isinstance(s.efficacy, tuple):
        low, high = s.efficacy
        if count is None:
            return f"nest.random.uniform({low!r}, {high!r})"
        return f"draw.uniform({low!r}, {high!r}, {count})"
    values = np.asarray(s.efficacy, dtype=float)
    return _all(float(values), count) if values.ndim == 0 else repr(_by_target(values, s, network).tolist())


def _by_target(values: np.ndarray, s: Synapses, network: Network) -> np.ndarray:
    """One value per synapse in the shape that NEST wants: targets x inputs, unless they are pairs."""
    sources, targets = network.population(s.source).size, network.population(s.target).size
    values = np.broadcast_to(values, (s.count(sources, targets),))
    if isinstance(s.connect, FixedInDegree):
        return values.reshape(targets, s.connect.count)
    if isinstance(s.connect, AllToAll):
        table = np.zeros((sources, targets))
        table[~np.eye(sources, dtype=bool) if s.source == s.target else ...] = values
        return table.T  # NEST passes over the zeros of neurons onto themselves
    return values
