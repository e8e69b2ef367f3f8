"""Every export is run: the same spikes, the same efficacies as our replay."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.export import export
from cascades.reduction.rule import PhosphataseFilter, RateTable, WellTable
from tests.export.conftest import BASE, DURATION, RULES, START

pytestmark = [pytest.mark.oracle]

EVENT_DRIVEN = 1e-9  # rounding of times and rates printed in full
NEURON_TIMES = 1e-6  # its queue delivers an event to about 1e-7 ms
SPLIT = 1e-4  # of a well that acts together with fast rates
CLOCK = 2.0  # times the change of one time step: first order

BRIAN2 = """
import json, sys
import numpy as np
from brian2 import *
prefs.codegen.target = "numpy"
sys.path.insert(0, "export")
from calcium_synapses import calcium_synapses
given = json.load(open("given.json"))
mode, dt = sys.argv[1], float(sys.argv[2])
defaultclock.dt = dt * ms
def group(trains):
    i = np.concatenate([np.full(len(t), k) for k, t in enumerate(trains)])
    return SpikeGeneratorGroup(len(trains), i, np.concatenate(trains) * ms)
pre, post = group(given["pre"]), group(given["post"])
extra = {"read_every": given["duration"] * ms - dt * ms} if mode == "event" else {}
s = calcium_synapses(pre, post, "", mode, **extra)
s.connect(j="i")
s.rho = given["start"]
if "m" in s.variables:
    s.m = given["m"]
run(given["duration"] * ms)
print(json.dumps(np.array(s.rho).tolist()))
"""


def given(trains, **more):
    pre, post = ([t.tolist() for t in side] for side in trains)
    return {"pre": pre, "post": post, "duration": DURATION, "start": START, **more}


@pytest.mark.parametrize("name", RULES)
def test_brian2_event_driven(name, trains, expected, simulator, tmp_path):
    export(RULES[name], "brian2", tmp_path / "export")
    found = simulator("brian2", BRIAN2, "event", 0.1, given=given(trains))
    # the last reading stands one step before the end
    tolerance = SPLIT if RULES[name].well == "cubic" or RULES[name].calcium.rest else EVENT_DRIVEN
    assert_allclose(found, expected(RULES[name]), atol=tolerance)


CLOCKED = {
    "even well": BASE,
    "graded": dataclasses.replace(
        BASE, rates=RateTable((0.0, 0.5, 1.0, 2.0, 4.0), (0.0, 0.0, 0.2, 1.0, 2.0), (0.0, 0.3, 0.5, 0.2, 0.1))
    ),
    "tabulated well": dataclasses.replace(
        BASE, well="table", well_table=WellTable((0.0, 0.3, 0.6, 1.0), (0.02, -0.1, 0.08, -0.03))
    ),
    "filter": dataclasses.replace(
        BASE, filter=PhosphataseFilter(2.0, (0.0, 1.0, 2.0), (0.0, 0.5, 1.0), (1.0, 1.0, 1.0))
    ),
}


@pytest.mark.parametrize("name", CLOCKED)
def test_brian2_clock_driven(name, trains, expected, simulator, tmp_path):
    rule = CLOCKED[name]
    export(rule, "brian2", tmp_path / "export")
    errors = []
    for dt in (0.1, 0.025):
        found = simulator("brian2", BRIAN2, "clock", dt, given=given(trains, m=0.0))
        errors.append(np.abs(np.array(found) - expected(rule)).max())
    # 50 jumps, each known to within a step
    step = 0.1e-3 * max(rule.gamma_p, rule.gamma_d, 2.0)
    assert errors[0] <= 50 * step
    assert errors[1] <= 0.75 * errors[0] + 1e-5


NEURON = """
import json, subprocess, sys
given = json.load(open("given.json"))
subprocess.run(["nrnivmodl", "export"], check=True, capture_output=True)
from neuron import h
h.load_file("stdrun.hoc")
h.nrn_load_dll("x86_64/libnrnmech.so") if not hasattr(h, "CalciumRule") else None
cells, keep = [], []
for pre, post in zip(given["pre"], given["post"]):
    cell = h.CalciumRule()
    cell.rho0 = given["start"]
    for times, sign in ((pre, 1.0), (post, -1.0)):
        connection = h.NetCon(None, cell)
        connection.weight[0], connection.delay = sign, 0.0
        keep.append((connection, times))
    cells.append(cell)
h.dt = 0.1
start = h.FInitializeHandler(lambda: [connection.event(t) for connection, times in keep for t in times])
h.finitialize(-65)
h.continuerun(given["duration"])
print(json.dumps([cell.read(given["duration"]) for cell in cells]))
"""


@pytest.mark.parametrize("name", RULES)
def test_neuron(name, trains, expected, simulator, tmp_path):
    export(RULES[name], "neuron", tmp_path / "export")
    found = simulator("neuron", NEURON, given=given(trains))
    tolerance = SPLIT if RULES[name].well == "cubic" or RULES[name].calcium.rest else NEURON_TIMES
    assert_allclose(found, expected(RULES[name]), atol=tolerance)


ARBOR = """
import json, os, subprocess, sys
import numpy as np
import arbor as A
from arbor import units as U
given = json.load(open("given.json"))
dt = float(sys.argv[1])
if not os.path.exists("calcium-catalogue.so"):
    subprocess.run(["arbor-build-catalogue", "calcium", "export"], check=True, capture_output=True)
class Recipe(A.recipe):
    def __init__(self):
        A.recipe.__init__(self)
        tree = A.segment_tree()
        tree.append(A.mnpos, A.mpoint(-5, 0, 0, 5), A.mpoint(5, 0, 0, 5), tag=1)
        self.morphology = A.morphology(tree)
        self.properties = A.neuron_cable_properties()
        self.properties.catalogue.extend(A.load_catalogue("./calcium-catalogue.so"), "")
    def num_cells(self):
        return len(given["pre"])
    def cell_kind(self, gid):
        return A.cell_kind.cable
    def global_properties(self, kind):
        return self.properties
    def cell_description(self, gid):
        decor = A.decor()
        decor.set_property(Vm=-65 * U.mV)
        decor.paint("(all)", A.density("pas", {"g": 0.05}))
        decor.place("(location 0 0.5)", A.synapse("expsyn", {"tau": 0.2}), "drive")
        decor.place("(location 0 0.5)", A.threshold_detector(-50 * U.mV), "detector")
        decor.place("(location 0 0.5)", A.synapse("calcium_rule", {"rho0": given["start"]}), "rule")
        return A.cable_cell(self.morphology, decor, A.label_dict())
    def event_generators(self, gid):
        pre = A.explicit_schedule([(t + given["late"]) * U.ms for t in given["pre"][gid]])
        post = A.explicit_schedule([t * U.ms for t in given["post"][gid]])
        return [A.event_generator("rule", 1.0, pre), A.event_generator("drive", 0.3, post)]
    def probes(self, gid):
        return [A.cable_probe_point_state("rule", "calcium_rule", "rho", "tag"),
                A.cable_probe_membrane_voltage("(location 0 0.5)", "v")]
recipe = Recipe()
context = A.context(threads=1)
simulation = A.simulation(recipe, context, A.partition_load_balance(recipe, context))
handles = [simulation.sample((g, "tag"), A.explicit_schedule([(given["duration"] - dt) * U.ms]))
           for g in range(len(given["pre"]))]
steps = A.regular_schedule(0.0 * U.ms, dt * U.ms, given["duration"] * U.ms)
voltages = [simulation.sample((g, "v"), steps) for g in range(len(given["pre"]))]
simulation.run(given["duration"] * U.ms, dt * U.ms)
rho = [float(simulation.samples(handle)[0][0][-1, 1]) for handle in handles]
spikes = []
for handle in voltages:
    t, v = simulation.samples(handle)[0][0].T
    up = np.flatnonzero((v[:-1] < -50) & (v[1:] >= -50))
    spikes.append((t[up] + (-50 - v[up]) / (v[up + 1] - v[up]) * dt).tolist())
print(json.dumps({"rho": rho, "post": spikes}))
"""


@pytest.mark.parametrize("name", ["no well", "even well"])
def test_arbor(name, trains, simulator, tmp_path):
    """The cells' own spike times are replayed: they follow the drive by a fraction of a millisecond."""
    from cascades.network import replay

    rule = RULES[name]
    export(rule, "arbor", tmp_path / "export")
    found = simulator("arbor", ARBOR, 0.025, given=given(trains, late=4.6))
    assert [len(t) for t in found["post"]] == [len(t) for t in trains[1]]
    again = replay(
        rule, trains[0], [np.array(t) for t in found["post"]], duration=DURATION, efficacy=START
    ).final
    step = 0.025e-3 * max(rule.gamma_p, rule.gamma_d)
    assert_allclose(found["rho"], again, atol=CLOCK * 50 * step)
    assert np.abs(again - START).max() > 20 * CLOCK * step


NEST = """
import json, os, subprocess, sys
from pathlib import Path
import pynestml
given = json.load(open("given.json"))
neuron = next(p for p in Path(sys.prefix).rglob("iaf_psc_exp_neuron.nestml"))
here = Path("installed").resolve()
here.mkdir(exist_ok=True)
subprocess.run([sys.executable, "export/build_nest.py", str(neuron), str(here), sys.prefix], check=True,
               capture_output=True)
if str(here) not in os.environ.get("LD_LIBRARY_PATH", ""):
    os.environ["LD_LIBRARY_PATH"] = str(here)
    os.execv(sys.executable, [sys.executable, "run_nest.py"])
"""
RUN_NEST = """
import json
import nest
given = json.load(open("given.json"))
nest.resolution = 0.1
nest.Install("calciummodule")
n = len(given["pre"])
cell, synapse = "iaf_psc_exp_neuron_nestml", "calcium_synapse_nestml"
names = f"{cell}__with_{synapse}", f"{synapse}__with_{cell}"
post, pre, recorder = nest.Create(names[0], n), nest.Create("parrot_neuron", n), nest.Create("spike_recorder")
for k in range(n):
    for times, target, weight in ((given["pre"][k], pre[k], 1.0), (given["post"][k], post[k], 6000.0)):
        source = nest.Create("spike_generator", params={"spike_times": times})
        nest.Connect(source, target, syn_spec={"weight": weight, "delay": 0.1})
    rule = {"synapse_model": names[1], "delay": 0.1, "w_max": 0.0, "w": 0.0, "rho": given["start"]}
    nest.Connect(pre[k], post[k], "one_to_one", rule)
nest.Connect(post, recorder)
nest.Simulate(given["duration"])
found = zip(recorder.events["senders"], recorder.events["times"])
spikes = [[] for _ in post]
for sender, time in found:
    spikes[int(sender) - post[0].global_id].append(float(time))
rho = nest.GetConnections(synapse_model=names[1]).get("rho")
print(json.dumps({"rho": [float(x) for x in rho], "post": spikes}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["even well", "no well"])
def test_nest(name, trains, simulator, tmp_path):
    """Needs NEST 3.10, NESTML 9 and a nest-config that is right in the interpreter's prefix.

    A synapse of NEST stands at its last presynaptic spike, so every train ends with one; the parrots and the
    dendritic delay shift both sides by one step.
    """
    from cascades.network import replay

    rule = RULES[name]
    export(rule, "nestml", tmp_path / "export")
    (tmp_path / "run_nest.py").write_text(RUN_NEST)
    last = DURATION - 10.0
    pre = [np.append(t, last) for t in trains[0]]
    found = simulator("nest, pynestml", NEST, given=given((pre, trains[1])))
    post = [np.sort(t) + 0.1 for t in found["post"]]
    again = replay(rule, [t + 0.2 for t in pre], post, duration=last + 0.2, efficacy=START).final
    assert_allclose(found["rho"], again, atol=1e-7)  # NESTML prints nine digits
