"""A calcium rule derived from spine biochemistry, and where it is right.

Claim: the one-variable threshold rule that fits random trains also says what the full model does in
the experiments of the field, with the errors printed here; thresholds read off the bifurcation
diagram do not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cascades
from cascades.reduction import RuleLadder, derive_rule
from cascades.reduction.figures import ladder_figure

# model, calcium, weight
MODELS = {
    "camkii_graupner_2007": ("Ca", "S"),
    "spine_graupner_2007": ("Ca", "S"),
    "switch_pi_2008": ("Ca", "A"),
    "camkii_rodrigues_2023": ("Ca", "CaMKII"),
}


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    known = cascades.model_names()
    for name in options.models:
        if name not in known:
            print(f"{name} is not among the models; left out\n")
            continue
        calcium, weight = MODELS[name]
        ladder = derive(name, calcium, weight, "quick" if options.quick else "full", options.seed)
        print(f"{name}: {weight} driven by {calcium}  ({ladder.details['seconds']:.0f} s)\n{ladder}\n")
        if options.families:
            for level in ladder:
                print(f"{level.name}\n{level.certificate}\n")
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"rule_from_cascade_{name}.png"
        ladder_figure(ladder, title=name).savefig(path, dpi=150)
        rule = options.out / f"rule_{name}.json"
        rule.write_text(ladder.rule.to_json(), encoding="utf-8")
        print(f"figure: {path}\nrule: {rule}\n")


def derive(name: str, calcium: str, weight: str, budget: str, seed: int) -> RuleLadder:
    compiled = cascades.compile_model(cascades.load_model(name))
    ladder: RuleLadder = derive_rule(compiled, calcium=calcium, weight=weight, budget=budget, seed=seed)
    return ladder


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis rule_from_cascade", description=__doc__)
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)} (default: the first two)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer protocols and levels")
    parser.add_argument("--families", action="store_true", help="print every certificate, family by family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.models if name not in MODELS]
    if unknown:
        parser.error(f"no study of {', '.join(unknown)}; known: {', '.join(MODELS)}")
    options.models = options.models or list(MODELS)[:2]
    return options
