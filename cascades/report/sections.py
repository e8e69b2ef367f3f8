"""The sections of a report, one function each: what was done, what came out, and how to read the figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.report import figures
from cascades.report.html import Picture, Section, Table, cell

if TYPE_CHECKING:
    from cascades.network import Recording
    from cascades.reduction import Level, RuleLadder
    from cascades.report.bistability import Diagram
    from cascades.report.chain import Chain
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


def rule(chain: Chain) -> Section:
    """The ladder, its certificate, and both curves."""
    ladder, chosen = chain.ladder, chain.ladder.rule
    overall = ladder.chosen.certificate.overall
    trace = chosen.calcium
    numbers = Table(
        ["", "value", "unit"],
        [
            ["theta_d, above which the synapse is depressed", chosen.theta_d, "uM"],
            ["theta_p, above which it is potentiated", chosen.theta_p, "uM"],
            ["gamma_d", chosen.gamma_d, "1/s"],
            ["gamma_p", chosen.gamma_p, "1/s"],
            ["tau, of the double well", chosen.tau, "s"],
            ["rho*, between DOWN (0) and UP (1)", chosen.rho_star, ""],
            ["calcium at rest", trace.rest, "uM"],
            ["jump at a presynaptic spike", trace.pre, "uM"],
            ["jump at a postsynaptic spike", trace.post, "uM"],
            ["decay of calcium", trace.tau, "s"],
            ["delay after a presynaptic spike", trace.delay, "s"],
        ],
        f"The derived rule: {chosen.name}",
        "Letters of Graupner & Brunel (2012); gamma_d and gamma_p are rates here. Fitted thresholds are "
        "effective: "
        "they absorb what a rule of one variable leaves out, and need not lie at the folds.",
    )
    levels = Table(
        [
            "level",
            "fitted numbers",
            "R2, training",
            "R2, held out",
            "rmse",
            "worst",
            "outcome right",
            "times cheaper",
        ],
        [_level_row(ladder, level) for level in ladder],
        "The ladder: every level with its certificate",
        f"Outcome (UP or DOWN afterwards) of {overall.cases} held-out runs; the baselines that need no "
        "rule are right in "
        f"{overall.no_change:.3f} (no change) and {overall.majority:.3f} (always the most frequent outcome). "
        + " ".join(f"{note[0].upper()}{note[1:]}." for note in ladder.notes),
    )
    families = Table(
        ["held-out family", "cases", "R2", "rmse", "worst", "outcome right", "no change", "majority"],
        [
            [name, s.cases, _float(s.r2), s.rmse, s.worst, s.outcome_accuracy, s.no_change, s.majority]
            for name, s in ladder.chosen.certificate.rows()
        ],
        f"Certificate of the chosen level, {ladder.chosen.name}",
        "Efficacies are read when the protocol ends (R2, rmse, worst) and after a rest (outcome). "
        + " ".join(f"{note[0].upper()}{note[1:]}." for note in ladder.chosen.certificate.notes),
    )
    agreement = ", ".join(f"{curve.title}: {curve.agreement:.0%}" for curve in chain.curves)
    return Section(
        "The rule that follows from it",
        [
            "A rule of one variable per synapse is derived from the biochemistry: rates from runs at "
            "constant calcium, "
            "thresholds fitted to random spike trains only. It is judged by protocols that it has not seen.",
            _judgement(ladder),
        ],
        [
            Picture(
                figures.curves(chain.curves),
                f"Points: the full model; lines: the rule. Both end in the same state after {agreement} "
                "of the protocols.",
            ),
            Picture(
                figures.rule(ladder),
                "The rates of the rule over calcium with the folds of the biochemistry, the drift at "
                "rest, the error of each "
                "level against its cost, and the error of each level in each family of protocols.",
            ),
        ],
        [numbers, levels, families],
    )


def _level_row(ladder: RuleLadder, level: Level) -> list[Any]:
    s, t = level.certificate.overall, level.certificate.training
    mark = " (chosen)" if level is ladder.chosen else ""
    cheaper = ladder.full_cost / level.cost if level.cost > 0.0 else None
    return [
        level.name + mark, level.fitted, _float(t.r2), _float(s.r2), s.rmse, s.worst, s.outcome_accuracy,
        cheaper,
    ]  # fmt: skip


def _float(value: float | None) -> float:
    return float("nan") if value is None else value


def _judgement(ladder: RuleLadder) -> str:
    """What the certificate of the chosen level comes to, in a sentence that cannot flatter."""
    s = ladder.chosen.certificate.overall
    gain = s.outcome_accuracy - max(s.no_change, s.majority)
    if gain <= 0.0:
        verdict = "No better than the best rule that ignores the spikes: do not use it for outcomes."
    else:
        verdict = f"That is {100.0 * gain:.0f} points better than the best rule that ignores the spikes."
    r2 = "" if s.r2 is None else f", R2 of the efficacy {s.r2:.2f}"
    return (
        f"On {s.cases} held-out runs the chosen level tells the outcome in "
        f"{100.0 * s.outcome_accuracy:.0f} % of the cases"
        f"{r2}, at {ladder.full_cost / ladder.chosen.cost:.0f} times less computing. {verdict}"
    )
