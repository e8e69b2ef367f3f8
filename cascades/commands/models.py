"""The library of models, or everything about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascades.commands.options import FORCE, JSON, OUT
from cascades.commands.output import check_free, output_folder, print_json, print_table
from cascades.commands.progress import show_steps
from cascades.errors import UnknownName

if TYPE_CHECKING:
    from cascades.card import ModelCard
    from cascades.claims import ClaimResult
    from cascades.compiler.compiled import CompiledModel
    from cascades.model import Model


def models(
    name: Annotated[str | None, typer.Argument(help="A model; all of the library if missing.")] = None,
    module: Annotated[str | None, typer.Option(help="Only this module: NMDA, calcium, CaMKII ...")] = None,
    check: Annotated[bool, typer.Option("--check", help="Compute all claims anew.")] = False,
    out: OUT = None,
    force: FORCE = False,
    json: JSON = False,
) -> None:
    """List the models with their claims, or show one: equations, constants with sources, ports, claims.

    With a name, --out gets reactions.svg, the reaction graph as a picture.
    """
    if name is None:
        _list(module, check, json)
        return
    if out is not None:
        check_free(out, force)
    _show(name, check, json)
    if out is not None:
        with output_folder(out, force) as folder:
            _draw(name).savefig(folder / "reactions.svg")


def _list(module: str | None, check: bool, json: bool) -> None:
    from cascades import compile_model, load_model, model_names
    from cascades.card import model_card
    from cascades.report.describe import short_citation

    cards = [model_card(name) for name in model_names()]
    modules = sorted({card.module for card in cards}, key=str.lower)
    if module is not None and module.lower() not in map(str.lower, modules):
        raise UnknownName("module", module, modules)
    chosen = [card for card in cards if module is None or card.module.lower() == module.lower()]
    chosen.sort(key=lambda card: (card.module.lower(), card.name))
    held = _claims_of(chosen, check)
    rows = []
    for card in chosen:
        model = load_model(card.name)
        compiled = compile_model(model)
        size = (len(compiled.state_names), len(model.reactions), len(compiled.parameter_names))
        rows.append([card.module, card.name, *size, held[card.name], short_citation(card)])
    columns = ["module", "model", "states", "reactions", "parameters", "claims that hold", "source"]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


def _claims_of(cards: Sequence[ModelCard], fresh: bool) -> dict[str, str]:
    """ "n of m" for each model; what is not known is computed, and Ctrl-C leaves the rest open."""
    from cascades.report.verdicts import are_known, verdicts

    held = {card.name: f"? of {len(card.claims)}" for card in cards}
    with show_steps() as step:
        try:
            for card in cards:
                if fresh or not are_known(card.name):
                    with step(f"claims of {card.name}"):
                        results = verdicts(card.name, fresh=fresh)
                else:
                    results = verdicts(card.name)
                held[card.name] = f"{sum(r.holds for r in results)} of {len(results)}"
        except KeyboardInterrupt:
            pass
    return held


def _show(name: str, check: bool, json: bool) -> None:
    from cascades import compile_model, load_model, model_names
    from cascades.card import model_card
    from cascades.report.describe import as_record
    from cascades.report.verdicts import verdicts

    model = load_model(name)
    compiled = compile_model(model)
    card = model_card(name) if name in model_names() else None
    results = verdicts(name, fresh=check) if card else []
    if json:
        print_json({**as_record(model, compiled, card), "claims": results})
        return
    _print_head(model, compiled, card)
    _print_equations(model)
    _print_constants(compiled, card)
    _print_claims(results)


def _print_head(model: Model, compiled: CompiledModel, card: ModelCard | None) -> None:
    print(f"{model.id}: {card.title if card else model.name or 'a model'}")
    if card:
        print(f"{card.citation}{f' doi:{card.doi}' if card.doi else ''}")
        print(f"module {card.module}", end="; ")
    totals = len(compiled.conserved_totals)
    print(
        f"{len(compiled.state_names)} states, {len(model.reactions)} reactions, "
        f"{len(compiled.parameter_names)} parameters, {totals} conserved total{'s' * (totals != 1)}"
    )
    if card and card.notes:
        print(f"\n{card.notes}")
    if model.ports:
        rows = [[p.name, p.kind, p.symbol, p.unit or "", p.description] for p in model.ports]
        print()
        print_table(["port", "kind", "symbol", "unit", ""], rows)


def _print_equations(model: Model) -> None:
    from cascades.report.describe import reactions, rules

    if model.reactions:
        print()
        print_table(["reaction", "", "rate [amount per time]"], reactions(model))
    if model.rules:
        print()
        print_table(["rule", ""], [[left, f"= {right}"] for left, right in rules(model)])


def _print_constants(compiled: CompiledModel, card: ModelCard | None) -> None:
    from cascades.report.describe import constants

    rows = [[c.id, c.value, c.unit, c.status, c.source] for c in constants(compiled, card)]
    print()
    print_table(["parameter", "value", "unit", "status", "source"], rows)


def _print_claims(results: Sequence[ClaimResult]) -> None:
    if not results:
        return
    rows = [
        ["holds" if r.holds else "MISS", r.name, _numbers(r.value), _numbers(r.expected), r.source]
        for r in results
    ]
    print()
    print_table(["claim", "", "model", "expected", "source"], rows)
    for result in results:
        if not result.holds:
            print(f"{result.name}: {result.reason}")


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in values[:4])
    return f"{shown}, ... ({len(values)})" if len(values) > 4 else shown


def _draw(name: str) -> Any:
    from cascades import load_model
    from cascades.plot import new_figure, plot_reactions
    from cascades.report.describe import graph

    model = load_model(name)
    figure, axes = new_figure(width=8.0, height=6.5)
    plot_reactions(graph(model), axes=axes)
    return figure
