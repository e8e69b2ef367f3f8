"""The state of a run in a file: saved whole or not at all, continued bit for bit, refused if it is another's.

The file does not depend on the number of threads.  Wiring follows from the description and the seed; what a
run has changed is in the file.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cascades.errors import CheckpointError
from cascades.network.build import Built, build, relink, rule_constants
from cascades.network.constants import NeuronSteps, Rising
from cascades.network.network import Network
from cascades.network.recording import write_whole
from cascades.network.session import Session

FORMAT = "cascades network checkpoint"
VERSION = 2  # 1: state without room at the ends of rows


def save(session: Session, path: Path) -> None:
    """Write the state of `session` to `path`."""
    b = session.built
    arrays: dict[str, np.ndarray] = {
        "state": b.cells.state,
        "released": b.cells.released,
        "traces": b.cells.traces[0],
        "due": b.groups.due,
        "drawn": b.groups.drawn,
        "replay_at": b.groups.replay_at[0],
        "records": b.plastic.records,
        "spike_counts": session.spike_counts,
        **_spikes_under_way(session),
    }
    for name in ("expressed", "scale"):
        value = getattr(b.plastic, name)
        if value is not None:
            arrays[name] = value
    if isinstance(b.rule.drift, NeuronSteps):
        arrays["zones"] = b.rule.drift.zones
    if isinstance(b.rule.shape, Rising):
        arrays["slow_calcium"] = b.rule.shape.slow
    if any(m.rewires for m in b.network.mechanisms):
        for k, p in enumerate(session.view().plastic):
            arrays[f"senders/{k}"] = p.source
    for k, memory in enumerate(session.memories):
        for name, value in memory.items():
            arrays[f"memory/{k}/{name}"] = value
    about = {
        "format": FORMAT,
        "version": VERSION,
        "network": b.network.content_hash(),
        "seed": b.seed,
        "tick": b.tick,
        "base": b.base,
        "digest": _digest(arrays),
    }
    write_whole(path, {**arrays, "about": np.array(json.dumps(about))})


def load(path: Path, network: Network, seed: int, threads: int) -> Session:
    """The run that was saved, on any number of threads.

    Raises
    ------
    CheckpointError
        Not a checkpoint, damaged, of another version, network or seed.
    """
    arrays, about = _read(path)
    if about.get("version") != VERSION:
        raise CheckpointError(
            path, f"a checkpoint of version {about.get('version')}; this release reads version {VERSION}"
        )
    if about["digest"] != _digest(arrays):
        raise CheckpointError(path, "damaged: its contents do not match their digest")
    if about["network"] != network.content_hash():
        raise CheckpointError(
            path, "a checkpoint of another network; choose another file or the network it is of"
        )
    if about["seed"] != seed:
        raise CheckpointError(path, f"a checkpoint of seed {about['seed']}; this run has seed {seed}")
    built = build(network, seed, threads)
    built.tick, built.base = int(about["tick"]), int(about["base"])
    built.rule = rule_constants(network, seed, built.base)
    b = built
    places: dict[str, Any] = {
        "state": b.cells.state,
        "released": b.cells.released,
        "due": b.groups.due,
        "drawn": b.groups.drawn,
        "records": b.plastic.records,
        "expressed": b.plastic.expressed,
        "scale": b.plastic.scale,
        "zones": getattr(b.rule.drift, "zones", None),
        "slow_calcium": getattr(b.rule.shape, "slow", None),
    }
    for name, place in places.items():
        if place is not None:
            if name not in arrays or arrays[name].shape != place.shape:
                raise CheckpointError(path, f"its {name} do not fit this network")
            place[...] = arrays[name]
    for k in range(len(b.plastic_of)):
        if f"senders/{k}" in arrays:
            relink(b, k, arrays[f"senders/{k}"])
    b.cells.traces[:] = arrays["traces"]
    b.groups.replay_at[:] = arrays["replay_at"]
    _send_on(built, arrays)
    session = Session(built, arrays["spike_counts"], [])
    for k in range(len(network.mechanisms)):
        prefix = f"memory/{k}/"
        session.memories.append(
            {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        )
    return session


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        # opened here, so that it is closed when numpy cannot read it
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop("about")[()]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(path, f"damaged, or not a checkpoint ({error})") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise CheckpointError(path, "not a checkpoint of a network")
    return arrays, about


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _spikes_under_way(session: Session) -> dict[str, np.ndarray]:
    """The spikes of the last ticks, in the order of tick and neuron."""
    log, length = session.built.log, session.built.log.ends.shape[1]
    ticks, groups, neurons, gains = (
        [np.zeros(0, kind)] for kind in (np.int64, np.int64, np.int32, np.float32)
    )
    for t in range(max(session.tick - length, 1), session.tick):
        for g in range(log.ends.shape[2] - 1):
            for thread in range(log.ends.shape[0]):
                here = slice(*log.ends[thread, t % length, g : g + 2])
                neurons.append(log.neurons[thread, here])
                gains.append(log.gains[thread, here])
                ticks.append(np.full(neurons[-1].size, t))
                groups.append(np.full(neurons[-1].size, g))
    found = {"ticks": ticks, "groups": groups, "neurons": neurons, "gains": gains}
    return {f"log_{name}": np.concatenate(values) for name, values in found.items()}


def _send_on(built: Built, arrays: dict[str, np.ndarray]) -> None:
    """Put the spikes that are under way where the threads expect them."""
    log = built.log
    threads, length, ends = log.ends.shape
    half = log.neurons.shape[1] // 2
    ticks, groups, neurons = (arrays[f"log_{name}"] for name in ("ticks", "groups", "neurons"))
    for thread in range(threads):
        oldest = max(built.tick - length, 1)
        for t in range(oldest, built.tick):
            if t == oldest or t % length == 0:
                at = half * (t // length % 2)
            log.ends[thread, t % length, 0] = at
            for g in range(ends - 1):
                mine = (ticks == t) & (groups == g)
                mine &= (neurons >= built.first[thread, g]) & (neurons < built.last[thread, g])
                here = slice(at, at + int(mine.sum()))
                log.neurons[thread, here] = neurons[mine]
                log.gains[thread, here] = arrays["log_gains"][mine]
                at = here.stop
                log.ends[thread, t % length, g + 1] = at
