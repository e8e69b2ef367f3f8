"""The vector engine against other simulators: ensembles, single solves, latencies, threads, arithmetic.

900 spikes of the large models are a section of their own, `long`: peers take minutes for them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

import cascades
from analysis._speed import Row, cpu_seconds
from analysis._speed.arithmetic import compile_times, rates_of_arithmetic
from analysis._speed.cases import PROTOCOLS, Run, Subject, bngsim, roadrunner, subjects
from analysis._speed.networks import large, medium
from cascades import simulate
from cascades.solvers.rodas5p import Rodas5P

TOLERANCES = tuple(float(f"{10.0 ** (-k / 4):.3g}") for k in range(12, 37))  # 1e-3 ... 1e-9
_NO_ANSWER = 1e-2  # a peer whose error is larger has not solved the problem
LONGEST = "900 at 1 Hz"
MEMBERS = {"constant": 512, "100 at 100 Hz": 32, LONGEST: 16}
BARS = {"ensemble roadrunner": 40.0, "single roadrunner": 5.0, "single bngsim": 2.0}


def run(quick: bool) -> list[Row]:
    rows: list[Row] = []
    chosen = subjects(quick)
    for subject in chosen:
        for protocol in list(PROTOCOLS)[: 2 if quick or is_large(subject) else 3]:
            rows += against_peers(subject, protocol, 3)
    rows += latencies() + threads(chosen[1])
    rows += against_prototype(quick)
    return rows + rates_of_arithmetic(chosen) + compile_times(chosen)


def is_large(subject: Subject) -> bool:
    return len(subject.compiled.state_names) > 100


# --- peers --------------------------------------------------------------------------------------


def error(found: np.ndarray, reference: np.ndarray) -> float:
    """The worst state and time, relative to the state (and a thousandth of its maximum)."""
    scale = np.abs(reference) + 1e-3 * np.abs(reference).max(axis=0) + 1e-12 * np.abs(reference).max()
    return float((np.abs(found - reference) / scale).max())


def against_peers(subject: Subject, protocol: str, repeats: int) -> list[Row]:
    """At equal achieved error: our tolerance is the loosest whose error is not above the peer's at 1e-6."""
    times, stimuli = subject.times(protocol), subject.protocol(protocol)
    tight = 1e-12 if protocol != LONGEST else 1e-10
    reference = simulate(subject.compiled, times, protocol=stimuli, rtol=tight).values[0]

    @cache
    def error_at(rtol: float) -> float:
        return error(simulate(subject.compiled, times, protocol=stimuli, rtol=rtol).values[0], reference)

    rows = []
    for name, peer in (
        ("roadrunner", roadrunner(subject, protocol, 1e-6)),
        ("bngsim", bngsim(subject, protocol, 1e-6)),
    ):
        if peer is None:
            continue
        try:
            reached = (
                error(peer(), reference) if name == "roadrunner" else _error_of_unordered(peer, reference)
            )
        except Exception as failure:  # its own kinds of error
            print(f"  ({name} fails on {subject.name}, {protocol}: {failure})")
            continue
        found = _ratios(subject, protocol, name, peer, reached, error_at, repeats)
        for row in found:
            print(f"    {row.name}: {row.value:.3g} {row.unit}", flush=True)
        rows += found
    return rows


def _error_of_unordered(peer: Run, reference: np.ndarray) -> float:
    """The peer's states may stand in another order: columns are matched by their values."""
    found = peer()
    order = [int(np.argmin(np.abs(found - column[:, None]).max(axis=0))) for column in reference.T]
    return error(found[:, order], reference)


def _ratios(
    subject: Subject,
    protocol: str,
    name: str,
    peer: Run,
    reached: float,
    error_at: Callable[[float], float],
    repeats: int,
) -> list[Row]:
    if reached > _NO_ANSWER:
        print(f"  ({name} is wrong on {subject.name}, {protocol}: error {reached:.2g}; no ratio)")
        return []
    rtol = next((r for r in TOLERANCES if error_at(r) <= reached), TOLERANCES[-1])
    times, stimuli = subject.times(protocol), subject.protocol(protocol)
    members = MEMBERS[protocol]
    values = subject.ensemble(members)
    lanes = Rodas5P(threads=1)

    def ensemble() -> None:
        simulate(subject.compiled, times, protocol=stimuli, values=values, solver=lanes, rtol=rtol)

    def single() -> None:
        simulate(subject.compiled, times, protocol=stimuli, solver=lanes, rtol=rtol)

    theirs, all_members, one = cpu_seconds([peer, ensemble, single], repeats)
    where = f"{subject.name}, {protocol}: "
    ensemble_bar = BARS["ensemble roadrunner"]
    if name == "bngsim":
        ensemble_bar = 8.0 if is_large(subject) else 15.0
    ours = f"ours at rtol {rtol:g}, error {error_at(rtol):.1g}"
    what = f"(theirs {1e3 * theirs:.3g} ms, error {reached:.1g}; {ours})"
    return [
        Row(
            f"{where}ensemble member against {name}",
            theirs / (all_members / members),
            "x",
            ensemble_bar,
            False,
        ),
        Row(f"{where}single solve against {name} {what}", theirs / one, "x", BARS[f"single {name}"], False),
    ]


# --- latencies ----------------------------------------------------------------------------------


def latencies() -> list[Row]:
    rows = []
    for wiring, bar in ((medium(), 0.1), (large(), 0.6)):
        wiring.name += "_new"
        rows.append(
            Row(
                f"{len(wiring.initial)} states: file to first result, warm process, nothing cached",
                _first(wiring),
                "s",
                bar,
            )
        )
    rows.append(
        Row(
            "new process, all cached: import to first result of spine_graupner_2007", _new_process(), "s", 1.5
        )
    )
    return rows


def _first(wiring) -> float:  # type: ignore[no-untyped-def]
    from analysis._speed.cases import _to_sbml

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{wiring.name}.xml"
        path.write_text(_to_sbml(wiring.antimony()))
        before = os.environ.get("CASCADES_CACHE")
        os.environ["CASCADES_CACHE"] = folder
        try:
            start = time.process_time()
            simulate(cascades.compile_model(cascades.load_model(path)), [0.0, 1.0])
            return time.process_time() - start
        finally:
            if before is None:
                del os.environ["CASCADES_CACHE"]
            else:
                os.environ["CASCADES_CACHE"] = before


def _new_process() -> float:
    code = (
        "import time; t = time.process_time(); import cascades as c;"
        "c.simulate(c.compile_model(c.load_model('spine_graupner_2007')), [0.0, 1.0]);"
        "print(time.process_time() - t)"
    )
    found = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(4)
    ]
    return float(np.median(found[1:]))


def threads(subject: Subject) -> list[Row]:
    """Wall time; a busy machine shows here."""
    if (os.cpu_count() or 1) < 2:
        return []
    values = subject.ensemble(4096)
    times = subject.times("constant")
    wall = {1: [], 2: []}  # type: dict[int, list[float]]
    for _ in range(3):
        for n in wall:
            start = time.perf_counter()
            simulate(
                subject.compiled, times, values=values, solver=Rodas5P(threads=n), observables=[subject.state]
            )
            wall[n].append(time.perf_counter() - start)
    return [
        Row(f"{subject.name}: two threads", float(np.median(wall[1]) / np.median(wall[2])), "x", 1.8, False)
    ]


# --- the C++ yardstick --------------------------------------------------------------------------


def against_prototype(quick: bool) -> list[Row]:
    """CASCADES_ODE_YARDSTICK names a folder with `models.py`, `gen.py` and `ours.py`: an engine that g++
    compiles for each model."""
    folder = os.environ.get("CASCADES_ODE_YARDSTICK")
    if not folder:
        return []
    sys.path.insert(0, folder)
    import gen
    import models
    import ours

    gen.OUT = tempfile.mkdtemp()
    rows = []
    for key in ("M",) if quick else ("M", "L"):
        theirs = models.get(key)
        library, _ = gen.compile(gen.build(theirs), key, "-O2" if key == "M" else "-O1")
        rows.append(
            _per_step(
                key, theirs, ours.Engine(theirs, library), models.protocols(theirs)["const"], ours.members
            )
        )
    return rows


def _per_step(key, theirs, engine, protocol, members) -> Row:  # type: ignore[no-untyped-def]
    from analysis._speed.cases import _to_sbml, _written
    from cascades.solvers.base import Integration
    from cascades.stops import resolve

    compiled = cascades.compile_model(cascades.load_model(_written(theirs.name, _to_sbml(theirs.antimony()))))
    count = 64 if key == "M" else 16
    p, y = members(theirs, protocol, count)
    names = list(theirs.par)
    ours = compiled.parameter_array({n: p[:, names.index(n)] for n in compiled.parameter_names if n in names})
    initial = compiled.initial_array(ours)
    n = len(compiled.state_names)
    problem = Integration(
        compiled,
        np.asarray(protocol[3]),
        initial,
        ours,
        [resolve(None, compiled.equations)],
        1e-6,
        np.full(n, 1e-9),
    )
    lanes = Rodas5P(threads=1, lanes=8)
    steps = {"ours": lanes.integrate(problem).steps.sum(), "theirs": engine.run(protocol, p, y, "run8")[2][1]}
    theirs_s, ours_s = cpu_seconds(
        [lambda: engine.run(protocol, p, y, "run8"), lambda: lanes.integrate(problem)], 7
    )
    ratio = (ours_s / steps["ours"]) / (theirs_s / steps["theirs"])
    return Row(f"{n} states: CPU time per lane and step against the C++ yardstick", ratio, "x", 1.1)
