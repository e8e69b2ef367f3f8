"""The main job: the whole chain for a model, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascades.commands.options import FORCE, JSON, MODEL, SEED
from cascades.commands.output import check_free, output_folder, print_json, print_table, to_json
from cascades.commands.progress import show_steps

if TYPE_CHECKING:
    from cascades.report.chain import Chain

DEFAULT_MODEL = "spine_cascades"


def run(
    model: MODEL = DEFAULT_MODEL,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for report.html, rule.json, numbers.json.")
    ] = Path("out"),
    seed: SEED = 0,
    calcium: Annotated[str | None, typer.Option(help="The calcium of the model, if no port says it.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="The read-out that remembers, if no port says it.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer protocols and levels of the rule.")] = False,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Do the whole chain: protocols, bistability, rule, network; writes report.html."""
    from cascades import load_model, model_names
    from cascades.card import model_card

    loaded = load_model(model)
    check_free(out, force)
    card = model_card(model) if model in model_names() else None
    with show_steps() as step, output_folder(out, force) as folder:
        from cascades.report.chain import run_chain
        from cascades.report.html import render
        from cascades.report.numbers import numbers
        from cascades.report.page import page

        budget = "quick" if quick else "full"
        chain = run_chain(loaded, calcium=calcium, weight=weight, seed=seed, budget=budget, step=step)
        with step("write the report"):
            (folder / "report.html").write_text(render(page(chain, card, step.seconds)), encoding="utf-8")
        (folder / "rule.json").write_text(chain.ladder.rule.to_json(), encoding="utf-8")
        record = numbers(chain, step.seconds)
        (folder / "numbers.json").write_text(to_json(record), encoding="utf-8")
    if json:
        print_json(record)
    else:
        _print(chain, out)


def _print(chain: Chain, out: Path) -> None:
    from cascades.report.sections import verdict

    overall = chain.ladder.chosen.certificate.overall
    rows = [[e.title, e.protocol.name, verdict(e, chain.diagram)] for e in (chain.ltp, chain.ltd)]
    folds = sorted(point.value for point in chain.diagram.folds)
    rows += [
        [
            "equilibria at rest",
            f"{chain.spine.calcium} = {chain.diagram.rest:g}",
            str(len(chain.diagram.states)),
        ],
        ["folds", chain.spine.calcium, ", ".join(f"{value:.6g}" for value in folds)],
        ["chosen rule", chain.ladder.chosen.name, f"{chain.ladder.chosen.fitted} fitted numbers"],
        [
            "held out",
            f"{overall.cases} runs",
            f"outcome {overall.outcome_accuracy:.3f}, no change {overall.no_change:.3f}",
        ],
    ]
    rows += [["network", f"rate of {name}", f"{rate:.3g} Hz"] for name, rate in chain.recording.rates.items()]
    print_table(["", "", "result"], rows)
    print()
    print(chain.ladder)
    print(f"\nwritten: {out}/report.html, {out}/rule.json, {out}/numbers.json")
