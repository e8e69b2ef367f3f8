"""What the composed spine shows of what textbooks say synapses do, misses included.

Claim: one set of constants, set against a part of these numbers, gives early and late LTP, LTD, the
frequency response, spike timing, the effects of drugs, tones and microRNAs, competition for slots, and a
threshold that slides with activity.  Targets, values and verdicts are printed; a miss stays a miss.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis._phenomena.figure import draw
from analysis._phenomena.page import page
from analysis._phenomena.rows import Row, claim_rows, dendrite_row, timing_rows
from cascades import compile_model, load_model

MODEL = "spine_cascades"
DELAYS = np.array([-80, -60, -40, -30, -20, -15, -10, -5, 5, 10, 15, 20, 30, 40, 60, 80]) * 1e-3


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    compiled = compile_model(load_model(MODEL))
    delays = DELAYS[::2] if options.quick else DELAYS
    rows = claim_rows(MODEL, options.only)
    if not options.only:
        rows += [dendrite_row(MODEL), *timing_rows(compiled, delays)]
    print_rows(rows)
    figures = options.docs / "figures" if options.docs else options.out
    if not options.no_figure:
        figures.mkdir(parents=True, exist_ok=True)
        draw(compiled, figures / "phenomena.png", delays, quick=options.quick)
        print(f"figure: {figures / 'phenomena.png'}")
    if options.docs:
        (options.docs / "phenomena.md").write_text(page(MODEL, rows), encoding="utf-8")
        print(f"page: {options.docs / 'phenomena.md'}")
    return 0


def print_rows(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("phenomenon", "target", "value", "verdict", "constants", "why, or where from", title=MODEL)
    colours = {"holds": "green", "miss": "red", "reported": "blue"}
    for row in rows:
        verdict = f"[{colours[row.verdict]}]{row.verdict}[/]"
        table.add_row(row.name, row.target, row.value, verdict, row.used, row.note)
    Console(width=180).print(table)
    for used in ("tuned", "held out"):
        judged = [row for row in rows if row.used == used and row.holds is not None]
        print(f"{used}: {sum(bool(row.holds) for row in judged)} of {len(judged)} hold")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis phenomena", description=__doc__)
    parser.add_argument("--only", default="", help="only phenomena whose name contains this")
    parser.add_argument("--quick", action="store_true", help="fewer points in the figure")
    parser.add_argument("--no-figure", action="store_true", help="print the table only")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--docs", type=Path, help="write the page and its figure into this folder")
    return parser.parse_args(arguments)
