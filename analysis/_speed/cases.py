"""Models and protocols that are measured, as our solvers and as others take them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from analysis._speed.networks import large, medium, recurring
from cascades import Protocol, spikes
from cascades.compiler.compiled import CompiledModel
from cascades.sbml.write import to_sbml

PROTOCOLS: dict[str, tuple[float, float, int, float]] = {  # first spike, interval, count, end [s]
    "constant": (0.0, 0.0, 0, 3600.0),
    "100 at 100 Hz": (1.0, 0.01, 100, 600.0),
    "900 at 1 Hz": (1.0, 1.0, 900, 1000.0),
}


@dataclass(frozen=True)
class Subject:
    """A model and the spike that reaches it: `target` for us, `state` and `jump` for others."""

    name: str
    compiled: CompiledModel
    antimony: str
    target: str
    state: str
    jump: float | str
    sigma: float  # of the log-normal factors on all parameters of an ensemble

    def times(self, protocol: str) -> np.ndarray:
        first, interval, count, end = PROTOCOLS[protocol]
        after = first + interval * count + 0.005
        inside = first + interval * (np.array([0.21, 0.5, 0.83]) * count).round() + 0.4 * interval
        return np.unique(np.r_[inside[:3] if count else [], np.geomspace(max(after, 0.01), end, 16)])

    def protocol(self, name: str) -> Protocol | None:
        first, interval, count, _ = PROTOCOLS[name]
        size = self.jump if self.target == self.state and not isinstance(self.jump, str) else 1.0
        return spikes(first + interval * np.arange(count), target=self.target, size=size) if count else None

    def sbml(self, protocol: str) -> str:
        """SBML with the spikes as one recurring event."""
        first, interval, count, _ = PROTOCOLS[protocol]
        if not count:
            return _to_sbml(self.antimony)
        event = recurring(self.state, self.jump, first, interval, count)
        before, _, after = self.antimony.rpartition("\nend")
        text = f"{before}\n{event}\nend{after}"
        return _to_sbml(text)

    def ensemble(self, members: int) -> dict[str, np.ndarray]:
        """Parameter values: log-normal around the model's own, the first member's exactly those."""
        rng = np.random.default_rng(1)
        values = {
            n: v * np.exp(self.sigma * rng.standard_normal(members))
            for n, v in self.compiled.default_values.items()
        }
        for name, v in self.compiled.default_values.items():
            values[name][0] = v
        return values


def subjects(quick: bool) -> list[Subject]:
    found = [
        _shipped("spine_graupner_2007", "glutamate"),
        *(network(w) for w in (medium(), large())[: 1 if quick else 2]),
    ]
    folder = os.environ.get("BIOMODELS")
    path = Path(folder or ".") / "BIOMD0000000628.xml"
    if folder and path.exists() and not quick:
        found.append(_foreign("Li 2012", path, "Ca", 1e-6))
    return found


def network(wiring: Any) -> Subject:
    """A network of `networks` as a subject."""
    text = wiring.antimony()
    compiled = cascades.compile_model(cascades.load_model(_written(wiring.name, _to_sbml(text))))
    state = next(name for name in wiring.initial if name.endswith("Ca"))
    return Subject(f"{len(wiring.initial)} states", compiled, text, state, state, 2.0, 0.2)


def _shipped(name: str, port: str) -> Subject:
    compiled = cascades.compile_model(cascades.load_model(name))
    found = next(p for p in compiled.equations.ports if p.name == port)
    path = Path(str(cascades.library.root())) / name / "model.xml"
    return Subject(name, compiled, _to_antimony(path.read_text()), port, found.symbol, found.jump, 0.02)


def _foreign(name: str, path: Path, state: str, jump: float) -> Subject:
    """Without the stimuli that the file itself holds as events."""
    model = replace(cascades.load_model(path), events=())
    compiled = cascades.compile_model(model)
    return Subject(name, compiled, _to_antimony(to_sbml(model)), state, state, jump, 0.02)


def _to_sbml(text: str) -> str:
    import antimony

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        raise ValueError(antimony.getLastError())
    return str(antimony.getSBMLString(antimony.getMainModuleName()))


def _to_antimony(sbml: str) -> str:
    import antimony

    antimony.clearPreviousLoads()
    if antimony.loadSBMLString(sbml) < 0:
        raise ValueError(antimony.getLastError())
    return str(antimony.getAntimonyString(antimony.getMainModuleName()))


def _written(name: str, sbml: str) -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp()) / f"{name}.xml"
    path.write_text(sbml)
    return path


# --- others -------------------------------------------------------------------------------------

Run = Callable[[], np.ndarray]


def roadrunner(subject: Subject, protocol: str, rtol: float) -> Run:
    """libroadrunner's CVODE; the result has our states as columns."""
    import roadrunner as rr

    rr.Logger.setLevel(rr.Logger.LOG_ERROR)
    runner = rr.RoadRunner(subject.sbml(protocol))
    runner.integrator.setValue("maximum_num_steps", 2_000_000)
    runner.integrator.setValue("relative_tolerance", rtol)
    runner.integrator.setValue("absolute_tolerance", rtol * 1e-3)
    species = set(runner.model.getFloatingSpeciesIds())
    names = [f"[{n}]" if n in species else n for n in subject.compiled.state_names]
    runner.timeCourseSelections = ["time", *names]
    times = [0.0, *subject.times(protocol)]

    def run() -> np.ndarray:
        runner.resetAll()
        return np.array(runner.simulate(times=times))[1:, 1:]

    return run


def bngsim(subject: Subject, protocol: str, rtol: float) -> Run | None:
    """bngsim with compiled rates, or None where it is not installed or refuses the model."""
    try:
        import bngsim as other
    except ImportError:
        return None
    try:
        model = other.Model.from_sbml_string(subject.sbml(protocol))
        simulator = other.Simulator(model, method="ode", codegen=True)
    except Exception as refused:  # its own kinds of error
        print(f"  (bngsim refuses {subject.name}, {protocol}: {refused})")
        return None
    times = [0.0, *subject.times(protocol)]

    def run() -> np.ndarray:
        model.reset()
        return np.asarray(simulator.run(sample_times=times, rtol=rtol, atol=rtol * 1e-3).species)[1:]

    return run
