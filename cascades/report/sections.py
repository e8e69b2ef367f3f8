"""The sections of a report, one function each: what was done, what came out, how to read the figure.

The rule has a file of its own, `rule_section`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cascades.plot import with_unit
from cascades.report import figures
from cascades.report.html import Picture, Section, Table, cell, prose

if TYPE_CHECKING:
    from cascades.network import Recording
    from cascades.report.bistability import Diagram
    from cascades.report.experiments import Experiment
    from cascades.report.spiking import Spiking


def protocols(ltp: Experiment, ltd: Experiment, diagram: Diagram, spine: Spiking) -> Section:
    """Spikes to calcium to the switch."""
    both = (ltp, ltd)
    units = ltp.trajectory.units
    calcium = with_unit(f"highest {ltp.calcium}", units.get(ltp.calcium, ""))
    given = "Calcium is an input of this model; here it jumps at spikes and decays." if spine.is_given else ""
    return Section(
        "Spikes, calcium, and the switch",
        [
            prose(f"""Every spike is an exact stop of the solver, at which the state jumps. The first
                experiment starts from the DOWN state, the second from the UP state; each is followed by
                rest. {given}"""),
        ],
        [
            Picture(
                figures.experiments(both, [state[diagram.weight] for state in diagram.states]),
                prose(f"""Above: {ltp.calcium} at the beginning of each protocol. Below: {ltp.weight}
                    during the whole experiment; stimulation is shaded, dotted lines are the equilibria
                    at resting calcium."""),
            )
        ],
        [
            Table(
                ["experiment", "protocol", calcium, f"{ltp.weight} before", "after", "outcome"],
                [
                    [e.title, e.protocol.name, e.peak_calcium, e.before, e.after, verdict(e, diagram)]
                    for e in both
                ],
            )
        ],
    )


def verdict(experiment: Experiment, diagram: Diagram) -> str:
    """Which state the switch is in before and after, told by the saddle at rest."""
    saddles = [s[diagram.weight] for s in diagram.states if not s.is_stable]
    if not saddles:
        return "one state at rest"
    names = ["UP" if level > saddles[0] else "DOWN" for level in (experiment.before, experiment.after)]
    return f"{names[0]} to {names[1]}" if names[0] != names[1] else f"stays {names[0]}"


def bistability(diagram: Diagram, unit: str) -> Section:
    """The equilibria and their branches."""
    stable = sum(state.is_stable for state in diagram.states)
    number = f"{len(diagram.states)} equilibri{'um' if len(diagram.states) == 1 else 'a'}"
    ends = [
        f"branch {i + 1} ({len(branch)} points): {branch.stopped_because}"
        for i, branch in enumerate(diagram.branches)
    ]
    at_rest = Table(
        ["equilibrium", diagram.weight, "stable", "slowest time [s]"],
        [
            [f"{i + 1}", state[diagram.weight], "yes" if state.is_stable else "no", state.slowest_time]
            for i, state in enumerate(diagram.states)
        ],
        f"At rest, {diagram.parameter} = {cell(diagram.rest)} {unit}",
    )
    folds = Table(
        ["branch", with_unit(diagram.parameter, unit), f"{diagram.weight} there"],
        [
            [
                f"{i + 1}, {'closed' if branch.closed else 'open'}",
                f"{point.value:.8g}",
                float(branch.problem.observe(diagram.weight, point.x, point.q)),
            ]
            for i, branch in enumerate(diagram.branches)
            for point in branch.of_kind("fold")
        ],
        "Folds, each refined by Newton's method",
        f"{'; '.join(ends)}.",
    )
    return Section(
        "When the synapse remembers",
        [
            prose(f"""With {diagram.parameter} held at rest the biochemistry has {number}, {stable} of
                them stable. Following them along held calcium gives the branches below; where one turns
                back, a fold, a state ends."""),
        ],
        [
            Picture(
                figures.bifurcation(diagram, unit),
                prose("""Full lines are stable, dashed lines unstable; circles are folds, squares the
                    equilibria at rest (filled: stable). A closed branch is an island: its state cannot
                    be reached by raising calcium slowly, only by a transient that outruns the
                    phosphatases."""),
            )
        ],
        [at_rest, folds],
    )


def network(recording: Recording) -> Section:
    """The network that learns with the rule."""
    described = recording.network
    sizes = {name: described.population(name).size for name in recording.population_names}
    assembly, others, inhibitory = sizes.values()
    rates = Table(
        ["population", "neurons", "rate [Hz]"],
        [[name, size, recording.rate(name)] for name, size in sizes.items()],
    )
    weights = Table(
        ["plastic synapses", "number", "mean at the start", "mean at the end", "above 1/2 at the end"],
        [
            [name, values.size, float(recording.mean_efficacy[name][0]), float(np.mean(values))]
            + [float(np.mean(values > 0.5))]
            for name, values in recording.final_efficacies.items()
        ],
    )
    return Section(
        "A network that learns with the rule",
        [
            prose(f"""{described.size} leaky integrate-and-fire neurons: an assembly A of {assembly}
                that gets more random input from outside, {others} other excitatory neurons E, and
                {inhibitory} inhibitory ones I. The {described.synapse_count(plastic=True)} synapses
                among excitatory neurons learn by the derived rule
                ({described.rule.name if described.rule else "none"}), each updated exactly when a spike
                meets it; a fifth of them starts UP. {recording.duration / 1e3:g} s of biological time,
                seed {recording.seed}."""),
        ],
        [
            Picture(
                figures.network(recording),
                prose("""Spikes of a part of each population, their rates, the efficacies of the plastic
                    synapses (start: a sample of them), and their mean in each group of synapses."""),
            )
        ],
        [rates, weights],
    )
