"""Published models of synaptic plasticity from BioModels, where BIOMODELS names a folder of their files:
each is read, simulated as libroadrunner does, and has a steady state or not for a reason that is said."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cascades.compiler.compiled import compile_model
from cascades.errors import ModelError, NoEquilibrium
from cascades.library import load_model
from cascades.simulate import simulate, steady_state
from cascades.solvers.tolerance import state_scales

FOLDER = os.environ.get("BIOMODELS")
FILES = sorted(Path(FOLDER).glob("*.xml")) if FOLDER else []
TIMES = np.array([0.1, 1.0, 10.0, 100.0])
AGREEMENT = 1e-4  # relative to each state and a ten-thousandth of its largest value

# What the files themselves leave open, or we refuse by name.
REFUSED = {
    "BIOMD0000000841": "what is delayed depends on the delay itself",
    "MODEL1006230085": "has no value",
    "MODEL2006170003": "Missing a required XML attribute",
}
# Rhythms, and what is only made or only removed.
RESTLESS = {
    "BIOMD0000000152": "only made, or only removed",
    "BIOMD0000000153": "only made, or only removed",
    "BIOMD0000000720": "still changes after a long time",
    "BIOMD0000000853_Smolen2018": "still changes after a long time",
    "BIOMD0000000860": "still changes after a long time",
    "MODEL1911120001": "only made, or only removed",
    **dict.fromkeys(
        ("MODEL9086207764", "MODEL9086518048", "MODEL9086953089", "MODEL9087255381", "MODEL9087474843"),
        "only made, or only removed",
    ),
}
# Known failures; the list is meant to shrink.
NOT_FOUND = {
    "MODEL1001150000": "at rest to rounding after a long time, but Newton's method does not accept it"
}
AT_REST = 1e-6  # largest rate, relative to each state and its scale [1/time]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.oracle,
    pytest.mark.skipif(not FILES, reason="BIOMODELS does not name a folder of files"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_course_is_libroadrunners(path):
    if path.stem in REFUSED:
        with pytest.raises(ModelError, match=REFUSED[path.stem]):
            simulate(compile_model(load_model(path)), TIMES)
        return
    compiled = compile_model(load_model(path))
    found = simulate(compiled, TIMES, rtol=1e-8)
    theirs = roadrunner_courses(path, compiled.state_names)
    assert len(theirs) >= 0.9 * len(compiled.state_names)
    for name, courses in theirs.items():
        ours = found[name][0]
        room = np.abs(ours) + 1e-4 * np.abs(ours).max() + 1e-15
        assert min((np.abs(course - ours) / room).max() for course in courses) < AGREEMENT, name


def roadrunner_courses(path, names):
    """For every name that it knows the course as a concentration and as an amount; ours is one of them."""
    rr = pytest.importorskip("roadrunner")
    rr.Logger.setLevel(rr.Logger.LOG_FATAL)
    runner = rr.RoadRunner(str(path))
    for setting, value in (
        ("relative_tolerance", 1e-9), ("absolute_tolerance", 1e-14), ("maximum_num_steps", 10**7)
    ):  # fmt: skip
        runner.integrator.setValue(setting, value)
    model = runner.model
    species = {*model.getFloatingSpeciesIds(), *model.getBoundarySpeciesIds()}
    known = [n for n in names if n in species | {*model.getGlobalParameterIds(), *model.getCompartmentIds()}]
    runs = []
    for selections in ([f"[{n}]" if n in species else n for n in known], known):
        runner.resetAll()
        runner.timeCourseSelections = ["time", *selections]
        runs.append(np.array(runner.simulate(times=[0.0, *TIMES]))[1:, 1:])
    return {name: [run[:, k] for run in runs] for k, name in enumerate(known)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_steady_state_is_one_or_is_missing_for_a_reason(path, request):
    if path.stem in REFUSED:
        pytest.skip("refused")
    if path.stem in NOT_FOUND:
        request.applymarker(pytest.mark.xfail(reason=NOT_FOUND[path.stem], raises=NoEquilibrium))
    compiled = compile_model(load_model(path))
    if path.stem in RESTLESS:
        with pytest.raises(NoEquilibrium, match=RESTLESS[path.stem]):
            steady_state(compiled)
        return
    found = steady_state(compiled)
    y, p = (np.array(list(group.values())) for group in (found.state, found.values))
    size = np.maximum(np.abs(y), state_scales(compiled))
    assert (np.abs(compiled.rates(y, p)) / size).max() < AT_REST
