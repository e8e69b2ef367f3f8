"""All forward sensitivities of one solve against bngsim's and AMICI's (both CVODES), and in solves.

At equal achieved error: our tolerance is the loosest whose sensitivities are not worse than the peer's at
1e-6.  AMICI is measured when AMICI_PYTHON names the interpreter of an environment that has it.

The cheap variant would be differences between lanes that take the same steps.  An ensemble of members
that differ by a millionth takes them by itself, so its time is that of such lanes, and the tangents'
share of it says whether the variant would pay.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis._speed import SAMPLE, Row
from analysis._speed.cases import Subject, network, subjects
from analysis._speed.networks import small
from cascades import simulate
from cascades.expression import free_symbols
from cascades.sensitivity import sensitivities
from cascades.solvers.rodas5p import Rodas5P

BARS = {"bngsim": 8.0, "AMICI": 12.0}
TOLERANCES = tuple(float(f"{10.0 ** (-k / 4):.3g}") for k in range(12, 31))  # 1e-3 ... 3e-8
TIGHT = 1e-11
NOMINAL = 1e-6  # of the peers, and of the cost in solves
NUDGE = 1e-6  # of a parameter, between lanes that take the same steps
_NO_ANSWER = 5e-2  # a peer whose error is larger has not solved the problem
_READY, _REFUSED = "ready", "refused"


@dataclass(frozen=True)
class Peer:
    """`slopes` (times, states, parameters) by names, and a function that runs once: its CPU seconds."""

    name: str
    slopes: np.ndarray
    states: Sequence[str]
    parameters: Sequence[str]
    seconds: Callable[[], float]


def run(quick: bool) -> list[Row]:
    rows = []
    for subject in (network(small()), *subjects(True)):
        for protocol in ("constant",) if quick else ("constant", "100 at 100 Hz"):
            rows += measure(subject, protocol, 5)
    return rows


def measure(subject: Subject, protocol: str, repeats: int) -> list[Row]:
    times, stimuli = subject.times(protocol), subject.protocol(protocol)
    names = subject.compiled.parameter_names

    def single() -> None:
        simulate(subject.compiled, times, protocol=stimuli, solver=Rodas5P(threads=1), rtol=NOMINAL)

    def tangents(rtol: float) -> np.ndarray:
        return sensitivities(subject.compiled, times, names, protocol=stimuli, rtol=rtol).slopes

    nudged = same_steps(subject)

    def lanes() -> None:
        simulate(
            subject.compiled, times, protocol=stimuli, values=nudged, solver=Rodas5P(threads=1), rtol=NOMINAL
        )

    one, every, differences = medians(
        [timed(single), timed(lambda: tangents(NOMINAL)), timed(lanes)], repeats
    )
    where = f"{subject.name}, {protocol}, {len(names)} parameters: "
    rows = [
        Row(f"{where}all sensitivities, in solves per parameter", every / one / len(names), "solves"),
        Row(f"{where}states and all sensitivities, in solves", every / one, "solves"),
        Row(
            f"{where}central differences in lanes of equal steps (one-sided: half), in its time",
            differences / every,
            "x",
        ),
    ]
    if stimuli is not None:
        return rows  # bngsim refuses spike events; AMICI's sensitivities become NaN with them
    reference = tangents(TIGHT)
    found = {rtol: tangents(rtol) for rtol in TOLERANCES}
    with amici(subject, protocol) as other:
        for peer in filter(None, (bngsim(subject, protocol), other)):
            reached = error(peer.slopes, reference, subject, peer)
            if reached > _NO_ANSWER:
                print(f"  ({peer.name} is wrong on {subject.name}: error {reached:.2g}; no ratio)")
                continue
            errors = {
                rtol: error(_columns(slopes, subject, peer), reference, subject, peer)
                for rtol, slopes in found.items()
            }
            rtol = max((r for r, e in errors.items() if e <= reached), default=min(errors))
            theirs, ours = medians([peer.seconds, timed(lambda r=rtol: tangents(r))], repeats)
            what = (
                f"(theirs {1e3 * theirs:.3g} ms, error {reached:.1g};"
                f" ours at rtol {rtol:g} {1e3 * ours:.3g} ms, error {errors[rtol]:.1g})"
            )
            name = f"{where}all sensitivities against {peer.name} {what}"
            rows.append(Row(name, theirs / ours, "x", BARS[peer.name], False))
    return rows


def same_steps(subject: Subject) -> dict[str, np.ndarray]:
    """Two members for each parameter, which is a little larger in one and a little smaller in the other."""
    defaults = subject.compiled.default_values
    factors = 1.0 + NUDGE * np.kron(np.eye(len(defaults)), [1.0, -1.0])
    return {name: value * factor for (name, value), factor in zip(defaults.items(), factors, strict=True)}


def _columns(slopes: np.ndarray, subject: Subject, peer: Peer) -> np.ndarray:
    """Ours, in the peer's order of states and parameters."""
    states = [subject.compiled.state_index[name] for name in peer.states]
    return slopes[:, states][:, :, [subject.compiled.parameter_index[name] for name in peer.parameters]]


def error(found: np.ndarray, reference: np.ndarray, subject: Subject, peer: Peer) -> float:
    """The worst logarithmic sensitivity, relative to itself and a thousandth of its state's largest.

    Parameters that initial values are formulas of are left out: bngsim lets only the rates depend on them.
    """
    values = np.array([subject.compiled.default_values[name] for name in peer.parameters])
    values[[name in _of_initial_values(subject) for name in peer.parameters]] = 0.0
    expected = _columns(reference, subject, peer) * values
    scale = np.abs(expected) + 1e-3 * np.abs(expected).max(axis=(0, 2), keepdims=True) + 1e-30
    return float((np.abs(found * values - expected) / scale).max())


def _of_initial_values(subject: Subject) -> frozenset[str]:
    return frozenset().union(*map(free_symbols, subject.compiled.equations.initial))


def timed(run: Callable[[], object]) -> Callable[[], float]:
    def seconds() -> float:
        start = time.process_time()
        run()
        return time.process_time() - start

    return seconds


def medians(runs: Sequence[Callable[[], float]], repeats: int) -> list[float]:
    """Median CPU seconds of each, taken in turn; short ones are run several times in a row for a sample.
    Two runs of each go before."""
    for seconds in runs:
        seconds()
    counts = [max(1, int(SAMPLE / max(seconds(), 1e-6))) for seconds in runs]
    samples = [
        [float(np.mean([seconds() for _ in range(n)])) for seconds, n in zip(runs, counts, strict=True)]
        for _ in range(repeats)
    ]
    return list(np.median(samples, axis=0))


# --- others -------------------------------------------------------------------------------------


def _parameters(subject: Subject) -> list[str]:
    """Without compartments: what their volume does differs between amounts and concentrations."""
    import libsbml

    model = libsbml.readSBMLFromString(subject.sbml("constant")).getModel()
    return [n for n in subject.compiled.parameter_names if model.getCompartment(n) is None]


def bngsim(subject: Subject, protocol: str) -> Peer | None:
    try:
        import bngsim as other
    except ImportError:
        return None
    try:
        model = other.Model.from_sbml_string(subject.sbml(protocol))
        known = [name for name in _parameters(subject) if name in set(model.param_names)]
        simulator = other.Simulator(model, method="ode", codegen=True, sensitivity_params=known)
        times = [0.0, *subject.times(protocol)]

        def run():  # type: ignore[no-untyped-def]
            model.reset()
            return simulator.run(sample_times=times, rtol=NOMINAL, atol=1e-3 * NOMINAL)

        found = run()
        states = [name for name in found.species_names if name in subject.compiled.state_index]
        rows = [list(found.species_names).index(name) for name in states]
        slopes = np.asarray(found.sensitivities)[1:, rows]
    except Exception as refused:  # its own kinds of error
        print(f"  (bngsim refuses sensitivities of {subject.name}: {refused})")
        return None
    return Peer("bngsim", slopes, states, known, timed(run))


@contextmanager
def amici(subject: Subject, protocol: str) -> Iterator[Peer | None]:
    """A worker that keeps the compiled model, as long as the block lasts."""
    interpreter = os.environ.get("AMICI_PYTHON")
    if not interpreter:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        model, slopes = Path(folder) / "model.xml", Path(folder) / "slopes.npz"
        model.write_text(subject.sbml(protocol))
        times = ",".join(map(repr, map(float, subject.times(protocol))))
        script = Path(__file__).with_name("amici_worker.py")
        command = [interpreter, script, model, times, ",".join(_parameters(subject)), slopes]
        paths = os.pathsep.join([str(Path(interpreter).parent), os.environ["PATH"]])  # its own swig and cmake
        clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PATH": paths}
        with subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean
        ) as worker:
            try:
                yield _from_worker(subject, worker.stdin, worker.stdout, slopes)
            finally:
                worker.stdin.close()


def _from_worker(subject: Subject, to, answers, slopes: Path) -> Peer | None:  # type: ignore[no-untyped-def]
    for line in answers:  # the build says much before it
        if line.startswith(_REFUSED):
            print(f"  (AMICI, {subject.name}: {line.strip()})")
            return None
        if line.startswith(_READY):
            break
    else:
        print(f"  (AMICI, {subject.name}: the worker ended)")
        return None

    def seconds() -> float:
        to.write("\n")
        to.flush()
        return float(answers.readline())

    with np.load(slopes) as stored:
        states, parameters = [str(n) for n in stored["states"]], [str(n) for n in stored["parameters"]]
        found = stored["slopes"]
    known = [i for i, name in enumerate(states) if name in subject.compiled.state_index]
    return Peer("AMICI", found[:, known], [states[i] for i in known], parameters, seconds)
