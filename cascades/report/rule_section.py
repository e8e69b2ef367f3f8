"""The section of a report about the derived rule: the ladder, its certificates, and both curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cascades.report import figures
from cascades.report.html import Picture, Section, Table, prose

if TYPE_CHECKING:
    from cascades.reduction import CalciumRule, Level, RuleLadder
    from cascades.report.chain import Chain

STEP_RULE = "step thresholds, cubic well"


def rule(chain: Chain) -> Section:
    ladder = chain.ladder
    agreement = " and ".join(f"{curve.agreement:.0%} ({curve.title})" for curve in chain.curves)
    return Section(
        "The rule that follows from it",
        [
            prose("""A rule of one variable per synapse is derived from the biochemistry: rates from
                runs at constant calcium, other numbers fitted to random spike trains only. It is judged
                by protocols that it has not seen."""),
            judgement(ladder),
        ],
        [
            Picture(
                figures.curves(chain.curves),
                prose(f"""Points: the full model; lines: the chosen rule, {ladder.rule.name}. Both end
                    in the same state after {agreement} of the protocols."""),
            ),
            Picture(
                figures.rule(ladder),
                prose("""Left: rates of potentiation and depression over calcium, at constant calcium
                    (points) and in the chosen rule (lines); dotted lines are the folds of the
                    biochemistry. Right: the drift at rest."""),
            ),
            Picture(
                figures.errors(ladder),
                "Root-mean-square error of the efficacy, for each level and family of held-out protocols.",
            ),
            Picture(
                figures.protocol_map(ladder),
                prose("""Between the families: pairs of spikes over their rate and number, and over
                    their interval and rate. Left and middle: what the full model and the rule do to a
                    synapse that is as likely DOWN as UP. Right: the larger of the two errors; where it is
                    hatched the rule does not hold, crosses mark wrong outcomes."""),
            ),
        ],
        [_numbers(ladder), _levels(ladder), _families(ladder)],
    )


def judgement(ladder: RuleLadder) -> str:
    """What the certificate of the chosen level comes to, in a sentence that cannot flatter."""
    s = ladder.chosen.certificate.overall
    gain = s.outcome_accuracy - max(s.no_change, s.majority)
    if gain <= 0.0:
        verdict = "No better than the best rule that ignores the spikes: do not use it for outcomes."
    else:
        verdict = f"That is {100.0 * gain:.0f} points better than the best rule that ignores the spikes."
    r2 = "" if s.r2 is None else f"; R2 of the efficacy is {s.r2:.2f}"
    return prose(f"""On {s.cases} held-out runs the chosen level tells the outcome, UP or DOWN, in
        {100.0 * s.outcome_accuracy:.0f} % of the cases{r2}; it costs
        {ladder.full_cost / ladder.chosen.cost:.0f} times less than the full model. {verdict}""")


def _numbers(ladder: RuleLadder) -> Table:
    """The numbers that users quote: those of the fitted step rule, with their intervals."""
    names = [level.name for level in ladder]
    quoted: CalciumRule = ladder[STEP_RULE].rule if STEP_RULE in names else ladder.rule
    trace = quoted.calcium
    rows = [
        ["theta_d, above which the synapse is depressed", quoted.theta_d, _interval(ladder, "theta_d"), "uM"],
        ["theta_p, above which it is potentiated", quoted.theta_p, _interval(ladder, "theta_p"), "uM"],
        ["gamma_d, rate of depression", quoted.gamma_d, "", "1/s"],
        ["gamma_p, rate of potentiation", quoted.gamma_p, "", "1/s"],
        ["tau, of the double well", quoted.tau, "", "s"],
        ["rho*, between DOWN (0) and UP (1)", quoted.rho_star, "", ""],
        ["calcium at rest", trace.rest, "", "uM"],
        ["jump at a presynaptic spike", trace.pre, "", "uM"],
        ["jump at a postsynaptic spike", trace.post, "", "uM"],
        ["decay of calcium", trace.tau, "", "s"],
        ["delay after a presynaptic spike", trace.delay, "", "s"],
    ]
    return Table(
        ["", "value", "95 % interval", "unit"],
        rows,
        f"The rule of Graupner & Brunel (2012) that fits best: {quoted.name}",
        prose("""Their letters; gamma_d and gamma_p are rates here. Fitted thresholds are effective:
            they absorb what a rule of one variable leaves out, and need not lie at the folds."""),
    )


def _interval(ladder: RuleLadder, name: str) -> str:
    found = ladder.thresholds.get(f"effective {name}, 95 %")
    return f"{found[0]:.4g} to {found[1]:.4g}" if found else ""


def _levels(ladder: RuleLadder) -> Table:
    s = ladder.chosen.certificate.overall
    notes = " ".join(_sentence(note) for note in ladder.notes)
    return Table(
        [
            "level",
            "numbers fitted",
            "R2, training",
            "R2, held out",
            "rmse",
            "worst",
            "outcome right",
            "times cheaper",
        ],
        [_level(ladder, level) for level in ladder],
        "The ladder: every level with its certificate",
        prose(f"""Outcome (UP or DOWN) of {s.cases} held-out runs. Baselines that need no rule:
            {s.no_change:.3f} right (no change), {s.majority:.3f} (always the most frequent outcome).
            {notes}"""),
    )


def _level(ladder: RuleLadder, level: Level) -> list[Any]:
    s, t = level.certificate.overall, level.certificate.training
    mark = " (chosen)" if level is ladder.chosen else ""
    cheaper = ladder.full_cost / level.cost if level.cost > 0.0 else None
    scores = [t.r2, s.r2, s.rmse, s.worst, s.outcome_accuracy]
    return [level.name + mark, level.fitted, *map(_rounded, scores), _rounded(cheaper, 1)]


def _families(ladder: RuleLadder) -> Table:
    notes = " ".join(_sentence(note) for note in ladder.chosen.certificate.notes)
    return Table(
        ["family of protocols", "cases", "R2", "rmse", "worst", "outcome right", "no change", "majority"],
        [
            [
                name,
                s.cases,
                *map(_rounded, (s.r2, s.rmse, s.worst, s.outcome_accuracy, s.no_change, s.majority)),
            ]
            for name, s in ladder.chosen.certificate.rows()
        ],
        f"Certificate of the chosen level: {ladder.chosen.name}",
        prose(f"""Efficacies are read when the protocol ends (R2, rmse, worst) and after a rest
            (outcome). R2 is negative where the mean of the family would have done better. {notes}"""),
    )


def _rounded(value: float | None, digits: int = 3) -> float:
    return float("nan") if value is None else round(value, digits)


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."
