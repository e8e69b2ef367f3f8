"""The sections of a report, one function each: what was done, what came out, and how to read the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.report import figures
from cascades.report.html import Picture, Section, Table, cell

if TYPE_CHECKING:
    from cascades.network import Recording
    from cascades.report.bistability import Diagram
    from cascades.report.experiments import Experiment


def protocols(ltp: Experiment, ltd: Experiment, diagram: Diagram) -> Section:
    """Spikes to calcium to the switch."""
    both = (ltp, ltd)
    rows = [[e.title, e.protocol.name, e.peak_calcium, e.before, e.after, verdict(e, diagram)] for e in both]
    levels = [state[diagram.weight] for state in diagram.states]
    return Section(
        "Spikes, calcium, and the switch",
        [
            "Every presynaptic spike releases glutamate in the full model and is an exact stop of the "
            "solver. The first "
            "experiment starts from the model's own initial state, the second from the state that the "
            "first one left.",
        ],
        [
            Picture(
                figures.experiments(both, levels),
                f"Above: free {ltp.calcium} at the beginning of each protocol. Below: {ltp.weight} during "
                "the whole "
                "experiment; stimulation is shaded, dotted lines are the equilibria at resting calcium.",
            )
        ],
        [
            Table(
                [
                    "experiment",
                    "protocol",
                    f"highest {ltp.calcium}",
                    f"{ltp.weight} before",
                    "after",
                    "outcome",
                ],
                rows,
            )
        ],
    )


def verdict(experiment: Experiment, diagram: Diagram) -> str:
    """Which state the switch is in before and after, told by the saddle at rest."""
    saddles = [s[diagram.weight] for s in diagram.states if not s.is_stable]
    if not saddles:
        return "there is one state at rest"
    names = ["UP" if level > saddles[0] else "DOWN" for level in (experiment.before, experiment.after)]
    return f"{names[0]} to {names[1]}" if names[0] != names[1] else f"stays {names[0]}"


def bistability(diagram: Diagram) -> Section:
    """The equilibria and their branches."""
    stable = sum(state.is_stable for state in diagram.states)
    number = f"{len(diagram.states)} equilibri{'um' if len(diagram.states) == 1 else 'a'}"
    at_rest = Table(
        [diagram.weight, "stable", "slowest time [s]"],
        [[state[diagram.weight], state.is_stable, state.slowest_time] for state in diagram.states],
        f"Equilibria at {diagram.parameter} = {cell(diagram.rest)}",
    )
    folds = Table(
        ["branch", diagram.parameter, f"{diagram.weight} there"],
        [
            ["closed" if branch.closed else "open", f"{p.value:.8g}", _height(branch, diagram.weight, p)]
            for branch in diagram.branches
            for p in branch.of_kind("fold")
        ],
        "Folds, each refined by Newton's method",
        "; ".join(
            f"branch {i + 1} ({len(branch)} points): {branch.stopped_because}"
            for i, branch in enumerate(diagram.branches)
        ),
    )
    return Section(
        "When the synapse remembers",
        [
            f"With {diagram.parameter} held at rest the biochemistry has {number}, {stable} of them stable. "
            "Following them along held calcium gives the branches below; where one turns back, a fold, a "
            "state ends.",
        ],
        [
            Picture(
                figures.bifurcation(diagram),
                "Full lines are stable, dashed lines unstable; circles are folds, squares the equilibria "
                "at rest "
                "(filled: stable). A closed branch is an island: its state cannot be reached by raising "
                "calcium slowly.",
            )
        ],
        [at_rest, folds],
    )


def _height(branch: Any, name: str, point: Any) -> float:
    return float(branch.problem.observe(name, point.x, point.q))


def network(recording: Recording) -> Section:
    """The network that learns with the rule."""
    described = recording.network
    plastic = described.synapse_count(plastic=True)
    rows: list[Sequence[Any]] = [
        [f"rate of {name} ({described.population(name).size} neurons) [Hz]", recording.rate(name)]
        for name in recording.population_names
    ]
    for name, efficacies in recording.final_efficacies.items():
        rows += [
            [f"mean efficacy {name}, start", float(recording.mean_efficacy[name][0])],
            [f"mean efficacy {name}, end", float(np.mean(efficacies))],
            [f"UP at the end, {name} (efficacy above 1/2)", float(np.mean(efficacies > 0.5))],
        ]
    return Section(
        "A network that learns with the rule",
        [
            f"{described.size} leaky integrate-and-fire neurons, four fifths of them excitatory, held in "
            "balance by inhibition; "
            f"the {plastic} synapses among excitatory neurons learn by the derived rule, each updated "
            "exactly when a spike "
            f"meets it. {recording.duration / 1e3:g} s of biological time, seed {recording.seed}.",
        ],
        [
            Picture(
                figures.network(recording),
                "Spikes of a part of each population, their rates, and the distribution of efficacies at "
                "the start "
                "and the end (start: a sample of the synapses).",
            )
        ],
        [Table(["", "value"], rows)],
    )
