"""Run a network in NEST, in an interpreter of its own, on any number of ranks: the distributed engine.

The exported module is built once per rule and kept; the ranks write what they recorded to files, which become
one `Recording`.  A synapse of NEST stands at its last presynaptic spike; from there it is brought to the end
of the run by the rule in double precision.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cascades.compiler.build import cache_folder
from cascades.errors import NetworkError, SimulatorError
from cascades.export import nestml
from cascades.export.features import rule_of
from cascades.network.compiled import compiled
from cascades.network.constants import MS_PER_S
from cascades.network.counter import normal_number, stream_key
from cascades.network.exact import exact_rule, smooth, stepped
from cascades.network.network import Network
from cascades.network.recording import Recording

MODULE = "calciummodule"
PROBE = """
import json, shutil, nest, pynestml
print(json.dumps([bool(nest.build_info["have_mpi"])]))
"""
COMPLETION = 7  # the stream of random numbers of the last stretch


def run_on_nest(
    network: Network,
    duration: float,
    *,
    seed: int = 0,
    ranks: int = 1,
    threads: int = 1,
    python: str | None = None,
    mpirun: Sequence[str] = ("mpirun",),
    progress: Callable[[float, str], None] = lambda fraction, note: None,
) -> Recording:
    """Run a network in NEST for `duration` [ms].

    Parameters
    ----------
    network : Network
        Leaky integrate-and-fire neurons and sources; no mechanisms.
    duration : float
        [ms]
    seed : int
        Of NEST's random numbers: wiring, initial state, arrivals.  The same seed gives the same spikes for
        equal ranks x threads.
    ranks, threads : int
        MPI processes, and threads of each.
    python : path, optional
        An interpreter with NEST 3.10 and NESTML 9; by default the one that CASCADES_SIMULATORS names.
    mpirun : sequence of str
        How MPI starts processes, with options of your cluster.
    progress : function of the fraction done and a few words, optional
        NEST does not say how far it is; it is called before the synapse is built and before the run.

    Returns
    -------
    Recording
        Efficacies are those at the start and at the end.

    Raises
    ------
    ExportError
        Something that NEST cannot express.
    SimulatorError
        NEST, NESTML or MPI is not there, or stopped.
    NetworkError
        A number of ranks or threads below one, or a duration below dt.
    """
    if ranks < 1 or threads < 1:
        raise NetworkError("run", f"ranks and threads must be at least 1 (got {ranks} and {threads})")
    if not duration >= network.dt:
        raise NetworkError("run", f"duration must be at least dt (got {duration!r} ms)")
    texts = nestml.files(network)
    python = python or os.environ.get("CASCADES_SIMULATORS", sys.executable)
    _check(python, ranks)
    progress(0.0, "building its synapse in NEST, once per rule")
    module = build_module(python, texts)
    progress(0.0, "running")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "network.py"
        program.write_text(texts["network.py"], encoding="utf-8")
        command = [python, str(program), repr(float(duration)), str(seed), str(threads), folder]
        if ranks > 1:
            command = [*mpirun, "-n", str(ranks), *command]
        _run(command, folder, LD_LIBRARY_PATH=_before(str(module), "LD_LIBRARY_PATH"))
        files = [Path(folder) / f"rank_{k}.npz" for k in range(ranks)]
        parts = [dict(np.load(file)) for file in files]
    return _recording(network, duration, seed, parts)


def _check(python: str, ranks: int) -> None:
    """Raises SimulatorError unless the interpreter has NEST, NESTML and, for several ranks, MPI."""
    try:
        found = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, env=_search(python))
    except OSError as error:
        raise SimulatorError("NEST", f"{python} cannot be started: {error}") from error
    if found.returncode:
        reason = (found.stderr.strip().splitlines() or ["no message"])[-1]
        raise SimulatorError(
            "NEST",
            f"{python} has no NEST with NESTML ({reason}); `make simulators` installs them, and "
            "CASCADES_SIMULATORS names the interpreter that has them",
        )
    (has_mpi,) = json.loads(found.stdout.strip().splitlines()[-1])
    if ranks > 1 and not has_mpi:
        raise SimulatorError(
            "NEST", f"the one of {python} was built without MPI; see docs/more_than_one_machine.md"
        )
    if ranks > 1 and shutil.which("mpirun") is None:
        raise SimulatorError("NEST", "mpirun is not there; install an MPI such as Open MPI")


def build_module(python: str, texts: dict[str, str]) -> Path:
    """The folder of the module that the exported `texts` make; built if it is not yet there."""
    texts = {name: text for name, text in texts.items() if name != "network.py"}
    digest = hashlib.sha256(repr((os.path.realpath(python), python, sorted(texts.items()))).encode())
    folder = cache_folder() / "nest" / digest.hexdigest()[:24]
    if not (folder / f"{MODULE}.so").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, suffix=".part"))
        try:
            for name, text in texts.items():
                (part / name).write_text(text, encoding="utf-8")
            _run([python, str(part / "build_nest.py"), str(part)], part)
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _run(command: list[str], folder: Any, **environment: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**_search(command[0]), **environment}
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise SimulatorError("NEST", "it stopped: " + "\n".join(said[-5:]))


def _search(python: str) -> dict[str, str]:
    """The environment in which the programs beside an interpreter are found."""
    return {**os.environ, "PATH": _before(os.path.dirname(python) or ".", "PATH")}


def _before(folder: str, variable: str) -> str:
    rest = os.environ.get(variable)
    return folder + os.pathsep + rest if rest else folder


def _recording(network: Network, duration: float, seed: int, parts: list[dict[str, Any]]) -> Recording:
    """One recording of what the ranks wrote."""
    first = parts[0]["first"]  # NEST's number of each population's first neuron
    places = np.array([network.first(p.name) for p in network.neurons])
    senders = np.concatenate([part["senders"] for part in parts]).astype(np.int64)
    times = np.concatenate([part["times"] for part in parts])
    neurons = _counted_through(senders, first, places)
    order = np.lexsort((neurons, times))
    times, neurons = times[order], neurons[order]
    begin, end, sampled, final = {}, {}, {}, {}
    for k, s in enumerate(network.synapses):
        if s.plastic:
            columns = {
                name[: -len(f"_{k}")]: np.concatenate([part[name] for part in parts])
                for name in parts[0] if name.endswith(f"_{k}")
            }  # fmt: skip
            if columns["lost"].any():
                raise SimulatorError(
                    "NEST", f"{int(columns['lost'].sum())} calcium jumps of {s.name} found no slot: "
                    "a neuron spiked faster than its refractory time allows"
                )  # fmt: skip
            # in an order that does not depend on ranks, also where a pair has several synapses
            order = np.lexsort([columns[name] for name in ("rho", "start_rho", "target", "source")])
            columns = {name: values[order] for name, values in columns.items()}
            target = _counted_through(columns["target"].astype(np.int64), first, places)
            rho = _completed(network, s.delay, duration, seed, columns, target, times, neurons)
            final[s.name] = rho.astype(np.float32)
            picked = np.unique(np.linspace(0, rho.size - 1, min(100, rho.size)).astype(np.int64))
            sampled[s.name] = np.stack([columns["start_rho"][picked], rho[picked]])
            begin[s.name] = np.array([columns["start_rho"].mean(), rho.mean()])
            end[s.name] = np.array([columns["start_rho"].std(), rho.std()])
    return Recording(
        network=network, start=0.0, duration=duration, spike_times=times, spike_neurons=neurons,
        times=np.array([0.0, duration]), mean_efficacy=begin, spread_of_efficacy=end,
        sampled_efficacies=sampled, final_efficacies=final, seed=seed,
        spike_counts=np.bincount(neurons, minlength=network.size),
        kept=tuple(p.name for p in network.neurons),
    )  # fmt: skip


def _counted_through(ids: np.ndarray, first: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Neurons counted through all populations, of NEST's numbers."""
    which = np.searchsorted(first, ids, "right") - 1
    return np.asarray(ids - first[which] + places[which])


def _completed(
    network: Network,
    delay: float,
    duration: float,
    seed: int,
    columns: dict[str, np.ndarray],
    target: np.ndarray,
    times: np.ndarray,
    neurons: np.ndarray,
) -> np.ndarray:
    """Efficacies at the end: from the last presynaptic spike on, through the jumps that are still to come."""
    order = np.lexsort((times, neurons))
    ends = np.searchsorted(neurons[order], np.arange(network.size + 1))
    slots = sorted((n for n in columns if n.startswith("due_")), key=lambda n: int(n[4:]))
    due = np.stack([columns[n] for n in slots], axis=1) / MS_PER_S
    rho = columns["rho"].copy()
    complete(
        exact_rule(rule_of(network, nestml.TARGET)), rho, columns["c"], columns["t_last"] / MS_PER_S, due,
        (times[order] + delay) / MS_PER_S, ends, target, (duration + delay) / MS_PER_S,
        np.uint32(stream_key(seed, COMPLETION)),
    )  # fmt: skip
    return rho


@compiled
def complete(k, rho, c, last, due, post, ends, target, until, key):  # type: ignore[no-untyped-def]
    """Bring `rho` to the time `until`; all times [s] are NEST's, at which a synapse sees things."""
    for s in range(rho.size):
        now, excess = last[s], c[s]
        a, b, b_end = 0, ends[target[s]], ends[target[s] + 1]
        b += np.searchsorted(post[b:b_end], now + 1e-9, "right")
        visit = 0
        while now < until:
            t_due = due[s, a] if a < due.shape[1] and due[s, a] >= 0.0 else math.inf
            t_post = post[b] if b < b_end else math.inf
            t = min(t_due, t_post, until)
            if k.graded:
                rho[s], _ = smooth(k, rho[s], 0.0, excess, 0.0, t - now)
            else:
                normal = normal_number(s, visit, key) if k.variance > 0.0 else 0.0
                rho[s] = stepped(k, rho[s], excess, 0.0, t - now, normal)
                visit += 1
            excess *= math.exp(-(t - now) / k.tau_ca)
            now = t
            if t_due == t:
                excess += k.pre
                a += 1
            elif t_post == t:
                excess += k.post
                b += 1
