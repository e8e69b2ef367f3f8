"""The sections of `analysis.speed`, one file each: `SECTIONS` names them, `run(quick)` measures.

A section is a module with a function `run(quick: bool) -> list[Row]`.
"""

from __future__ import annotations

SECTIONS = ("engine", "sensitivities", "continuation", "network", "fitting")
