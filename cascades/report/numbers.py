"""The numbers of a report, for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cascades import __version__
from cascades.network import Recording
from cascades.report.bistability import Diagram
from cascades.report.chain import Chain
from cascades.report.experiments import Experiment
from cascades.report.sections import verdict


def numbers(chain: Chain, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Everything that the report shows, by name, with units in the names where they are not the model's."""
    return {
        "model": chain.model.id,
        "equations": chain.compiled.equations.content_hash,
        "cascades": __version__,
        "seed": chain.seed,
        "calcium": chain.spine.calcium,
        "weight": chain.spine.weight,
        "experiments": {e.title: _experiment(e, chain.diagram) for e in (chain.ltp, chain.ltd)},
        "equilibria": [
            {"is_stable": s.is_stable, chain.spine.weight: s[chain.spine.weight], "state": dict(s.state)}
            for s in chain.diagram.states
        ],
        "branches": [
            {
                "closed": branch.closed,
                "points": len(branch),
                "stopped_because": branch.stopped_because,
                "folds": [point.value for point in branch.of_kind("fold")],
            }
            for branch in chain.diagram.branches
        ],
        "ladder": json.loads(chain.ladder.to_json()),
        "curves": [
            {"title": c.title, "label": c.label, "x": c.x, "full": c.full, "rule": c.rule}
            | {"agreement": c.agreement}
            for c in chain.curves
        ],
        "network": recorded(chain.recording),
        "seconds": dict(seconds),
    }


def _experiment(experiment: Experiment, diagram: Diagram) -> dict[str, Any]:
    return {
        "protocol": experiment.protocol.name,
        "highest_calcium": experiment.peak_calcium,
        "before": experiment.before,
        "after": experiment.after,
        "outcome": verdict(experiment, diagram),
    }


def recorded(recording: Recording) -> dict[str, Any]:
    """What a network did."""
    return {
        "neurons": recording.network.size,
        "plastic_synapses": recording.network.synapse_count(plastic=True),
        "duration_s": recording.duration / 1e3,
        "seed": recording.seed,
        "complete": recording.complete,
        "spikes": int(recording.spike_times.size),
        "rates_Hz": recording.rates,
        "first_mean_efficacy": {name: float(values[0]) for name, values in recording.mean_efficacy.items()},
        "final_mean_efficacy": {name: float(np.mean(v)) for name, v in recording.final_efficacies.items()},
        "final_fraction_up": {
            name: float(np.mean(v > 0.5)) for name, v in recording.final_efficacies.items()
        },
    }
