"""All forward sensitivities of one solve against bngsim's (CVODES), and in units of a solve."""

from __future__ import annotations

import numpy as np

from analysis._speed import Row, cpu_seconds
from analysis._speed.cases import Subject, subjects
from cascades import simulate
from cascades.sensitivity import sensitivities
from cascades.solvers.rodas5p import Rodas5P

BAR_BNGSIM = 8.0


def run(quick: bool) -> list[Row]:
    rows = []
    for subject in subjects(True):
        for protocol in ("constant",) if quick else ("constant", "100 at 100 Hz"):
            rows += measure(subject, protocol, 3)
    return rows


def measure(subject: Subject, protocol: str, repeats: int) -> list[Row]:
    times, stimuli = subject.times(protocol), subject.protocol(protocol)
    names = subject.compiled.parameter_names

    def single() -> None:
        simulate(subject.compiled, times, protocol=stimuli, solver=Rodas5P(threads=1))

    def tangents() -> None:
        sensitivities(subject.compiled, times, names, protocol=stimuli)

    runs = [single, tangents]
    peer = _bngsim(subject, protocol)
    if peer is not None:
        runs.append(peer)
    one, every, *theirs = cpu_seconds(runs, repeats)
    where = f"{subject.name}, {protocol}, {len(names)} parameters: "
    rows = [Row(f"{where}all sensitivities, in solves per parameter", every / one / len(names), "solves")]
    if theirs:
        rows.append(
            Row(f"{where}all sensitivities against bngsim", theirs[0] / every, "x", BAR_BNGSIM, False)
        )
    return rows


def _bngsim(subject: Subject, protocol: str):  # type: ignore[no-untyped-def]
    try:
        import bngsim
    except ImportError:
        return None
    if subject.protocol(protocol) is not None:
        return None  # it refuses spike events
    try:
        model = bngsim.Model.from_sbml_string(subject.sbml(protocol))
        known = [name for name in subject.compiled.parameter_names if name in set(model.param_names)]
        simulator = bngsim.Simulator(model, method="ode", codegen=True, sensitivity_params=known)
        times = [0.0, *subject.times(protocol)]

        def run() -> np.ndarray:
            model.reset()
            return np.asarray(simulator.run(sample_times=times, rtol=1e-6, atol=1e-9).species)

        run()
    except Exception as refused:  # its own kinds of error
        print(f"  (bngsim refuses sensitivities of {subject.name}: {refused})")
        return None
    return run
