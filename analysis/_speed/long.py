"""900 spikes at 1 Hz of the models with more than a hundred states: minutes, nearly all of them the peers'.

BIOMODELS names the folder with Li 2012; with --quick only the first of the models runs.
"""

from __future__ import annotations

from analysis._speed import Row
from analysis._speed.cases import subjects
from analysis._speed.engine import LONGEST, against_peers, is_large


def run(quick: bool) -> list[Row]:
    chosen = [subject for subject in subjects(False) if is_large(subject)]
    return [row for subject in chosen[: 1 if quick else None] for row in against_peers(subject, LONGEST, 1)]
