"""A calcium rule derived from spine biochemistry, and where it is right.

Claim: from the equations alone follow a few-equation reduction and calcium rules that say what the
full model does in the experiments of the field, with the errors printed here.  Numbers are fitted to
random trains; levels are chosen on one set of protocols (validation) and judged on another, with other
families' numbers and other seeds, that no choice has seen (held out).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cascades
from cascades.reduction import RuleLadder, derive_rule
from cascades.reduction.figures import ladder_figure, protocol_map_figure
from cascades.reduction.protocol_map import HOLDS, protocol_maps

# model, calcium, weight
MODELS = {
    "camkii_graupner_2007": ("Ca", "S"),
    "spine_graupner_2007": ("Ca", "S"),
    "spine_cascades": ("Ca", "efficacy"),
    "switch_pi_2008": ("Ca", "A"),
    "camkii_rodrigues_2023": ("Ca", "CaMKII"),
}
# (least R2, least outcome accuracy, least number of times cheaper) on held-out protocols
TARGETS = {
    "slow manifold": (0.97, 0.96, 8.0),
    "one variable": (0.78, 0.93, 1.0),
    "two variables": (0.85, 0.94, 1.0),
}
TARGET_MODEL = "camkii_graupner_2007"
PAGE = "rule_from_cascade.md"


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.models:
        calcium, weight = MODELS[name]
        ladder = derive(name, calcium, weight, "quick" if options.quick else "full", options.seed)
        print(f"{name}: {weight} driven by {calcium}  ({ladder.details['seconds']:.0f} s)\n{ladder}\n")
        if name == TARGET_MODEL and not options.quick:
            print("\n".join(verdicts(ladder)) + "\n")
        if options.families:
            for level in ladder:
                print(f"{level.name}\n{level.certificate}\n")
        figure = options.out / f"rule_from_cascade_{name}.png"
        ladder_figure(ladder, title=name).savefig(figure, dpi=110)
        maps = protocol_maps(ladder.details["derivation"], ladder.rule)
        print(f"map of protocols, {ladder.rule.name}:\n" + "\n".join(f"  {one}" for one in maps))
        title = f"{name}: {ladder.rule.name}"
        protocol_map_figure(maps, title=title).savefig(options.out / f"error_map_{name}.png", dpi=110)
        summary = {"rule": ladder.rule.name, "maps": [str(one) for one in maps]}
        (options.out / f"error_map_{name}.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
        (options.out / f"rule_{name}.json").write_text(ladder.rule.to_json(), encoding="utf-8")
        (options.out / f"ladder_{name}.json").write_text(ladder.to_json(), encoding="utf-8")
        print(f"figure: {figure}\n")
    print(f"certificates: {write_page(options.out)}")


def derive(name: str, calcium: str, weight: str, budget: str, seed: int) -> RuleLadder:
    compiled = cascades.compile_model(cascades.load_model(name))
    ladder: RuleLadder = derive_rule(compiled, calcium=calcium, weight=weight, budget=budget, seed=seed)
    return ladder


def verdicts(ladder: RuleLadder) -> list[str]:
    """Target, value and verdict of the best level (on the validation set) of each kind."""
    one = [x for x in ladder if x.fitted and not x.name.startswith("two")]
    kinds = {
        "slow manifold": [x for x in ladder if x.name == "slow manifold, 3 equations"],
        "one variable": one,
        "two variables": [x for x in ladder if x.name.startswith("two")],
    }
    lines = [f"{'target':<16}{'level':<40}{'R2':>14}{'outcome':>16}{'cheaper':>14}"]
    for kind, levels in kinds.items():
        if not levels:
            lines.append(f"{kind:<16}no such level: missed")
            continue
        level = max(levels, key=lambda x: x.certificate.validation.outcome_accuracy)
        overall = level.certificate.overall
        values = (overall.r2 or 0.0, overall.outcome_accuracy, ladder.full_cost / level.cost)
        pairs = "".join(
            f"{value:>8.3f} ({least:g})" for value, least in zip(values, TARGETS[kind], strict=True)
        )
        met = all(value >= least for value, least in zip(values, TARGETS[kind], strict=True))
        lines.append(f"{kind:<16}{level.name:<40}{pairs}  {'met' if met else 'missed'}")
    return lines


def write_page(folder: Path) -> Path:
    """A page of the certificates of every ladder in `folder`, whichever run wrote it."""
    lines = [
        "# Certificates of derived rules",
        "",
        "Written by `python -m analysis rule_from_cascade`. R2, rmse and the worst error are of the efficacy",
        "when a held-out protocol ends; outcome is the share of synapses on the right side of the separatrix",
        "after the rest. No change and majority are the rules that need no calcium. The chosen level was",
        "chosen by the validation protocols. The quick budget has a quarter of the protocols and two levels.",
        "",
    ]
    for path in sorted(folder.glob("ladder_*.json")):
        whole = json.loads(path.read_text(encoding="utf-8"))
        model = path.stem.removeprefix("ladder_")
        first = whole["levels"][0]["certificate"]["families"]["all held out"]
        lines += [
            f"## {model}",
            "",
            f"{first['cases']} held-out runs; no change {first['no_change']:.3f}, majority"
            f" {first['majority']:.3f}; full model {1e3 * whole['full_cost']:.2f} ms per run;"
            f" {_budget(whole)} budget; chosen: {whole['chosen']}.",
            "",
            "| level | fitted | R2 | rmse | worst | outcome | R2 validation | times cheaper | converged |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for level in whole["levels"]:
            scores = level["certificate"]["families"]
            held, seen = scores["all held out"], scores["validation"]
            r2, r2_seen = ("-" if s["r2"] is None else f"{s['r2']:.3f}" for s in (held, seen))
            converged = {True: "yes", False: "no", None: "-"}[level["certificate"]["converged"]]
            lines.append(
                f"| {level['name']} | {level['fitted']} | {r2} | {held['rmse']:.3f} | {held['worst']:.2f} |"
                f" {held['outcome_accuracy']:.3f} | {r2_seen} | {whole['full_cost'] / level['cost']:.1f} |"
                f" {converged} |"
            )
        lines.append("")
        lines += [f"- {name}: {_text(value)}" for name, value in whole["thresholds"].items()]
        lines += [f"- {note}" for note in whole["notes"]]
        lines.append("")
        figure = f"rule_from_cascade_{model}.png"
        if (folder / figure).exists():
            lines += [f"![Rates, well, accuracy and error map of {model}]({figure})", ""]
        lines += _map_lines(folder, model)
    page = folder / PAGE
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def _map_lines(folder: Path, model: str) -> list[str]:
    """The error map of a model, if a run has drawn it."""
    path = folder / f"error_map_{model}.json"
    if not path.exists():
        return []
    whole = json.loads(path.read_text(encoding="utf-8"))
    head = f"Map of protocols, {whole['rule']} (it holds where both errors are within {HOLDS:g} and both"
    lines = [f"{head} outcomes are right):", "", *(f"- {one}" for one in whole["maps"]), ""]
    return [*lines, f"![Full model, rule and error over protocols of {model}](error_map_{model}.png)", ""]


def _budget(whole: dict[str, Any]) -> str:
    rules = [level["rule"] for level in whole["levels"] if level["rule"]]
    return str(rules[0]["provenance"]["budget"])


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(v) for v in value) or "none"
    return f"{value:.4g} uM" if isinstance(value, float) else str(value)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis rule_from_cascade", description=__doc__)
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)} (default: {TARGET_MODEL})"
    )
    parser.add_argument("--quick", action="store_true", help="fewer protocols and levels")
    parser.add_argument("--families", action="store_true", help="print every certificate, family by family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.models if name not in MODELS]
    if unknown:
        parser.error(f"no study of {', '.join(unknown)}; known: {', '.join(MODELS)}")
    options.models = options.models or [TARGET_MODEL]
    return options
