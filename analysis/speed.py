"""How fast: every performance figure of the package, with its bar.

`python -m analysis speed [--only SECTION] [--quick]`, where the sections are engine, long, sensitivities,
members, continuation, network, peers, fitting and spine.

Ratios are taken side by side in one process, on one thread, as medians of CPU time.  A section whose
peers are not installed leaves their rows out.  Each section has its page and plot, docs/speed_SECTION.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import platform
from pathlib import Path
from typing import Any

from analysis._speed import SECTIONS

DOCS = Path(__file__).parent.parent / "docs"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m analysis speed")
    parser.add_argument("--only", choices=SECTIONS)
    parser.add_argument(
        "--quick", action="store_true", help="fewer cases and repetitions; the docs are not written"
    )
    parser.add_argument("--json", type=Path, help="also write the rows there")
    chosen = parser.parse_args(arguments)
    tables = {}
    wanted = [chosen.only] if chosen.only else SECTIONS
    if chosen.only == "network":  # and what others need for the same networks
        wanted = ["network", "peers"]
    for name in wanted:
        if importlib.util.find_spec(f"analysis._speed.{name}") is None:
            continue
        print(f"\n{name}")
        tables[name] = importlib.import_module(f"analysis._speed.{name}").run(chosen.quick)
        for row in tables[name]:
            print("  " + _line(row), flush=True)
    if chosen.json:
        chosen.json.write_text(
            json.dumps({name: [_record(row) for row in rows] for name, rows in tables.items()})
        )
    if not chosen.quick:
        for name, rows in tables.items():
            if rows:  # without the peers there is nothing to say about them
                _write(name, rows)
    return 0


def _line(row: Any) -> str:
    verdict = {None: "", True: "holds", False: "MISSED"}[row.holds]
    return f"{row.name:<68} {row.value:>10.3g} {row.unit:<12} {_bar(row):<8} {verdict}"


def _bar(row: Any) -> str:
    return "" if row.bar is None else f"{'<=' if row.is_less else '>='} {row.bar:g}"


def _record(row: Any) -> dict[str, Any]:
    holds = None if row.holds is None else bool(row.holds)
    return {**row._asdict(), "value": float(row.value), "holds": holds}


def _interpreter() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def _write(name: str, rows: list[Any]) -> None:
    """One page per section, so that they can be measured at different times."""
    DOCS.mkdir(exist_ok=True)
    date = datetime.date.today().isoformat()
    how = getattr(importlib.import_module(f"analysis._speed.{name}"), "HOW", "side by side in one process")
    lines = [
        f"# Speed: {name}", "",
        f"Measured {date} on {_processor()}, {_interpreter()}, by",
        f"`python -m analysis speed --only {name}`. CPU time, one thread unless said, medians,",
        f"{how}.",
        "", "| what | measured | bar | |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        verdict = {None: "", True: "holds", False: "**missed**"}[row.holds]
        lines.append(f"| {row.name} | {row.value:.3g} {row.unit} | {_bar(row)} | {verdict} |")
    barred = [row for row in rows if row.bar is not None and row.value > 0]
    if barred:
        _draw(name, barred)
        lines += ["", f"![measured against its bar](speed_{name}.png)"]
    (DOCS / f"speed_{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _draw(name: str, rows: list[Any]) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9.0, 0.8 + 0.24 * len(rows)), layout="constrained")
    better = [row.bar / row.value if row.is_less else row.value / row.bar for row in rows]
    axes.barh(range(len(rows)), better, color=["C0" if row.holds else "C3" for row in rows])
    axes.axvline(1.0, color="0.2", linewidth=1.0)
    axes.set_yticks(range(len(rows)), [row.name.partition(" (")[0] for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("times better than its bar")
    figure.savefig(DOCS / f"speed_{name}.png", dpi=120)
    plt.close(figure)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
