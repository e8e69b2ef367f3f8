"""A compiled model as a problem: conserved totals eliminated in the formulas themselves."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cascades.compiler.equations import ConservedTotal, Equations
from cascades.continuation.moieties import hidden_moieties
from cascades.continuation.problem import Problem
from cascades.continuation.symbolic import SymbolicProblem
from cascades.errors import UnsupportedFeature
from cascades.expression import Expr, add, evaluate, free_symbols, mul, number, power, substitute, symbol

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

_problems: weakref.WeakKeyDictionary[CompiledModel, dict[frozenset[str], ModelProblem]] = (
    weakref.WeakKeyDictionary()
)


class ModelProblem(SymbolicProblem):
    """The reduced equations of a model.

    A conserved total in `free_totals` is a parameter of its own.  The others follow from the initial
    state, also when a parameter changes on which the initial state depends.
    """

    def __init__(
        self, equations: Equations, free_totals: Iterable[str], species: Iterable[str], inputs: Iterable[str]
    ):
        free = tuple(total.name for total in equations.conserved if total.name in set(free_totals))
        initial = dict(zip(equations.state_names, equations.initial, strict=True))
        amounts = {
            total.name: add(*(mul(weight, initial[name]) for name, weight in total.weights.items()))
            for total in equations.conserved
        }
        eliminated = _eliminated(equations, {k: v for k, v in amounts.items() if k not in free})
        names = tuple(name for name in equations.state_names if name not in eliminated)
        parameters = (*equations.parameter_names, *free)
        defaults = dict(zip(equations.parameter_names, equations.default_values, strict=True))
        defaults |= {name: float(evaluate([amounts[name]], {**defaults, "time": 0.0})[0]) for name in free}
        place = {name: i for i, name in enumerate(equations.state_names)}
        replacement = {**eliminated, "time": symbol("time")}
        rates = substitute([equations.rates[place[name]] for name in names], replacement)
        observables = dict(
            zip(equations.observables, substitute(equations.observables.values(), replacement), strict=True)
        )
        start = np.array(evaluate([initial[name] for name in names], {**defaults, "time": 0.0}), float)
        self.equations, self.free_totals = equations, free
        self.initial_formulas = tuple(initial[name] for name in names)
        self.total_formulas = amounts
        self.inputs = tuple(inputs)
        self.outputs = tuple(port.symbol for port in equations.ports if port.kind == "output")
        super().__init__(
            names,
            parameters,
            rates,
            default_state=start,
            default_values=np.array([defaults[name] for name in parameters], float),
            scale=_scale(equations, names, start, amounts, defaults),
            is_positive=np.array([name in set(species) for name in names], bool),
            eliminated=eliminated,
            full_names=equations.state_names,
            observables=observables,
        )

    def values(self, changed: Mapping[str, float] | None = None) -> np.ndarray:
        """The parameters, with free totals that are not given following the initial state."""
        q = super().values(changed)
        known = {**dict(zip(self.parameter_names, q.tolist(), strict=True)), "time": 0.0}
        for name in self.free_totals:
            if name not in (changed or {}):
                q[self.index(name)] = float(evaluate([self.total_formulas[name]], known)[0])
        return q

    def start(self, q: np.ndarray) -> np.ndarray:
        """The initial state for parameters q, shape (n,)."""
        known = {**dict(zip(self.parameter_names, q.tolist(), strict=True)), "time": 0.0}
        return np.array(evaluate(self.initial_formulas, known), float)

    def total_weights(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights of the conserved totals over all states, shape (totals, full), and the totals."""
        known = dict(zip(self.parameter_names, q.tolist(), strict=True))
        weights = np.zeros((len(self.equations.conserved), len(self.full_names)))
        for row, total in zip(weights, self.equations.conserved, strict=True):
            numbers = evaluate(total.weights.values(), known)
            row[[self.full_names.index(name) for name in total.weights]] = numbers
        totals = self.totals(q)
        return weights, np.array([totals[total.name] for total in self.equations.conserved])

    def totals(self, q: np.ndarray) -> dict[str, float]:
        """Every conserved total."""
        known = {**dict(zip(self.parameter_names, q.tolist(), strict=True)), "time": 0.0}
        amounts = dict(zip(self.total_formulas, evaluate(self.total_formulas.values(), known), strict=True))
        return {name: float(known.get(name, amount)) for name, amount in amounts.items()}


def as_problem(compiled: CompiledModel | Problem, names: Iterable[str] = ()) -> Problem:
    """The problem of a model; conserved totals among `names` become parameters.

    Raises
    ------
    UnsupportedFeature
        The rates depend on time, or the model has algebraic equations.
    """
    if isinstance(compiled, Problem):
        return compiled
    equations = compiled.equations
    totals = frozenset(name for name in names if name not in equations.parameter_names)
    known = _problems.setdefault(compiled, {})
    if totals not in known:
        _refuse(equations)
        species = [s.id for s in compiled.model.species] if compiled.model else list(equations.state_names)
        inputs = [port.symbol for port in equations.ports if port.kind == "input"]
        problem = ModelProblem(equations, totals, species, inputs)
        hidden = _hidden(problem)
        known[totals] = ModelProblem(hidden, names, species, inputs) if hidden else problem
    return known[totals]


def _hidden(problem: ModelProblem) -> Equations | None:
    """The equations with conserved totals that no stoichiometry tells of, each named after the state
    it eliminates; None if there are none."""
    weights = hidden_moieties(problem, problem.default_values)
    if not len(weights):
        return None
    found = []
    counts = np.count_nonzero(weights, axis=0)
    for row in weights:
        members = {name: w for name, w in zip(problem.state_names, row, strict=True) if w != 0.0}
        own = np.flatnonzero((row == 1.0) & (counts == 1))
        dependent = problem.state_names[own[0]]
        found.append(
            ConservedTotal(f"total_{dependent}", {k: number(w) for k, w in members.items()}, dependent)
        )
    return replace(problem.equations, conserved=(*problem.equations.conserved, *found))


def _refuse(equations: Equations) -> None:
    problems = []
    if "time" in free_symbols(*equations.rates):
        problems.append("the rates depend on time: there are no equilibria to follow")
    algebraic = [
        name for name, flag in zip(equations.state_names, equations.is_algebraic, strict=True) if flag
    ]
    if algebraic:
        problems.append(f"algebraic equations ({', '.join(algebraic)}) are not followed")
    if problems:
        raise UnsupportedFeature(equations.name, problems)


def _eliminated(equations: Equations, amounts: Mapping[str, Expr]) -> dict[str, Expr]:
    """The dependent states as formulas of independent ones, totals and parameters."""
    formulas: dict[str, Expr] = {}
    for total in equations.conserved:
        amount = amounts.get(total.name, symbol(total.name))
        others = [
            mul(-1, weight, symbol(name)) for name, weight in total.weights.items() if name != total.dependent
        ]
        formulas[total.dependent] = mul(add(amount, *others), power(total.weights[total.dependent], -1))
    for _ in formulas:
        formulas = dict(zip(formulas, substitute(formulas.values(), formulas), strict=True))
        if not free_symbols(*formulas.values()) & formulas.keys():
            break
    return formulas


def _scale(
    equations: Equations,
    names: tuple[str, ...],
    start: np.ndarray,
    amounts: Mapping[str, Expr],
    defaults: Mapping[str, float],
) -> np.ndarray:
    """Of a state: the largest it can be by its conserved totals, else its initial value; the median
    of the others where that is zero."""
    known = {**defaults, "time": 0.0}
    size = np.abs(start)
    for total in equations.conserved:
        amount = float(evaluate([amounts[total.name]], known)[0])
        for name, weight in zip(total.weights, evaluate(total.weights.values(), known), strict=True):
            if name in names and weight != 0.0:
                size[names.index(name)] = max(size[names.index(name)], abs(amount / float(weight)))
    nonzero = size[size > 0.0]
    return np.where(size > 0.0, size, np.median(nonzero) if nonzero.size else 1.0)
