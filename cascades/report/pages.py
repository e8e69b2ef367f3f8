"""Documentation pages, one per biological module, written from the models themselves.

`python -m cascades.report.pages docs` writes them all, and the figure of the README.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from cascades.card import ModelCard, model_card
from cascades.claims import ClaimResult
from cascades.compiler.compiled import CompiledModel, compile_model
from cascades.library import load_model, model_names
from cascades.model import Model
from cascades.report.claim_figure import main_claim
from cascades.report.describe import constants, reactions, rules, short_citation
from cascades.report.html import to_svg
from cascades.report.verdicts import verdicts

INTRODUCTIONS = {
    "NMDA": "Glutamate receptors: how they open, and how magnesium blocks them at rest.",
    "calcium": "What lets calcium into the spine, what buffers it, and what removes it.",
    "CaMKII": "The kinase that remembers, against the phosphatases that make it forget.",
    "AMPA": "Where the receptors are that make a synapse strong, and how they get there.",
    "CREB": "From minutes to days: transcription, synthesis, tags and capture.",
    "ERK": "The MAP kinase switch.",
    "miRNA": "Small RNAs that set how much of a protein there is.",
    "rule": "Reduced rules, as models, to compare with.",
    "spine": "Whole spines, composed of the parts above.",
}


def write_pages(folder: Path) -> list[Path]:
    """A page per module and a picture per model; returns the pages."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    cards = [model_card(name) for name in model_names()]
    pages = []
    for module in sorted({card.module for card in cards}, key=_order):
        own = [card for card in cards if card.module == module]
        parts = [
            f"# {module}\n",
            f"{INTRODUCTIONS.get(module, '')}\n",
            *(_model(card, folder) for card in own),
        ]
        path = folder / f"{module.lower()}.md"
        path.write_text("\n".join(parts), encoding="utf-8")
        pages.append(path)
    (folder / "index.md").write_text(_index(cards), encoding="utf-8")
    return pages


def _order(module: str) -> int:
    known = list(INTRODUCTIONS)
    return known.index(module) if module in known else len(known)


def _index(cards: Sequence[ModelCard]) -> str:
    rows = [
        [
            f"[{card.module}]({card.module.lower()}.md)",
            f"[{card.name}]({card.module.lower()}.md#{card.name})",
            card.title,
            _held(verdicts(card.name)),
            short_citation(card),
        ]
        for card in sorted(cards, key=lambda card: (_order(card.module), card.name))
    ]
    table = _table(["module", "model", "", "claims that hold", "source"], rows)
    return f"# The models\n\nThese pages are written from the models themselves (`make docs`).\n\n{table}\n"


def _held(results: Sequence[ClaimResult]) -> str:
    return f"{sum(r.holds for r in results)} of {len(results)}"


def _model(card: ModelCard, folder: Path) -> str:
    model = load_model(card.name)
    compiled = compile_model(model)
    results = verdicts(card.name)
    doi = f" [doi:{card.doi}](https://doi.org/{card.doi})" if card.doi else ""
    size = (
        f"{len(compiled.state_names)} states, {len(model.reactions)} reactions, "
        f"{len(compiled.parameter_names)} parameters."
    )
    parts = [
        f'<a id="{card.name}"></a>',
        f"## {card.title}",
        f"`{card.name}`. {card.citation}.{doi}",
        card.notes,
        size,
    ]
    figure = main_claim(card.name, results)
    if figure is not None:
        path = folder / "figures" / f"{card.name}.svg"
        path.write_text(to_svg(figure, salt=card.name, letters=True), encoding="utf-8")
        parts.append(f"![main claim of {card.name}](figures/{card.name}.svg)")
    parts += [_ports(model), _claims(results), _equations(model), _constants(compiled, card)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _ports(model: Model) -> str:
    rows = [[f"`{p.name}`", p.kind, p.unit or "", p.description] for p in model.ports]
    return _titled("Ports", _table(["port", "kind", "unit", ""], rows)) if rows else ""


def _claims(results: Sequence[ClaimResult]) -> str:
    rows = [
        [
            "yes" if r.holds else f"**no**: {r.reason}",
            r.name,
            _numbers(r.value),
            _numbers(r.expected),
            r.source,
        ]
        for r in results
    ]
    return _titled("Claims", _table(["holds", "claim", "model", "expected", "source"], rows)) if rows else ""


def _equations(model: Model) -> str:
    parts = []
    if model.reactions:
        rows = [[f"`{i}`", f"`{e}`", f"`{r}`"] for i, e, r in reactions(model)]
        parts.append(_folded("Reactions", _table(["reaction", "", "rate (amount per time)"], rows)))
    if model.rules:
        rows = [[f"`{left}`", f"`{right}`"] for left, right in rules(model)]
        parts.append(_folded("Rules", _table(["", "="], rows)))
    return "\n\n".join(parts)


def _constants(compiled: CompiledModel, card: ModelCard) -> str:
    rows = [[f"`{c.id}`", f"{c.value:.6g}", c.unit, c.status, c.source] for c in constants(compiled, card)]
    return _folded("Constants and their sources", _table(["", "value", "unit", "status", "source"], rows))


def _titled(title: str, body: str) -> str:
    return f"**{title}**\n\n{body}"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_escaped(c) for c in line) + " |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:6])
    return f"{shown}, ..." if len(values) > 6 else shown


def write_overview(path: Path) -> Path:
    """The figure of the README, from a run of the default chain."""
    from cascades.report.chain import run_chain
    from cascades.report.figures import overview

    path.parent.mkdir(parents=True, exist_ok=True)
    overview(run_chain(load_model("spine_graupner_2007"))).savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    for written in (*write_pages(docs / "models"), write_overview(docs / "figures" / "chain.png")):
        sys.stdout.write(f"{written}\n")
