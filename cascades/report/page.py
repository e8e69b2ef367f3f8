"""The report of a run, from its results."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from cascades import __version__
from cascades.card import ModelCard
from cascades.citation import cite
from cascades.report import sections
from cascades.report.chain import Chain
from cascades.report.html import Page
from cascades.report.rule_section import rule


def page(chain: Chain, card: ModelCard | None, seconds: Mapping[str, float]) -> Page:
    """`seconds` is how long each step took."""
    equations = chain.compiled.equations
    overall = chain.ladder.chosen.certificate.overall
    unit = equations.units.get(chain.spine.calcium, "")
    folds = sorted(point.value for point in chain.diagram.folds)
    ltp, ltd = chain.ltp, chain.ltd
    facts = [
        (sections.verdict(ltp, chain.diagram), f"LTP: {ltp.protocol.name}"),
        (sections.verdict(ltd, chain.diagram), f"LTD: {ltd.protocol.name}"),
        (f"{len(folds)} folds", f"{', '.join(f'{v:.4g}' for v in folds)} {unit}" if folds else "no switch"),
        (
            f"{overall.outcome_accuracy:.0%}",
            f"of held-out outcomes right; without a rule {overall.no_change:.0%}",
        ),
        (
            f"{chain.recording.network.size} neurons",
            f"learn with the rule for {chain.recording.duration / 1e3:g} s",
        ),
    ]
    title = card.title if card else chain.model.name or chain.model.id
    size = f"{len(chain.compiled.state_names)} states, {len(chain.model.reactions)} reactions"
    took = ", ".join(f"{what} {value:.1f} s" for what, value in seconds.items())
    return Page(
        title=title,
        subtitle=f"{chain.model.id} · {size}" + (f" · {card.citation}" if card else ""),
        lead="From spikes to calcium, from calcium to a switch that remembers, from the switch to a learning "
        "rule with its errors, and from the rule to a network that learns.",
        sections=[
            sections.protocols(chain.ltp, chain.ltd, chain.diagram, chain.spine),
            sections.bistability(chain.diagram, unit),
            rule(chain),
            sections.network(chain.recording),
        ],
        facts=facts,
        citations=cite(chain.model, chain.ltp.trajectory, chain.ladder.rule),
        footer=[
            f"cascades {__version__}, Python {platform.python_version()}, seed {chain.seed}.",
            f"Equations {equations.content_hash[:16]}; solver "
            f"{chain.ltp.trajectory.provenance.get('solver', '')}.",
            f"Time: {took}." if took else "",
        ],
    )
