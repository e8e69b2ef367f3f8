"""Tag, capture and consolidation in nine numbers.

Claim: the late phases of Smolen et al. (2006), with 29 states, of Luboeinski & Tetzlaff (2021) and of the
composed spine reduce, without a line that knows their molecules, to a tag and a late weight per synapse and
a signal and a protein pool per neuron.  On courses of hours that the numbers were not fitted to, among them
blocks of protein synthesis, the error is less than a third of that of saying that nothing changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cascades
from cascades.plot import COLOURS, new_figure
from cascades.protocols import Protocol, Setting
from cascades.reduction import LatePhase, derive_late_phase

BETTER = 3.0  # times the rmse of no change


@dataclass(frozen=True)
class Subject:
    """A model, its strong episode, and what its parts are called."""

    model: str
    episode: Protocol
    names: Mapping[str, str]


def _held(name: str, duration: float, **values: tuple[float, float]) -> Protocol:
    """Inputs held at a value, each for its own time [s]."""
    stimuli = tuple(
        setting
        for target, (value, stop) in values.items()
        for setting in (Setting(target, 0.0, value), Setting(target, stop, None))
    )
    return Protocol(name, stimuli, duration)


SUBJECTS = (
    Subject(  # the tetanus of ModelDB 149175
        "ltp_smolen_2006",
        _held(
            "tetanus",
            60.0,
            Ca=(1.0, 3.0),
            Ca_nucleus=(0.5, 3.0),
            cAMP=(0.15, 60.0),
            Raf_stimulus=(0.0025, 60.0),
        ),
        {"tag": "TAG", "protein": "G", "weight": "W", "synthesis": "synthesis"},
    ),
    Subject(
        "rule_luboeinski_2021",
        _held("saturating induction", 10.0, calcium_drive=(100.0, 10.0)),
        {"tag": "tagged_up", "protein": "p", "weight": "z", "synthesis": "protein_synthesis"},
    ),
    Subject(
        "spine_cascades",
        cascades.hfs(trains=1),
        {"tag": "tag", "protein": "G", "weight": "late", "synthesis": "protein_synthesis"},
    ),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m analysis late_phase", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the first model only")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    found: list[LatePhase] = []
    missed = 0
    for subject in SUBJECTS[:1] if options.quick else SUBJECTS:
        compiled = cascades.compile_model(cascades.load_model(subject.model))
        late = derive_late_phase(compiled, subject.episode, **subject.names)
        certificate = late.certificate
        if certificate is None:
            raise RuntimeError("a derived late phase carries its certificate")
        better = certificate.no_change / certificate.rmse
        missed += better < BETTER
        print(f"{subject.model}, {len(compiled.state_names)} states\n{late}")
        print(f"{better:.1f} times better than no change; target {BETTER:g}:"
              f" {'holds' if better >= BETTER else 'MISSED'}\n")  # fmt: skip
        (options.out / f"late_phase_{subject.model}.json").write_text(late.to_json(), encoding="utf-8")
        found.append(late)
    path = options.out / "late_phase.png"
    _figure(found).savefig(path, dpi=150)
    print(f"figure: {path}")
    return int(missed > 0)


def _figure(found: list[LatePhase]) -> Any:
    figure, axes = new_figure(1, len(found), width=4.0 * len(found), height=3.8, squeeze=False)
    for place, late in zip(axes[0], found, strict=True):
        rows = late.certificate.rows if late.certificate else ()
        for colour, (course, times, full, said) in zip(_cycle(len(rows)), rows, strict=True):
            place.plot(times / 3600.0, full, "o", color=colour, ms=3)
            place.plot(times / 3600.0, said, color=colour, lw=1.2, label=course)
        place.set(xlabel="time [h]", ylabel="late change of the weight", title=late.provenance["model"])
        place.title.set_fontsize(9)
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=6.5)
    figure.suptitle("points: full model, lines: reduced; none of these courses was fitted", fontsize=9)
    return figure


def _cycle(count: int) -> list[Any]:
    import matplotlib

    base = [matplotlib.colors.to_rgb(c) for c in COLOURS]
    return [
        tuple(np.clip(np.array(base[i % len(base)]) + 0.25 * (i // len(base)), 0, 1)) for i in range(count)
    ]
