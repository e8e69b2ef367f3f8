"""Derive the calcium rule of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cascades.commands.options import FORCE, JSON, MODEL, OUT, SEED
from cascades.commands.output import check_free, output_folder
from cascades.commands.progress import show_steps
from cascades.model import Model


def rule(
    model: MODEL,
    calcium: Annotated[str | None, typer.Option(help="The calcium of the model, if no port says it.")] = None,
    weight: Annotated[
        str | None, typer.Option(help="The read-out that remembers, if no port says it.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Error of the efficacy that the chosen level may have.")
    ] = None,
    along: Annotated[
        tuple[str, float, float] | None,
        typer.Option(metavar="NAME LOW HIGH", help="The rule as a function of this slow variable."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer protocols and levels.")] = False,
    seed: SEED = 0,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Derive a ladder of calcium rules with certificates; --out gets rule.json, ladder.json,
    rule.png, and error_map.png: where in the space of protocols the rule holds.

    With --along the rule slides from LOW to HIGH; --out then gets rule.json (where the model stands),
    sliding.txt and sliding.png.
    """
    import cascades
    from cascades.report.readouts import readouts

    if out is not None:
        check_free(out, force)
    loaded = cascades.load_model(model)
    read = readouts(loaded, calcium, weight)
    if along is not None:
        _slide(loaded, read, along, quick, seed, out, force)
        return
    with show_steps() as step, step(f"derive the rule of {loaded.id}") as report:
        ladder = cascades.derive_rule(
            cascades.compile_model(loaded), calcium=read[0], weight=read[1], tolerance=tolerance, seed=seed,
            budget="quick" if quick else "full", progress=lambda what, done: report(done),
        )  # fmt: skip
    if out is not None:
        from cascades.report.figures import protocol_map
        from cascades.report.figures import rule as draw

        with output_folder(out, force) as folder:
            (folder / "rule.json").write_text(ladder.rule.to_json(), encoding="utf-8")
            (folder / "ladder.json").write_text(ladder.to_json(), encoding="utf-8")
            draw(ladder).savefig(folder / "rule.png", dpi=150)
            protocol_map(ladder).savefig(folder / "error_map.png", dpi=150)
    if json:
        print(ladder.to_json())
        return
    print(ladder)
    for level in ladder:
        print(f"\n{level.name}\n{level.certificate}")


def _slide(
    loaded: Model,
    read: tuple[str, str],
    along: tuple[str, float, float],
    quick: bool,
    seed: int,
    out: Path | None,
    force: bool,
) -> None:
    import cascades
    from cascades.reduction.figures import sliding_figure

    name, low, high = along
    with show_steps() as step, step(f"derive the rule of {loaded.id} along {name}") as report:
        sliding = cascades.derive_rule(
            cascades.compile_model(loaded), calcium=read[0], weight=read[1], along={name: (low, high)},
            seed=seed, budget="quick" if quick else "full", progress=lambda what, done: report(done),
        )  # fmt: skip
    if out is not None:
        with output_folder(out, force) as folder:
            (folder / "rule.json").write_text(sliding.rule.to_json(), encoding="utf-8")
            (folder / "sliding.txt").write_text(f"{sliding}\n", encoding="utf-8")
            sliding_figure(sliding).savefig(folder / "sliding.png", dpi=150)
    print(sliding)
