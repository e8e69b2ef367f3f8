"""A model as text: its size, equations, constants with sources, ports and reaction graph."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cascades.card import ModelCard
from cascades.compiler.compiled import CompiledModel
from cascades.expression import to_text
from cascades.model import AssignmentRule, Model, RateRule, Reaction, SpeciesReference


@dataclass(frozen=True)
class Constant:
    """A parameter, compartment size or input, and where its value comes from."""

    id: str
    value: float
    unit: str
    source: str
    status: str


def short_citation(card: ModelCard) -> str:
    """ "Graupner M, Brunel N (2007) ..." as "Graupner & Brunel 2007"."""
    match = re.match(r"(.+?) \((\d{4})\)", card.citation)
    if not match:
        return card.citation.split(".")[0]
    names = [re.sub(r" [A-Z]{1,4}$", "", person) for person in match[1].split(", ")]
    shown = names[0] if len(names) == 1 else " & ".join(names) if len(names) == 2 else f"{names[0]} et al."
    return f"{shown} {match[2]}"


def constants(compiled: CompiledModel, card: ModelCard | None) -> list[Constant]:
    """Every constant, in the order of the equations; `source` is empty where the model says nothing."""
    known = card.parameters if card else {}
    units = compiled.equations.units
    return [
        Constant(
            id_,
            value,
            readable_unit(units.get(id_, "")),
            known[id_].source if id_ in known else "",
            known[id_].status if id_ in known else "",
        )
        for id_, value in compiled.default_values.items()
    ]


def readable_unit(unit: str) -> str:
    return "" if unit == "dimensionless" else unit


def equation(reaction: Reaction) -> str:
    """ "2 A + B -> C  (E)": modifiers in brackets."""
    arrow = "<->" if reaction.is_reversible else "->"
    sides = f"{_side(reaction.reactants)} {arrow} {_side(reaction.products)}"
    return sides + (f"  ({', '.join(reaction.modifiers)})" if reaction.modifiers else "")


def _side(references: tuple[SpeciesReference, ...]) -> str:
    def one(reference: SpeciesReference) -> str:
        count = reference.stoichiometry
        return reference.species if count in (1.0, None) else f"{count:g} {reference.species}"

    return " + ".join(map(one, references)) or "nothing"


def reactions(model: Model) -> list[tuple[str, str, str]]:
    """(id, equation, rate) of every reaction; the rate is in amount per time."""
    return [(r.id, equation(r), to_text(r.rate) if r.rate is not None else "") for r in model.reactions]


def rules(model: Model) -> list[tuple[str, str]]:
    """(left, right) of every rule: "x" for an assignment, "dx/dt" for a rate, "0" for an algebraic one."""
    lines = []
    for rule in model.rules:
        if isinstance(rule, AssignmentRule):
            left = rule.variable
        elif isinstance(rule, RateRule):
            left = f"d{rule.variable}/dt"
        else:
            left = "0"
        lines.append((left, to_text(rule.formula)))
    return lines


def graph(model: Model) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """What `cascades.plot.plot_reactions` draws."""
    return {
        r.id: ([x.species for x in r.reactants], [x.species for x in r.products], list(r.modifiers))
        for r in model.reactions
    }


def as_record(model: Model, compiled: CompiledModel, card: ModelCard | None) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "name": card.name if card else model.id,
        "title": card.title if card else model.name,
        "module": card.module if card else None,
        "citation": card.citation if card else None,
        "doi": card.doi if card else None,
        "states": len(compiled.state_names),
        "reactions": [{"id": i, "equation": e, "rate": r} for i, e, r in reactions(model)],
        "rules": [{"left": left, "right": right} for left, right in rules(model)],
        "parameters": constants(compiled, card),
        "ports": model.ports,
        "conserved_totals": compiled.conserved_totals,
    }
