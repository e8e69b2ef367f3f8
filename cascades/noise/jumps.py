"""A reaction network in molecules: counts that jump, with the rates of the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cascades.continuation.formulas import Formulas
from cascades.errors import UnknownName, UnsupportedFeature
from cascades.expression import (
    Expr,
    add,
    children,
    evaluate,
    free_symbols,
    make,
    mul,
    number,
    postorder,
    power,
    substitute,
    symbol,
)
from cascades.units import AVOGADRO

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel
    from cascades.model import Model


@dataclass(frozen=True, eq=False)
class JumpProcess:
    """Reactions j that change counts by changes[j] with propensity a_j(counts, values).

    species : names; counts are in this order
    changes : int, shape (reactions, species)
    propensities : formulas over species names (counts) and parameter names [1/time]
    """

    name: str
    species: tuple[str, ...]
    parameter_names: tuple[str, ...]
    reactions: tuple[str, ...]
    changes: np.ndarray = field(repr=False)
    propensities: tuple[Expr, ...] = field(repr=False)
    default_counts: np.ndarray = field(repr=False)
    default_values: np.ndarray = field(repr=False)
    time_unit: str = "s"

    @cached_property
    def _hoisted(self) -> tuple[list[Expr], list[Expr]]:
        return hoisted(self.propensities, self.species)

    @cached_property
    def formulas(self) -> Formulas:
        """All propensities at once, compiled: a function of counts and `constants`."""
        formulas, constants = self._hoisted
        return Formulas(formulas, (self.species, tuple(f"constant@{i}" for i in range(len(constants)))))

    def lane_formulas(self, lanes: int) -> Formulas:
        """The same for several members side by side: counts (species, lanes), constants alike."""
        found = self._in_lanes.get(lanes)
        if found is None:
            formulas, constants = self._hoisted
            names = tuple(f"constant@{i}" for i in range(len(constants)))
            found = self._in_lanes[lanes] = Formulas(formulas, (self.species, names), lanes)
        return found

    @cached_property
    def _in_lanes(self) -> dict[int, Formulas]:
        return {}

    def constants(self, values: np.ndarray) -> np.ndarray:
        """What the propensities need of the parameter values, computed once."""
        known = dict(zip(self.parameter_names, values.tolist(), strict=True))
        found = np.array(evaluate(self._hoisted[1], known), float)
        return found if found.size else np.zeros(1)

    def values(self, changed: Mapping[str, float] | None = None) -> np.ndarray:
        """Parameter values, shape (m,).  Raises UnknownName."""
        return _changed(self.default_values, self.parameter_names, changed, "parameter")

    def counts(self, changed: Mapping[str, float] | None = None) -> np.ndarray:
        """Counts, shape (species,).  Raises UnknownName."""
        return _changed(self.default_counts, self.species, changed, "species")


def _changed(
    default: np.ndarray, names: tuple[str, ...], changed: Mapping[str, float] | None, kind: str
) -> np.ndarray:
    array = default.copy()
    for name, value in (changed or {}).items():
        if name not in names:
            raise UnknownName(kind, name, names)
        array[names.index(name)] = value
    return array


def jump_process(compiled: CompiledModel) -> JumpProcess:
    """The stochastic reading of a model: molecules instead of concentrations.

    A propensity is the model's rate law with concentrations taken from counts; reversible reactions
    are split into their two directions.  (A rate law k A**2 stays so: where the difference to
    k A (A - 1) matters, the model has to say it.)

    Raises
    ------
    UnsupportedFeature
        Parts that have no stochastic reading, all of them named: rate rules, algebraic rules, events,
        fractional or variable stoichiometry, a substance unit that is not a number of molecules.
    """
    model, equations = compiled.model, compiled.equations
    if model is None:
        raise UnsupportedFeature(equations.name, ["equations without reactions have no stochastic reading"])
    problems = _problems(model, equations.state_names)
    per_amount = molecules_per_amount(model)
    if per_amount is None:
        problems.append(f"the substance unit {model.substance_unit!r} is not a number of molecules")
    if problems:
        raise UnsupportedFeature(model.id, problems)
    molecules = per_amount or 1.0
    species = {s.id: s for s in model.species}
    names = equations.state_names
    to_state = {}
    for name in names:
        size = number(1.0) if species[name].is_amount else symbol(species[name].compartment)
        to_state[name] = mul(symbol(name), power(size, -1), 1.0 / molecules)
    ids, rows, formulas = [], [], []
    for reaction in model.reactions:
        change = np.zeros(len(names), np.int64)
        for sign, side in ((-1, reaction.reactants), (1, reaction.products)):
            for reference in side:
                if reference.species in names:
                    change[names.index(reference.species)] += sign * int(reference.stoichiometry or 0)
        rate = mul(substitute([equations.observables[reaction.id]], to_state)[0], molecules)
        for direction, part in zip((1, -1), split(rate), strict=True):
            if part is not None and change.any():
                ids.append(reaction.id if direction > 0 else f"{reaction.id} (back)")
                rows.append(direction * change)
                formulas.append(part)
    values = np.array(equations.default_values, float)
    known = dict(zip(equations.parameter_names, values.tolist(), strict=True))
    y = compiled.initial_array(values[None, :])[0]
    sizes = [known[species[name].compartment] if not species[name].is_amount else 1.0 for name in names]
    return JumpProcess(
        name=model.id,
        species=names,
        parameter_names=equations.parameter_names,
        reactions=tuple(ids),
        changes=np.array(rows, np.int64),
        propensities=tuple(formulas),
        default_counts=np.round(y * np.array(sizes) * molecules),
        default_values=values,
        time_unit=equations.time_unit,
    )


def molecules_per_amount(model: Model) -> float | None:
    """Molecules in one unit of substance; None if the unit is no such thing."""
    unit = model.substance_unit or "mole"
    factors = model.units.get(unit, ((unit, 1.0, 0, 1.0),))
    total = 1.0
    for kind, exponent, scale, multiplier in factors:
        size = {"mole": AVOGADRO, "item": 1.0, "dimensionless": 1.0, "avogadro": AVOGADRO}.get(kind)
        if size is None:
            return None
        total *= (size * multiplier * 10.0**scale) ** exponent
    return total


def hoisted(formulas: Sequence[Expr], varying: Sequence[str]) -> tuple[list[Expr], list[Expr]]:
    """The formulas with every largest part that holds none of the `varying` symbols replaced by
    `constant@i`, and those parts."""
    names = set(varying)
    varies: dict[Expr, bool] = {}
    for node in postorder(*formulas):
        varies[node] = node.name in names if node.is_symbol else any(varies[c] for c in children(node))
    constants: dict[Expr, Expr] = {}

    def constant(part: Expr) -> Expr:
        if part.is_number:
            return part
        return constants.setdefault(part, symbol(f"constant@{len(constants)}"))

    done: dict[Expr, Expr] = {}
    for node in postorder(*formulas):
        if not varies[node]:
            continue
        if node.is_symbol:
            done[node] = node
            continue
        fixed = [child for child in node.args if not varies[child]]
        moving = [done[child] for child in node.args if varies[child]]
        if node.op in ("add", "mul") and fixed:
            done[node] = make(node.op, [constant(make(node.op, fixed)), *moving])
        else:
            done[node] = make(node.op, [done[c] if varies[c] else constant(c) for c in node.args])
    roots = [done[f] if varies[f] else constant(f) for f in formulas]
    return roots, list(constants)


def split(rate: Expr) -> tuple[Expr | None, Expr | None]:
    """The forward and the backward part of a rate law: its terms with a plus and with a minus sign.
    A factor that is a difference is multiplied out."""
    terms = [rate]
    while True:
        expanded: list[Expr] = []
        for term in terms:
            expanded += _terms(term)
        if len(expanded) == len(terms):
            break
        terms = expanded
    positive = [term for term in terms if not _is_negative(term)]
    negative = [mul(-1, term) for term in terms if _is_negative(term)]
    return add(*positive) if positive else None, add(*negative) if negative else None


def _terms(term: Expr) -> list[Expr]:
    if term.op == "add":
        return list(term.args) if any(map(_is_negative, term.args)) or any(map(_mixed, term.args)) else [term]
    if term.op == "mul":
        for i, factor in enumerate(term.args):
            if factor.op == "add" and any(map(_is_negative, factor.args)):
                others = term.args[:i] + term.args[i + 1 :]
                return [mul(part, *others) for part in factor.args]
    return [term]


def _mixed(term: Expr) -> bool:
    return term.op == "mul" and any(f.op == "add" and any(map(_is_negative, f.args)) for f in term.args)


def _is_negative(term: Expr) -> bool:
    if term.is_number:
        return bool(term.value < 0.0)
    return term.op == "mul" and term.args[0].is_number and bool(term.args[0].value < 0.0)


def _problems(model: Model, names: Sequence[str]) -> list[str]:
    species = {s.id for s in model.species}
    found = [f"{name} is not a species: what a rate rule or event changes has no molecules" for name in names
             if name not in species]  # fmt: skip
    found += [f"event {event.id}" for event in model.events]
    for reaction in model.reactions:
        for reference in (*reaction.reactants, *reaction.products):
            stoichiometry = reference.stoichiometry
            if stoichiometry is None or not reference.is_constant or stoichiometry != int(stoichiometry):
                found.append(
                    f"reaction {reaction.id}: stoichiometry of {reference.species} is not a whole number"
                )
        if reaction.rate is not None and "time" in free_symbols(reaction.rate):
            found.append(f"reaction {reaction.id}: the rate depends on time")
    return found
