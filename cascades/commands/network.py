"""A network of spiking neurons that learns with a calcium rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cascades.commands.options import FORCE, JSON, OUT, SEED
from cascades.commands.output import check_free, output_folder, print_json, print_table
from cascades.commands.progress import Steps, show_steps
from cascades.errors import NetworkError, UnknownName

if TYPE_CHECKING:
    from cascades import CalciumRule

_ENGINES = ("here", "nest")
_RULE = typer.Argument(help="A rule.json, a published parameter set, or a model to derive the rule from.")
_CHECKPOINT = "The state is saved here now and then; the same command again finishes a run that was killed."
_ON = "here: this package's own network layer; nest: NEST, in the interpreter that CASCADES_SIMULATORS names."


def network(
    rule: Annotated[str, _RULE] = "cortical slice",
    neurons: Annotated[int, typer.Option(min=10, help="Four fifths are excitatory.")] = 2000,
    synapses: Annotated[int, typer.Option(min=1, help="Plastic synapses per excitatory neuron.")] = 100,
    duration: Annotated[float, typer.Option(help="Biological time in seconds.")] = 10.0,
    threads: Annotated[int, typer.Option(min=1, help="On NEST: of each rank.")] = 1,
    on: Annotated[str, typer.Option(help=_ON)] = "here",
    ranks: Annotated[int, typer.Option(min=1, help="Processes of MPI; with --on nest.")] = 1,
    checkpoint: Annotated[Path | None, typer.Option(help=_CHECKPOINT)] = None,
    seed: SEED = 0,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """Run a network with an assembly that fires most; --out gets recording.npz and network.png."""
    from cascades import run_network, run_on_nest
    from cascades.report.assembly import assembly_network
    from cascades.report.numbers import recorded

    if on not in _ENGINES:
        raise UnknownName("engine", on, _ENGINES)
    if ranks > 1 and on != "nest":
        raise NetworkError("run", "only NEST runs on several ranks: say --on nest, or --threads")
    if checkpoint is not None and on != "here":
        raise NetworkError("run", "only this package's own layer resumes: leave out --on or --checkpoint")
    if out is not None:
        check_free(out, force)
    with show_steps() as step:
        learned = _rule(rule, step)
        described = assembly_network(learned, neurons=neurons, inputs=synapses, seed=seed)
        with step(f"{duration:g} s of {neurons} neurons") as report:
            if on == "nest":
                recording = run_on_nest(
                    described, 1e3 * duration, seed=seed, threads=threads, ranks=ranks, progress=report
                )
            else:
                described.check_memory()
                recording = run_network(
                    described, 1e3 * duration, seed=seed, threads=threads, progress=report,
                    checkpoint=checkpoint, resume=checkpoint is not None,
                )  # fmt: skip
    if out is not None:
        from cascades.report.figures import network as draw

        with output_folder(out, force) as folder:
            recording.save(folder / "recording.npz")
            draw(recording).savefig(folder / "network.png", dpi=150)
    if json:
        print_json(recorded(recording))
        return
    rows = [[f"rate of {name}", recording.rate(name), "Hz"] for name in recording.population_names]
    for name, efficacies in recording.final_efficacies.items():
        rows.append([f"mean efficacy {name}, start", float(recording.mean_efficacy[name][0]), ""])
        rows.append([f"mean efficacy {name}, end", float(np.mean(efficacies)), ""])
    print_table(["", "value", "unit"], rows)
    if not recording.complete:
        print(f"interrupted after {recording.duration / 1e3:g} s; this is what was reached")


def _rule(text: str, step: Steps) -> CalciumRule:
    """The rule in a file, of a published set, or derived from a model.  Raises UnknownName."""
    from cascades import compile_model, derive_rule, load_model
    from cascades.library import model_names
    from cascades.reduction import PUBLISHED, CalciumRule, published_rule
    from cascades.report.readouts import readouts

    if text in PUBLISHED:
        return published_rule(text)
    if text.endswith(".json"):
        return CalciumRule.from_json(Path(text).read_text(encoding="utf-8"))
    if text not in model_names() and not text.endswith((".xml", ".ant")):
        raise UnknownName("rule", text, [*PUBLISHED, *model_names()])
    model = load_model(text)
    calcium, weight = readouts(model)
    with step(f"deriving the rule of {model.id}") as report:
        ladder = derive_rule(
            compile_model(model), calcium=calcium, weight=weight, budget="quick",
            progress=lambda what, done: report(done),
        )  # fmt: skip
    return ladder.network_rule
