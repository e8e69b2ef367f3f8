"""Random paths against libroadrunner's Gillespie method, in distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cascades.noise import random_paths
from cascades.sbml.antimony import to_sbml

MEMBERS = 400
SURELY = 1e-4  # probability of a false alarm

SCHLOEGL = """
model schloegl()
  compartment cell = 1;  substanceOnly species X in cell = 84;
  up2: 2 X -> 3 X; 0.015 * X * (X - 1);  down3: 3 X -> 2 X; 1e-4 / 6 * X * (X - 1) * (X - 2);
  up0: -> X; 200;  down1: X -> ; 3.5 * X;
end
"""


@pytest.mark.oracle
def test_same_distribution(schloegl):
    roadrunner = pytest.importorskip("roadrunner")
    rr = roadrunner.RoadRunner(to_sbml(SCHLOEGL))
    rr.setIntegrator("gillespie")
    rr.integrator.setValue("variable_step_size", False)
    theirs = []
    for seed in range(1, MEMBERS + 1):
        rr.resetAll()
        rr.integrator.setValue("seed", seed)
        theirs.append(rr.simulate(0.0, 3.0, 2)[-1, 1])
    ours = random_paths(schloegl, [3.0], members=MEMBERS, seed=3).values[:, 0, 0]
    assert stats.ks_2samp(ours, np.array(theirs)).pvalue > SURELY
