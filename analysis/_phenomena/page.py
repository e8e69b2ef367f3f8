"""The page of the documentation: the table with its misses, and what was tuned against what."""

from __future__ import annotations

from collections.abc import Sequence

from analysis._phenomena.rows import Row
from cascades.card import model_card


def page(model: str, rows: Sequence[Row]) -> str:
    """Markdown, written by `python -m analysis phenomena --docs docs`."""
    judged = [row for row in rows if row.holds is not None]
    counts = [
        f"{used}: {sum(bool(r.holds) for r in mine)} of {len(mine)} hold"
        for used in ("tuned", "held out")
        if (mine := [r for r in judged if r.used == used])
    ]
    lines = [
        "# What the composed spine shows",
        "",
        f"`{model}` and the textbooks of synapses; written by `python -m analysis phenomena --docs docs`.",
        f"{'; '.join(counts)}. A held-out row was not used to set constants, but had been seen before.",
        "",
        "![time courses, frequency response, spike timing, sliding threshold, size](figures/phenomena.png)",
        "",
        "| phenomenon | target | value | verdict | constants | why, or where from |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {r.name} | {r.target} | {r.value} | {_bold(r)} | {r.used} | {r.note} |"
            for r in rows
        ),
        "",
        "## What was tuned",
        "",
        "| constant | against |",
        "| --- | --- |",
        *(
            f"| `{name}` | {entry.source} |"
            for name, entry in model_card(model).parameters.items()
            if entry.status == "tuned"
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _bold(row: Row) -> str:
    return "**miss**" if row.holds is False else row.verdict
