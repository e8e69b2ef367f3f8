"""A fit that is killed at random times resumes to the table of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pandas
import pytest

from cascades.fitting import fit
from tests.fitting.problems import decay_problem

KILLS = 20
STARTS = 12
SEED = 5

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from cascades.fitting import fit
from tests.fitting.problems import decay_problem
fit(decay_problem(), starts={starts}, seed={seed}, folder={folder!r})
"""


@pytest.mark.slow
def test_killed_fits_resume(tmp_path, pytestconfig):
    undisturbed = fit(decay_problem(), starts=STARTS, seed=SEED).to_dataframe()
    folder = tmp_path / "fit"
    script = SCRIPT.format(root=str(pytestconfig.rootpath), starts=STARTS, seed=SEED, folder=str(folder))
    chance = random.Random(1)
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", script])
        before = len(list(folder.glob("start_*.json")))
        deadline = time.monotonic() + 120.0
        while process.poll() is None and len(list(folder.glob("start_*.json"))) <= before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.05))  # anywhere in a later start, or in the middle of a file
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed >= 3
    resumed = fit(decay_problem(), starts=STARTS, seed=SEED, folder=folder).to_dataframe()
    pandas.testing.assert_frame_equal(resumed, undisturbed)
