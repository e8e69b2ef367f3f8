"""Join models at their ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from cascades.compose.rename import renamed
from cascades.dimensions import Dimensions, of_symbol, of_unit, size_unit, text
from cascades.errors import ModelError, UnitError, UnknownName
from cascades.expression import free_symbols
from cascades.model import (
    AlgebraicRule,
    AssignmentRule,
    Compartment,
    InitialAssignment,
    Model,
    Parameter,
    Port,
    Reaction,
    Species,
)

Place = tuple[int, str]  # a model's position and a symbol in it


def compose(*models: Model, connect: Mapping[str, str], id: str = "composed") -> Model:
    """One model of several.

    Every id gets the model's short name in front (`camkii_graupner_2007` is `camkii` where no other
    model begins so, else the whole id).  Compartments of the same id, size and unit become one and
    keep their id.  Ports that are not connected stay ports.

    Parameters
    ----------
    connect : "model.port" -> "model.port"
        What enters on the left is what leaves on the right: {"camkii.Ca": "calcium.Ca"}.  The input
        disappears, and every formula that used it uses the output.  Instead of a port, an id may be
        given; two species become one, with the reactions of both; two compartments become one.

    Raises
    ------
    UnknownName
        A model or port that does not exist.
    UnitError
        The units of a connection differ, or those of time, extent or sizes; both sides are named.
    ModelError
        What is connected is computed by its own model, or connections form a circle.
    """
    labels = _labels(models)
    links = {
        _place(left, models, labels, entering=True): _place(right, models, labels, entering=False)
        for left, right in connect.items()
    }
    shown = {place: f"{labels[place[0]]}.{place[1]}" for pair in links.items() for place in pair}
    _check_units(models, labels, links, shown)
    _check_targets(models, links, shown)
    names = _names(models, labels, links, shown)
    parts = [_part(i, models, labels, links, names) for i in range(len(models))]
    joined = _with_modifiers(_joined(parts, id))
    _check_circles(joined)
    return joined


def _labels(models: Sequence[Model]) -> list[str]:
    short = [model.id.partition("_")[0] for model in models]
    labels = [s if short.count(s) == 1 else model.id for s, model in zip(short, models, strict=True)]
    double = sorted({label for label in labels if labels.count(label) > 1})
    if double:
        problems = [
            f"{label}: two models have this id; give one another with dataclasses.replace" for label in double
        ]
        raise ModelError("compose", problems)
    return labels


def _place(text_: str, models: Sequence[Model], labels: Sequence[str], entering: bool) -> Place:
    label, _, name = text_.partition(".")
    by_label = {label: i for i, label in enumerate(labels)} | {model.id: i for i, model in enumerate(models)}
    if label not in by_label:
        raise UnknownName("model", label, labels)
    index = by_label[label]
    model = models[index]
    port = model.port(name)
    if port is not None and not (entering and port.kind == "output"):
        return index, port.symbol
    if name not in model.by_id:
        ports = [p.name for p in model.ports if not (entering and p.kind == "output")]
        raise UnknownName(f"port of {label}", name, ports or model.by_id)
    return index, name


# --- checks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Side:
    shown: str
    dimensions: Dimensions | None


def _check_units(
    models: Sequence[Model], labels: Sequence[str], links: Mapping[Place, Place], shown: Mapping[Place, str]
) -> None:
    pairs = []
    for target, source in links.items():
        sides = [_Side(shown[p], of_symbol(models[p[0]], p[1])) for p in (target, source)]
        pairs.append(tuple(sides))
    for what in ("time_unit", "extent_unit"):
        sides = [
            _Side(f"{what.replace('_', ' ')} of {label}", of_unit(model, getattr(model, what)))
            for label, model in zip(labels, models, strict=True)
        ]
        pairs += [(sides[0], other) for other in sides[1:]]
    problems = [
        f"{a.shown} is in {text(a.dimensions)}, {b.shown} in {text(b.dimensions)}"
        for a, b in pairs
        if a.dimensions is not None and b.dimensions is not None and not a.dimensions.agrees(b.dimensions)
    ]
    if problems:
        raise UnitError("compose", problems)


def _check_targets(models: Sequence[Model], links: Mapping[Place, Place], shown: Mapping[Place, str]) -> None:
    """A target must be free: nothing of its own model may compute it, unless two species become one."""
    problems = []
    for target, source in links.items():
        model, name = models[target[0]], target[1]
        element = model.by_id.get(name)
        into = models[source[0]].by_id.get(source[1])
        if not isinstance(element, (Parameter, Species, Compartment)):
            problems.append(f"{shown[target]}: is not a quantity that could be given from outside")
        elif isinstance(element, Compartment) != isinstance(into, Compartment):
            problems.append(f"{shown[target]}: a compartment can only become one with a compartment")
        elif name in _computed(model):
            problems.append(f"{shown[target]}: is computed by a rule or event of its own model")
        elif isinstance(element, Species) and not isinstance(into, Species) and _is_changed(model, element):
            problems.append(
                f"{shown[target]}: is changed by reactions, so it can only become one with a species"
            )
        elif (
            isinstance(element, Species) and isinstance(into, Species) and element.is_amount != into.is_amount
        ):
            problems.append(
                f"{shown[target]}: one is an amount, {shown[source]} a concentration or the reverse"
            )
    if problems:
        raise ModelError("compose", problems)


def _computed(model: Model) -> set[str]:
    found = {rule.variable for rule in model.rules if not isinstance(rule, AlgebraicRule)}
    return found | {a.variable for event in model.events for a in event.assignments}


def _is_changed(model: Model, species: Species) -> bool:
    if species.is_boundary or species.is_constant:
        return False
    return any(species.id == r.species for one in model.reactions for r in (*one.reactants, *one.products))


def _check_circles(model: Model) -> None:
    """Assigned variables must not depend on themselves through the connections."""
    formulas = {rule.variable: rule.formula for rule in model.rules if isinstance(rule, AssignmentRule)}
    uses = {name: free_symbols(formula) & formulas.keys() for name, formula in formulas.items()}
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ModelError("compose", [f"the connections form a circle: {circle}"]) from None


# --- names --------------------------------------------------------------------------------------


def _names(
    models: Sequence[Model], labels: Sequence[str], links: Mapping[Place, Place], shown: Mapping[Place, str]
) -> dict[Place, str]:
    """The id of every element in the composed model."""
    shared = _shared_compartments(models)
    names: dict[Place, str] = {}
    for i, model in enumerate(models):
        stoichiometries = {r.id for one in model.reactions for r in (*one.reactants, *one.products) if r.id}
        for name in (*model.by_id, *sorted(stoichiometries)):
            names[i, name] = name if name in shared else f"{labels[i]}_{name}"
    for target in links:
        path = [target]
        while path[-1] in links:
            path.append(links[path[-1]])
            if path[-1] in path[:-1]:
                circle = " -> ".join(shown[place] for place in path)
                raise ModelError("compose", [f"the connections form a circle: {circle}"])
        names[target] = names[path[-1]]
    free = [name for place, name in names.items() if place not in links and name not in shared]
    meeting = sorted({name for name in free if free.count(name) > 1}) if len(set(free)) < len(free) else []
    if meeting:
        raise ModelError("compose", [f"{name}: two elements would have this id" for name in meeting])
    return names


def _shared_compartments(models: Sequence[Model]) -> set[str]:
    """Compartments of several models that agree in everything."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for model in models:
        for one in model.compartments:
            unit = of_unit(model, one.unit or size_unit(model, one))
            found.setdefault(one.id, []).append((one.size, one.dimensions, one.is_constant, unit))
    ids = [name for model in models for name in model.by_id]
    return {n for n, s in found.items() if len(s) > 1 and len(set(s)) == 1 and ids.count(n) == len(s)}


# --- joining ------------------------------------------------------------------------------------


def _part(
    i: int,
    models: Sequence[Model],
    labels: Sequence[str],
    links: Mapping[Place, Place],
    names: Mapping[Place, str],
) -> Model:
    """A model without what is connected, with its final ids and explicit units."""
    model = _explicit(models[i])
    gone = {name for index, name in links if index == i}
    becomes_species = {
        name for name in gone if isinstance(models[links[i, name][0]].by_id.get(links[i, name][1]), Species)
    }
    loose = {name for name in gone if isinstance(model.by_id[name], Species)} - becomes_species
    kept = replace(
        model,
        compartments=tuple(c for c in model.compartments if c.id not in gone),
        species=tuple(s for s in model.species if s.id not in gone),
        parameters=tuple(p for p in model.parameters if p.id not in gone),
        reactions=tuple(_without(one, loose) for one in model.reactions),
        initial_assignments=tuple(a for a in model.initial_assignments if a.symbol not in gone),
        ports=tuple(p for p in model.ports if not (p.kind == "input" and p.symbol in gone)),
    )
    new_names = {name: new for (index, name), new in names.items() if index == i}
    first = models[:i]
    clashing = {n for n, f in model.units.items() if any(other.units.get(n, f) != f for other in first)}
    changed = renamed(kept, new_names, {name: f"{labels[i]}_{name}" for name in clashing})
    ports = [p.name for other in models for p in other.ports]
    own = tuple(_labelled(p, labels[i]) if ports.count(p.name) > 1 else p for p in changed.ports)
    return replace(changed, ports=own)


def _explicit(model: Model) -> Model:
    """Units and conversion factors that hold for the whole model, written at each element."""
    return replace(
        model,
        species=tuple(
            replace(
                s,
                unit=s.unit or model.substance_unit,
                conversion_factor=s.conversion_factor or model.conversion_factor,
            )
            for s in model.species
        ),
        compartments=tuple(replace(c, unit=c.unit or size_unit(model, c)) for c in model.compartments),
        conversion_factor=None,
    )


def _without(one: Reaction, species: set[str]) -> Reaction:
    """A boundary species that comes from outside takes no part in reactions; formulas still use it."""
    return replace(
        one,
        reactants=tuple(r for r in one.reactants if r.species not in species),
        products=tuple(r for r in one.products if r.species not in species),
        modifiers=tuple(m for m in one.modifiers if m not in species),
    )


def _with_modifiers(model: Model) -> Model:
    """Species that connections brought into a rate are modifiers of its reaction."""
    species = {s.id for s in model.species}
    reactions = []
    for one in model.reactions:
        taking_part = {r.species for r in (*one.reactants, *one.products)}
        used = free_symbols(one.rate) & species if one.rate is not None else set()
        found = tuple(sorted(used - taking_part - set(one.modifiers)))
        reactions.append(replace(one, modifiers=one.modifiers + found) if found else one)
    return replace(model, reactions=tuple(reactions))


def _labelled(port: Port, label: str) -> Port:
    return replace(port, name=f"{label}_{port.name}")


def _joined(parts: Sequence[Model], id: str) -> Model:
    first = parts[0]
    compartments: dict[str, Compartment] = {}
    units: dict[str, tuple[tuple[str, float, int, float], ...]] = {}
    starts: dict[str, InitialAssignment] = {}
    for part in parts:
        units.update(part.units)
        for compartment in part.compartments:
            compartments.setdefault(compartment.id, compartment)
        for start in part.initial_assignments:
            starts.setdefault(start.symbol, start)
    return Model(
        id=id,
        compartments=tuple(compartments.values()),
        species=tuple(s for part in parts for s in part.species),
        parameters=tuple(p for part in parts for p in part.parameters),
        reactions=tuple(r for part in parts for r in part.reactions),
        rules=tuple(r for part in parts for r in part.rules),
        initial_assignments=tuple(starts.values()),
        events=tuple(e for part in parts for e in part.events),
        ports=tuple(p for part in parts for p in part.ports),
        units=units,
        time_unit=first.time_unit,
        substance_unit=first.substance_unit,
        extent_unit=first.extent_unit,
        volume_unit=first.volume_unit,
        area_unit=first.area_unit,
        length_unit=first.length_unit,
        source=id,
    )
