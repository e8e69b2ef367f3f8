"""Thresholds that slide with slow molecules: derived from the biochemistry, not postulated.

Claim: as the total of PP1, of CaMKII or the activity of PKA changes, the thresholds and rates of the
derived rule move with it, and the sliding rule is closer to the full model than the fixed one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import cascades
from cascades.reduction import derive_rule
from cascades.reduction.figures import sliding_figure
from cascades.reduction.sliding import SlidingRule

MODEL, CALCIUM, WEIGHT = "camkii_graupner_2007", "Ca", "S"
# parameter of the model: factors by which it is changed
SLOW = {
    "PP10": (0.8, 0.9, 1.1, 1.2),
    "b0i": (0.85, 1.15),
    "kpka": (0.7, 1.4),
}
GAIN = 0.05  # in held-out R2 and outcome accuracy, where slow variables are moved
QUICK = {"PP10": (0.9, 1.1)}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m analysis sliding_threshold", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one slow variable, three values, few protocols")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    compiled = cascades.compile_model(cascades.load_model(MODEL))
    factors = QUICK if options.quick else SLOW
    along = {name: [f * compiled.default_values[name] for f in scale] for name, scale in factors.items()}
    sliding = derive_rule(
        compiled,
        calcium=CALCIUM,
        weight=WEIGHT,
        along=along,
        seed=options.seed,
        budget="quick" if options.quick else "full",
    )
    print(f"{MODEL}: {WEIGHT} driven by {CALCIUM}; * is where the model stands\n{sliding}")
    print("\n".join(verdicts(sliding)))
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "sliding_threshold.png"
    sliding_figure(sliding).savefig(path, dpi=150)
    print(f"figure: {path}")


def verdicts(sliding: SlidingRule) -> list[str]:
    """Target, value and verdict for both rules."""
    lines = [f"{'target':<58}{'value':>10}  verdict"]
    checks = sliding.moved_checks
    for kind, pairs in (
        ("graded rule", [(c.sliding, c.fixed) for c in checks]),
        ("step rule", [(c.step_sliding, c.step_fixed) for c in checks]),
    ):
        r2 = float(np.median([(s.r2 or 0.0) - (f.r2 or 0.0) for s, f in pairs]))
        outcome = float(np.mean([s.outcome_accuracy - f.outcome_accuracy for s, f in pairs]))
        for what, value in (("R2", r2), ("outcome", outcome)):
            verdict = "met" if value > GAIN else "missed"
            lines.append(
                f"{f'{kind}: sliding raises held-out {what} by {GAIN:g}':<58}{value:>10.3f}  {verdict}"
            )
    return lines
