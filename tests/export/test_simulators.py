"""Every export is run: the same spikes, the same efficacies as our replay."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.export import export
from tests.export.conftest import DURATION, FILTERED, NOISY, RULES, START, assert_as_noisy

pytestmark = [pytest.mark.oracle]

EVENT_DRIVEN = 1e-9  # rounding of times and rates printed in full
NEURON_TIMES = 1e-6  # its queue delivers an event to about 1e-7 ms
SPLIT = 1e-4  # of a well that acts together with fast rates
STAIRS = 1e-3  # of graded rates in 64 steps of calcium, after 50 jumps
ORDER = (0.7, 1.3)  # the slope of the error over the time step on a clock
REPEATS = 12  # of the canned trains, with noise of their own


def tolerance(name, exact):
    """How far the event-driven form of a rule may lie from our replay."""
    rule = RULES[name]
    if rule.rates is not None:
        return STAIRS
    return exact if rule.well == "none" and rule.calcium.rest == 0.0 else SPLIT


def given(trains, repeats=1, **more):
    pre, post = ([t.tolist() for t in side] * repeats for side in trains)
    return {"pre": pre, "post": post, "duration": DURATION, "start": START, **more}


BRIAN2 = """
import json, sys
import numpy as np
from brian2 import *
back_end = sys.argv[3] if len(sys.argv) > 3 else "numpy"
if back_end == "cpp_standalone":
    set_device(back_end, build_on_run=False)
    prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
else:
    prefs.codegen.target = back_end
sys.path.insert(0, "export")
from calcium_synapses import bring_up_to_date, calcium_synapses
given = json.load(open("given.json"))
mode, dt = sys.argv[1], float(sys.argv[2])
defaultclock.dt = dt * ms
def group(trains):
    i = np.concatenate([np.full(len(t), k) for k, t in enumerate(trains)])
    return SpikeGeneratorGroup(len(trains), i, np.concatenate(trains) * ms)
pre, post = group(given["pre"]), group(given["post"])
s = calcium_synapses(pre, post, "", mode)
s.connect(j="i")
s.rho = given["start"]
if "m" in s.variables:
    s.m = given["m"]
run(given["duration"] * ms)
if mode == "event":
    bring_up_to_date(s)
if back_end == "cpp_standalone":
    device.build(directory="built", compile=True, run=True)
print(json.dumps(np.array(s.rho).tolist()))
"""


@pytest.mark.parametrize("name", RULES)
def test_brian2_event_driven(name, trains, expected, simulator, tmp_path):
    export(RULES[name], "brian2", tmp_path / "export")
    found = simulator("brian2", BRIAN2, "event", 0.1, given=given(trains))
    assert_allclose(found, expected(RULES[name]), atol=tolerance(name, EVENT_DRIVEN))


@pytest.mark.parametrize("name", ["uneven well", "tabulated well"])
def test_brian2_with_compiled_wells(name, trains, expected, simulator, tmp_path):
    export(RULES[name], "brian2", tmp_path / "export")
    found = simulator("brian2, Cython", BRIAN2, "event", 0.1, "cython", given=given(trains))
    assert_allclose(found, expected(RULES[name]), atol=SPLIT)


@pytest.mark.slow
def test_brian2_standalone(trains, expected, simulator, tmp_path):
    """Two runs in one program: to the end, and the step that brings the synapses there."""
    export(RULES["even well"], "brian2", tmp_path / "export")
    found = simulator("brian2", BRIAN2, "event", 0.1, "cpp_standalone", given=given(trains))
    assert_allclose(found, expected(RULES["even well"]), atol=tolerance("even well", EVENT_DRIVEN))


def test_brian2_noise(trains, simulator, tmp_path):
    export(NOISY, "brian2", tmp_path / "export")
    found = simulator("brian2", BRIAN2, "event", 0.1, given=given(trains, REPEATS))
    assert_as_noisy(np.reshape(found, (REPEATS, 8)), NOISY, *trains)


CLOCKED = {name: RULES[name] for name in ("even well", "graded in a well", "rest and well")}
CLOCKED["filter"] = FILTERED
CLOCKED["saturating filter"] = dataclasses.replace(
    FILTERED, filter=dataclasses.replace(FILTERED.filter, half_rho=0.1, half_m=0.2)
)


def assert_first_order(steps, errors):
    """The mean error falls with the time step, in proportion."""
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    print(f"errors {errors} at steps {steps}: order {slope:.3f}")
    assert ORDER[0] <= slope <= ORDER[1]


@pytest.mark.parametrize("name", CLOCKED)
def test_brian2_clock_driven(name, trains, expected, simulator, tmp_path):
    rule = CLOCKED[name]
    export(rule, "brian2", tmp_path / "export")
    steps, errors = (0.1, 0.05, 0.025), []
    for dt in steps:
        m = 0.0 if rule.filter is None else rule.filter.resting(rule.calcium.rest)
        found = simulator("brian2", BRIAN2, "clock", dt, given=given(trains, m=m))
        errors.append(np.abs(np.array(found) - expected(rule)).mean())
    assert_first_order(steps, errors)


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
    if hasattr(cell, "normal"):
        cell.normal.set_ids(len(cells), 5, 7)
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
    assert_allclose(found, expected(RULES[name]), atol=tolerance(name, NEURON_TIMES))


def test_neuron_noise(trains, simulator, tmp_path):
    export(NOISY, "neuron", tmp_path / "export")
    found = simulator("neuron", NEURON, given=given(trains, REPEATS))
    assert_as_noisy(np.reshape(found, (REPEATS, 8)), NOISY, *trains)


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
simulation = A.simulation(recipe, context, A.partition_load_balance(recipe, context), seed=3)
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


def run_arbor(rule, trains, simulator, folder, steps, repeats=1):
    """Efficacies at each time step, and what a replay of the cells' own spikes says: they follow the drive by
    a fraction of a millisecond."""
    from cascades.network import replay

    export(rule, "arbor", folder / "export")
    for dt in steps:
        found = simulator("arbor", ARBOR, dt, given=given(trains, repeats, late=4.6))
        assert [len(t) for t in found["post"]] == [len(t) for t in trains[1]] * repeats
        post = [np.array(t) for t in found["post"]]
        yield (
            np.array(found["rho"]),
            replay(rule, trains[0] * repeats, post, duration=DURATION, efficacy=START).final,
            post,
        )


ON_A_CLOCK = {**CLOCKED, "no well": RULES["no well"]}


@pytest.mark.parametrize("name", ON_A_CLOCK)
def test_arbor(name, trains, simulator, tmp_path):
    steps = (0.1, 0.05, 0.025)
    runs = list(run_arbor(ON_A_CLOCK[name], trains, simulator, tmp_path, steps))
    assert_first_order(steps, [np.abs(found - again).mean() for found, again, _ in runs])
    found, again, _ = runs[-1]
    assert np.abs(found - again).max() < 0.1 * np.abs(again - START).max()


def test_arbor_noise(trains, simulator, tmp_path):
    rule = dataclasses.replace(NOISY, well="none")
    ((found, _, post),) = run_arbor(rule, trains, simulator, tmp_path, (0.025,), REPEATS)
    assert_as_noisy(found.reshape(REPEATS, 8), rule, trains[0], post[:8])
