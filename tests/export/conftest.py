"""Simulators run in an interpreter of their own: the one that CASCADES_SIMULATORS names, else this one."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from cascades.network import replay
from cascades.reduction.published import published_rule
from cascades.reduction.rule import PhosphataseFilter, RateTable, WellTable

PUBLISHED = published_rule("cortical slice")
BASE = dataclasses.replace(
    PUBLISHED,
    sigma=0.0,
    calcium=dataclasses.replace(PUBLISHED.calcium, delay=0.0046),  # on the grid of 0.1 ms
)
HILL = np.geomspace(0.05, 6.0, 40)
GRADED = RateTable(
    (0.0, *HILL),
    (0.0, *(2.0 * HILL**4 / (1.5**4 + HILL**4))),
    (0.0, *(0.8 * HILL**3 / (1.0 + HILL**3))),
)
TABLE = WellTable((0.0, 0.3, 0.6, 1.0), (0.02, -0.1, 0.08, -0.03))
RULES = {
    "no well": dataclasses.replace(BASE, well="none"),
    "even well": BASE,
    "uneven well": dataclasses.replace(BASE, rho_star=0.8, tau=20.0, gamma_p=4.0, gamma_d=0.5),
    "swapped": dataclasses.replace(BASE, well="none", theta_d=1.6, theta_p=1.0),
    "rest": dataclasses.replace(BASE, well="none", calcium=dataclasses.replace(BASE.calcium, rest=1.05)),
    "rest and well": dataclasses.replace(
        BASE, rho_star=0.3, tau=5.0, calcium=dataclasses.replace(BASE.calcium, rest=1.05)
    ),
    "tabulated well": dataclasses.replace(BASE, well="table", well_table=TABLE),
    "graded": dataclasses.replace(BASE, well="none", rates=GRADED),
    "graded in a well": dataclasses.replace(BASE, rates=GRADED, well="table", well_table=TABLE),
}
FILTERED = dataclasses.replace(  # our replay integrates filters: graded rates, without jumps, suit it
    BASE, rates=GRADED, filter=PhosphataseFilter(2.0, (0.0, 1.0, 2.0), (0.0, 0.5, 1.0), (1.0, 1.0, 1.0))
)
NOISY = dataclasses.replace(BASE, sigma=PUBLISHED.sigma)
DURATION = 2000.0
START = 0.4


@pytest.fixture(scope="session")
def trains():
    """Canned spikes [ms] of eight pairs of neurons, on a grid of 0.1 ms, refractory for 3 ms."""
    rng = np.random.default_rng(11)
    sides = []
    for _ in range(2):
        side = []
        for _ in range(8):
            t = np.unique(np.round(rng.uniform(20.0, DURATION - 50.0, 25), 1))
            side.append(t[np.diff(t, prepend=-10.0) > 3.0])
        sides.append(side)
    return sides


@pytest.fixture(scope="session")
def expected(trains):
    """What replay in double precision says; shape (8,)."""

    def of(rule):
        return replay(rule, *trains, duration=DURATION, efficacy=START).final

    return of


def assert_as_noisy(found, rule, pre, post, duration=DURATION):
    """Efficacies whose noise has the mean and variance of many replays; found: shape (repeats, pairs)."""
    copies, pairs = 400, len(pre)
    which = np.tile(np.arange(pairs), copies)
    many = replay(rule, pre, post, duration=duration, sources=which, targets=which, efficacy=START).final
    many = many.reshape(copies, pairs)
    z = (np.asarray(found) - many.mean(axis=0)) / many.std(axis=0)
    n = z.size
    assert abs(z.mean()) < 4.0 / np.sqrt(n)
    assert abs((z**2).mean() - 1.0) < 4.0 * np.sqrt(2.0 / n)


@pytest.fixture
def simulator(tmp_path):
    """Run a script in the simulators' interpreter; it prints JSON on its last line."""
    python = os.environ.get("CASCADES_SIMULATORS", sys.executable)

    def run(module, script, *arguments, given=None, timeout=1500):
        has = subprocess.run([python, "-c", f"import {module}"], capture_output=True, text=True)
        if has.returncode:
            pytest.skip(f"{module} is not there (CASCADES_SIMULATORS names an interpreter that has it)")
        path = tmp_path / "run_simulator.py"
        path.write_text(script)
        (tmp_path / "given.json").write_text(json.dumps(given))
        search = os.path.dirname(python) + os.pathsep + os.environ["PATH"]
        done = subprocess.run(
            [python, str(path), *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True,
            timeout=timeout, env={**os.environ, "PATH": search},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run
