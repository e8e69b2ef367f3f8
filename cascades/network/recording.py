"""What a run of a network leaves behind: spikes, rates and efficacies, with names and units."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd

    from cascades.network.network import Network

UNITS = {"time": "ms", "rate": "Hz", "efficacy": "1"}


@dataclass(frozen=True, eq=False)
class Recording:
    """Spikes and efficacies of one run.

    Parameters
    ----------
    network : Network
    start, duration : float
        Where the run began and how long it went on [ms].
    spike_times : float, shape (spikes,)
        [ms], not decreasing; of the populations in `kept`.
    spike_neurons : int, shape (spikes,)
        Neurons counted through all populations.
    times : float, shape (times,)
        When efficacies were read [ms].
    mean_efficacy, spread_of_efficacy : mapping of synapse name to float, shape (times,)
        Mean and standard deviation over all plastic synapses.
    sampled_efficacies : mapping of synapse name to float, shape (times, sampled)
    final_efficacies : mapping of synapse name to float, shape (synapses,)
        By presynaptic, then postsynaptic neuron.
    spike_counts : int, shape (neurons,)
        Spikes of every neuron, kept or not.
    kept : names of populations
        Whose spikes are in `spike_times`.
    memories : mapping of mechanism name to mapping of array name to array
        What the mechanisms remembered at the end.
    seed : int
    complete : bool
        False if the run was interrupted; everything up to then is here.
    """

    network: Network
    start: float
    duration: float
    spike_times: np.ndarray
    spike_neurons: np.ndarray
    times: np.ndarray
    mean_efficacy: Mapping[str, np.ndarray]
    spread_of_efficacy: Mapping[str, np.ndarray]
    sampled_efficacies: Mapping[str, np.ndarray]
    final_efficacies: Mapping[str, np.ndarray]
    spike_counts: np.ndarray
    kept: tuple[str, ...]
    memories: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    seed: int = 0
    complete: bool = True

    @property
    def units(self) -> dict[str, str]:
        """Units of what is recorded."""
        return dict(UNITS)

    @property
    def population_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.network.neurons)

    def spikes(self, population: str) -> tuple[np.ndarray, np.ndarray]:
        """(times [ms], indices within the population).  Raises UnknownName where none were kept."""
        self.network.population(population)
        if population not in self.kept:
            raise UnknownName("population with spikes kept", population, self.kept)
        first, size = self.network.first(population), self.network.population(population).size
        mine = (self.spike_neurons >= first) & (self.spike_neurons < first + size)
        return self.spike_times[mine], self.spike_neurons[mine] - first

    def rate(self, population: str, *, after: float = 0.0) -> float:
        """Mean rate [Hz] of a population from `after` [ms] on.  Raises UnknownName."""
        first, size = self.network.first(population), self.network.population(population).size
        if after <= self.start:
            count = self.spike_counts[first : first + size].sum()
        else:
            count = (self.spikes(population)[0] > after).sum()
        span = self.start + self.duration - max(after, self.start)
        return float(count / size / span * 1000.0)

    @property
    def rates(self) -> dict[str, float]:
        """Mean rate [Hz] of each population."""
        return {name: self.rate(name) for name in self.population_names}

    def rate_in_time(self, population: str, bin_width: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
        """(centres of bins [ms], rate [Hz] in them)."""
        times, _ = self.spikes(population)
        edges = self.start + bin_width * np.arange(int(np.ceil(self.duration / bin_width)) + 1)
        counts, _ = np.histogram(times, edges)
        size = self.network.population(population).size
        return 0.5 * (edges[1:] + edges[:-1]), counts / size / bin_width * 1000.0

    @property
    def efficacies(self) -> np.ndarray:
        """Final efficacies of the only plastic synapses.  Raises UnknownName if there are more."""
        if len(self.final_efficacies) != 1:
            raise UnknownName("the only plastic synapses", "efficacies", self.final_efficacies)
        return next(iter(self.final_efficacies.values()))

    def to_dataframe(self) -> pd.DataFrame:
        """One row per spike: time [ms], population, neuron (index within it)."""
        import pandas as pd

        first = np.array([self.network.first(name) for name in self.population_names])
        which = np.searchsorted(first, self.spike_neurons, "right") - 1
        frame = pd.DataFrame(
            {
                "time": self.spike_times,
                "population": pd.Categorical.from_codes(which, list(self.population_names)),
                "neuron": self.spike_neurons - first[which] if which.size else self.spike_neurons,
            }
        )
        frame.attrs["units"] = {"time": "ms"}
        return frame

    def save(self, path: str | Path) -> Path:
        """Write everything to one .npz file, whole or not at all."""
        path = Path(path).with_suffix(".npz")
        arrays: dict[str, Any] = {
            "spike_times": self.spike_times,
            "spike_neurons": self.spike_neurons,
            "spike_counts": self.spike_counts,
            "times": self.times,
        }
        for kind in ("mean_efficacy", "spread_of_efficacy", "sampled_efficacies", "final_efficacies"):
            for name, values in getattr(self, kind).items():
                arrays[f"{kind}/{name}"] = values
        about = {
            "format": "cascades recording 1",
            "units": UNITS,
            "seed": self.seed,
            "start": self.start,
            "duration": self.duration,
            "complete": self.complete,
            "network": self.network.content_hash(),
            "populations": {p.name: p.size for p in self.network.neurons},
        }
        arrays["about"] = np.array(json.dumps(about))
        write_whole(path, arrays)
        return path


def write_whole(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file under another name and rename it: a crash leaves the old file as it was, and what it
    left half-written is overwritten the next time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **dict[str, Any](arrays))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
