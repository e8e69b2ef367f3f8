"""The SBML semantic test suite: its cases, its rule for agreement, and the table of what is supported.

`python -m tests.sbml_suite docs/sbml_support.md` writes the table from a run over the folder that
SBML_TEST_SUITE names.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cascades.compiler.compiled import compile_model
from cascades.errors import UnsupportedFeature
from cascades.library import load_model
from cascades.simulate import simulate

LEVELS = ("l3v2", "l3v1", "l2v5", "l2v4", "l2v3", "l2v2", "l2v1", "l1v2")
RTOL = 1e-8
RENAMED = {"time": "time_"}  # by the reader


@dataclass(frozen=True)
class Case:
    """One folder of the suite: a model, the settings of a run, the expected table."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def file(self) -> Path:
        """The newest Level and Version of the model."""
        files = (self.folder / f"{self.id}-sbml-{level}.xml" for level in LEVELS)
        return next(file for file in files if file.is_file())

    @cached_property
    def settings(self) -> dict[str, str]:
        return _entries(self.folder / f"{self.id}-settings.txt")

    @cached_property
    def facts(self) -> dict[str, str]:
        return _entries(self.folder / f"{self.id}-model.m")

    @property
    def tags(self) -> tuple[str, ...]:
        named = _split(self.facts.get("componentTags", "")) + _split(self.facts.get("testTags", ""))
        return tuple(dict.fromkeys(named))

    @property
    def is_core_time_course(self) -> bool:
        return (
            self.facts.get("testType", "").lower() == "timecourse"
            and not self.facts.get("packagesPresent")
            and not any(":" in tag for tag in self.tags)
        )

    @property
    def variables(self) -> list[str]:
        return _split(self.settings["variables"])

    def expected(self) -> np.ndarray:
        """The reference values, shape (times, variables)."""
        with (self.folder / f"{self.id}-results.csv").open(encoding="utf-8-sig") as file:
            rows = [[x for x in row if x.strip()] for row in csv.reader(file)]
        table = np.array([[float(x) for x in row] for row in rows[1:] if row])
        return table[:, 1 : len(self.variables) + 1]

    def computed(self) -> np.ndarray:
        """The same table by `cascades.simulate`.  Raises UnsupportedFeature."""
        compiled = compile_model(load_model(self.file))
        start, duration = float(self.settings["start"]), float(self.settings["duration"])
        times = np.linspace(start, start + duration, int(self.settings["steps"]) + 1)
        trajectory = simulate(compiled, times, rtol=RTOL)
        equations = compiled.equations
        courses = {*equations.state_names, *equations.observables}
        columns = []
        for name in map(self._quantity(courses | set(equations.parameter_names)), self.variables):
            constant = compiled.default_values.get(name, np.nan)
            columns.append(trajectory[name][0] if name in courses else np.full(times.size, constant))
        return np.column_stack(columns)

    def _quantity(self, known: set[str]):  # type: ignore[no-untyped-def]
        """A variable's name as amount or concentration, whichever the settings ask for."""
        asked = {name: kind for kind in ("amount", "concentration") for name in _split(self.settings[kind])}

        def name_of(variable: str) -> str:
            other = f"{variable}_{asked.get(variable)}"
            return other if other in known else RENAMED.get(variable, variable)

        return name_of

    def worst(self, computed: np.ndarray) -> float:
        """The largest error in units of the suite's tolerance; agreement is <= 1."""
        expected = self.expected()
        allowed = float(self.settings["absolute"]) + float(self.settings["relative"]) * np.abs(expected)
        with np.errstate(invalid="ignore"):
            error = np.abs(computed - expected) / allowed
        same = (computed == expected) | (np.isnan(computed) & np.isnan(expected))
        return float(np.where(same, 0.0, np.where(np.isnan(error), np.inf, error)).max(initial=0.0))


def core_cases(folder: Path) -> list[Case]:
    """The time courses of SBML core below a folder (`cases` or `cases/semantic` of the suite)."""
    inside = folder / "semantic" if (folder / "semantic").is_dir() else folder
    cases = [Case(one) for one in sorted(inside.iterdir()) if re.fullmatch(r"\d{5}", one.name)]
    return [case for case in cases if case.is_core_time_course]


def _entries(file: Path) -> dict[str, str]:
    text = file.read_text(encoding="utf-8", errors="replace")
    return dict(re.findall(r"^[ \t]*(\w+):[ \t]*(.*?)[ \t]*$", text, re.M))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# --- the table ----------------------------------------------------------------------------------


def outcome(case: Case) -> tuple[str, str]:
    """("passes" | "refused" | "differs", the reason)."""
    try:
        worst = case.worst(case.computed())
    except UnsupportedFeature as refusal:
        more = len(refusal.problems) - 2
        return "refused", "; ".join(refusal.problems[:2]) + (
            f"; and {more} more like these" if more > 0 else ""
        )
    return ("passes", "") if worst <= 1.0 else ("differs", f"{worst:.3g} times the tolerance")


def table(cases: list[Case]) -> str:
    """The page of the documentation."""
    outcomes = {case.id: outcome(case) for case in cases}
    total = Counter(kind for kind, _ in outcomes.values())
    by_tag: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        for tag in case.tags:
            by_tag[tag][outcomes[case.id][0]] += 1
    lines = [
        "# SBML support",
        "",
        "Level 3 Version 1 and 2 core is read in full, Level 1 and 2 through libsbml's converter.  What is",
        "refused is refused by name, all of it at once, before anything runs.  This page is written by",
        "`python -m tests.sbml_suite docs/sbml_support.md` from a run over the SBML semantic test suite.",
        "",
        f"Of {len(cases)} time courses of SBML core {total['passes']} pass"
        f" ({100.0 * total['passes'] / len(cases):.1f} %), {total['refused']} are refused by name,"
        f" {total['differs']} differ.",
        "",
        "| tag | cases | pass | refused | differ |",
        "|---|---:|---:|---:|---:|",
    ]
    for tag, count in sorted(by_tag.items()):
        numbers = " | ".join(str(count[kind]) for kind in ("passes", "refused", "differs"))
        lines.append(f"| {tag} | {sum(count.values())} | {numbers} |")
    lines += ["", "## Not passed", "", "| case | why |", "|---|---|"]
    lines += [f"| {id} | {kind}: {why} |" for id, (kind, why) in outcomes.items() if kind != "passes"]
    lines += ["", *_LIMITS]
    return "\n".join(lines) + "\n"


_LIMITS = """\
## Limits

- `delay(x, tau)` is exact where `x` does not depend on what it delays: the equations that `x` follows
  are run a second time, started `tau` later, with the jumps that events made.  A delay that feeds back
  on itself is refused, and so is one that varies of a quantity that an event sets.  A model with delays
  takes no stimuli.
- A fast reaction is always at equilibrium, also between events of the same time.  Its rate law (with
  those of reactions that go back or close a cycle) must be linear in one of its species with a constant
  slope, or be the difference of a forward and a backward term of mass action; or the reaction runs one
  way at a time until a single species is used up, while what drives it is on.  Events may set its
  species; a value computed when the event fires is refused where others may come in between.  Two
  reactants that could be used up are refused, and so are spikes into a species that goes both ways.
- A rule that is linear in its variable is solved for it; other algebraic rules are solved together
  with the differential equations (index 1).
- Simultaneous events of equal priority go in random order, the same in every run.
- An element with the id `time` is called `time_` here.
- The packages comp, fbc, qual, multi, distrib, arrays, spatial and dyn are refused where the model
  needs them.
- A file may nest 400 elements deep and declare neither entities nor a document type.""".splitlines()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(core_cases(Path(os.environ["SBML_TEST_SUITE"]))), encoding="utf-8")
