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


def page(chain: Chain, card: ModelCard | None, seconds: Mapping[str, float]) -> Page:
    """`seconds` is how long each step took."""
    equations = chain.compiled.equations
    overall = chain.ladder.chosen.certificate.overall
    folds = sorted(point.value for point in chain.diagram.folds)
    facts = [
        (sections.verdict(chain.ltp, chain.diagram), f"LTP: {chain.ltp.protocol.name}"),
        (sections.verdict(chain.ltd, chain.diagram), f"LTD: {chain.ltd.protocol.name}"),
        (f"{len(folds)} folds", ", ".join(f"{value:.4g}" for value in folds) or "no memory at rest"),
        (
            f"{overall.outcome_accuracy:.0%}",
            f"of held-out outcomes are told by the derived rule; no change: {overall.no_change:.0%}",
        ),
        (
            f"{chain.recording.network.size} neurons",
            f"learn with it for {chain.recording.duration / 1e3:g} s",
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
            sections.protocols(chain.ltp, chain.ltd, chain.diagram),
            sections.bistability(chain.diagram),
            sections.rule(chain),
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
