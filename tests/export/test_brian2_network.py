"""Networks in Brian2: sliding thresholds and the late phase do what they do here, on the same spikes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cascades.export import export
from cascades.network import (
    AllToAll,
    LeakyIntegrateAndFire,
    Network,
    Pairs,
    Population,
    ReplayedSource,
    Synapses,
    run_network,
)
from cascades.network.plasticity import SlidingThreshold, TagAndCapture
from tests.export.conftest import BASE, DURATION

pytestmark = [pytest.mark.oracle]

ON_THE_GRID = 1e-6  # ms, of 0.1
SINGLE_PRECISION = 2e-6  # of our network layer, after 50 jumps
MECHANISMS = {
    "none": [],
    "sliding": [SlidingThreshold(interval=100.0, target=10.0, tau_rate=300.0, lowest=0.5, highest=2.0)],
    "late": [
        TagAndCapture(
            interval=100.0, baseline=0.4, tag_threshold=0.02, protein_threshold=0.2, tau_protein=200.0,
            tau_late=200.0, protein_block=((800.0, 1000.0),),
        )
    ],
}  # fmt: skip

BRIAN2 = """
import json, sys
import numpy as np
sys.path.insert(0, "export")
from brian2 import *
prefs.codegen.target = "numpy"
exec(open("export/network.py").read())
given = json.load(open("given.json"))
post = POPULATIONS["post"]
monitor = SpikeMonitor(post)
run(given["duration"] * ms)
bring_up_to_date(synapses_1)
late = hasattr(synapses_1, "expressed")
value = np.array(synapses_1.expressed if late else synapses_1.rho)
order = np.lexsort((np.array(synapses_1.j), np.array(synapses_1.i)))
print(json.dumps({"efficacy": value[order].tolist(), "times": (np.array(monitor.t) * 1e3).tolist(),
                  "neurons": np.array(monitor.i).tolist()}))
"""


def network(trains, mechanisms, rule):
    """Every postsynaptic neuron follows its canned train, whatever its potential was."""
    sides = [
        ReplayedSource(np.concatenate(side), np.repeat(np.arange(8), [t.size for t in side]))
        for side in trains
    ]
    every = np.arange(8)
    cell = LeakyIntegrateAndFire(tau_exc=0.2, v_reset=-65.0)
    return Network(
        [Population("pre", 8, sides[0]), Population("drive", 8, sides[1]), Population("post", 8, cell)],
        [
            Synapses("drive", "post", Pairs(every, every), 8000.0),
            Synapses("pre", "post", AllToAll(), 0.0, plastic=True, efficacy=0.4),
        ],
        rule,
        mechanisms,
    )


@pytest.mark.parametrize("name", MECHANISMS)
def test_mechanisms_act_as_here(name, trains, simulator, tmp_path):
    rule = dataclasses.replace(BASE, well="none")
    described = network(trains, MECHANISMS[name], rule)
    export(described, "brian2", tmp_path / "export")
    found = simulator("brian2", BRIAN2, given={"duration": DURATION})
    ours = run_network(described, DURATION)
    times, neurons = ours.spikes("post")
    assert_array_equal(found["neurons"], neurons)
    assert_allclose(found["times"], times, atol=ON_THE_GRID)
    assert_allclose(found["efficacy"], ours.efficacies, atol=SINGLE_PRECISION)
    plain = run_network(network(trains, [], rule), DURATION)
    if name != "none":
        assert np.abs(plain.efficacies - ours.efficacies).max() > 0.02
