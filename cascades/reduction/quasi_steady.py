"""Fast species in quasi-steady state: the same model with fewer equations.

A species is fast if it relaxes faster than a given time wherever the model was seen, once all faster
ones have settled: its pivot when the Jacobian is factorised, fastest species first (nested
quasi-steady states; Segel & Slemrod 1989, SIAM Rev. 31:446).  Conserved totals are kept exactly: each
gives the member that is never scarce, from which the fast ones are taken (the total quasi-steady
state of Borghans, de Boer & Segel 1996, Bull. Math. Biol. 58:43).

A fast species gets a formula where its balance is linear in it; where it is not, the balance stays as
an algebraic equation, which the solver takes.  What the elimination changes in a run is bounded by
`QuasiSteady.error_bound` (`cascades.reduction.elimination_error`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cascades.compiler.compiled import CompiledModel, compile_model
from cascades.errors import RuleError, UnknownName
from cascades.expression import Expr, substitute
from cascades.model import (
    AlgebraicRule,
    AssignmentRule,
    InitialAssignment,
    Model,
    Parameter,
    RateRule,
    Species,
)
from cascades.protocols import Protocol, rest, setting, spikes
from cascades.reduction.elimination import System
from cascades.simulate import simulate

if TYPE_CHECKING:
    from cascades.reduction.elimination_error import ErrorBound
    from cascades.solvers import Solver

PLACES = 24  # states at which the model is seen
HORIZON = 100.0  # of the time that separates fast from slow, in which they are collected
TRAIN = 10  # spikes at every port, in the first half of it
RAISED = 10.0  # times its value, every input in the second quarter of it


@dataclass(frozen=True, eq=False)
class QuasiSteady:
    """A model without the differential equations of its fast species.

    model : the reduced model; every species keeps its name
    full : the model that it came from
    eliminated : the fast species, fastest first
    implicit : those of them that follow from an algebraic equation, not from a formula
    from_totals : species that follow from conserved totals
    paces : the slowest relaxation seen of each eliminated species [1 / the model's time unit]
    faster_than : the time that separates fast from slow [the model's time unit]
    moves : shape (states, eliminated)
        What a change of an eliminated species changes, itself and through totals.
    """

    model: Model
    full: CompiledModel
    eliminated: tuple[str, ...]
    implicit: tuple[str, ...]
    from_totals: tuple[str, ...]
    paces: dict[str, float]
    faster_than: float
    moves: np.ndarray

    @cached_property
    def compiled(self) -> CompiledModel:
        return compile_model(self.model)

    @property
    def size(self) -> int:
        """Number of differential equations."""
        equations = self.compiled.equations
        return len(equations.state_names) - sum(equations.is_algebraic)

    def error_bound(
        self,
        outputs: Sequence[str],
        times: Sequence[float],
        *,
        protocol: Protocol | None = None,
        solver: str | Solver = "rodas5p",
        rtol: float = 1e-8,
    ) -> ErrorBound:
        """How far `outputs` of the reduced model can be from those of the full one at `times`."""
        from cascades.reduction.elimination_error import error_bound

        return error_bound(self, outputs, times, protocol=protocol, solver=solver, rtol=rtol)

    def __str__(self) -> str:
        unit = self.full.equations.time_unit
        lines = [
            f"{self.full.name}: {len(self.full.state_names)} equations, {self.size} without the species that "
            f"relax within {self.faster_than:g} {unit}"
        ]
        for name in self.eliminated:
            how = "algebraic equation" if name in self.implicit else "formula"
            lines.append(f"{name:>24}  within {1.0 / self.paces[name]:.3g} {unit}, {how}")
        lines += [f"{name:>24}  from a conserved total" for name in self.from_totals]
        return "\n".join(lines)


def quasi_steady(
    compiled: CompiledModel,
    *,
    faster_than: float,
    protocol: Protocol | None = None,
    keep: Sequence[str] = (),
    solver: str | Solver = "rodas5p",
    rtol: float = 1e-6,
) -> QuasiSteady:
    """Eliminate the species that relax within `faster_than` [the model's time unit].

    Parameters
    ----------
    protocol : Protocol, optional
        What the model is to be right for; its states are looked at during it.  By default spikes reach
        every port, and every input is raised tenfold for a while.
    keep : species that stay, whatever their pace

    Raises
    ------
    UnknownName
        A species to keep that the model does not have.
    RuleError
        No fast species, or balances that have no unique solution.
    """
    if compiled.model is None:
        raise RuleError(compiled.name, "only its equations are known; compile it from a model")
    if not faster_than > 0.0:
        raise RuleError(compiled.name, f"faster_than is {faster_than:g}; it is a time, and positive")
    for name in keep:
        if name not in compiled.state_names:
            raise UnknownName("species", name, compiled.state_names)
    places = _places(compiled, protocol, faster_than, solver, rtol)  # the first is the initial state
    system = System.of(compiled, compiled.model, places, set(keep))
    fast, paces = system.fast(1.0 / faster_than)
    if not fast:
        quickest = system.quickest()
        raise RuleError(
            compiled.name,
            f"no species relaxes within {faster_than:g} {compiled.equations.time_unit} wherever it was seen"
            + (f"; the fastest, {quickest[0]}, takes {1.0 / quickest[1]:.3g}" if quickest else ""),
        )
    rows = system.rows_of(fast)
    balanced = np.array([system.balanced(y, p, fast) for y, p in zip(*places, strict=True)])
    formulas = system.formulas(fast, rows, balanced)
    model = _rewritten(compiled.model, system, fast, rows, formulas, balanced[0])
    implicit = tuple(name for name in fast if name not in formulas)
    from_totals = tuple(compiled.state_names[system.dependent[k]] for k in rows)
    moves = system.moves(fast, rows)
    return QuasiSteady(model, compiled, fast, implicit, from_totals, paces, faster_than, moves)


def _places(
    compiled: CompiledModel,
    protocol: Protocol | None,
    faster_than: float,
    solver: str | Solver,
    rtol: float,
) -> tuple[np.ndarray, np.ndarray]:
    """States and parameter values, shapes (PLACES + 1, n) and (PLACES + 1, m), that the protocol leads
    through, from the initial state on."""
    from cascades.stops import resolve

    if protocol is None:
        protocol = _default_protocol(compiled, HORIZON * faster_than)
    stops = resolve(protocol, compiled.equations)
    end = max(HORIZON * faster_than, 1.01 * float(stops.time.max(initial=0.0)))
    times = np.unique(np.append(0.0, np.linspace(0.0, end, PLACES) + 0.003 * end))
    run = simulate(compiled, times, protocol=protocol, solver=solver, rtol=rtol)
    start = compiled.parameter_array({})[0]
    p, values = start.copy(), []
    nothing = np.zeros(len(compiled.state_names))
    for low, high in zip(np.append(-1.0, times[:-1]), times, strict=True):
        for t in stops.edges[(stops.edges > low) & (stops.edges <= high)]:
            stops.apply(t, nothing.copy(), p, nothing, start)
        values.append(p.copy())
    y = np.concatenate([compiled.initial_array(start[None]), run.values[0, 1:]])
    return y, np.array([start, *values[1:]])


def _default_protocol(compiled: CompiledModel, end: float) -> Protocol:
    from cascades.stops import seconds_per

    seconds = end * seconds_per(compiled.equations.time_unit)
    whole = rest(seconds)
    for port in compiled.equations.ports:
        if port.kind == "spike":
            whole = whole + spikes(np.linspace(0.0, 0.5 * seconds, TRAIN, endpoint=False), target=port.name)
        elif port.kind == "input" and port.symbol in compiled.parameter_index:
            raised = RAISED * compiled.default_values[port.symbol]
            whole = whole + setting(port.name, raised, start=0.25 * seconds, stop=0.5 * seconds)
    return whole


def _rewritten(
    model: Model,
    system: System,
    fast: Sequence[str],
    rows: Sequence[int],
    formulas: dict[str, Expr],
    balanced: np.ndarray,  # at time 0
) -> Model:
    """The model with rules for what is eliminated; reactions no longer change it."""
    equations = system.compiled.equations
    totals = system.total_formulas(rows)
    rates = dict(zip(equations.state_names, equations.rates, strict=True))
    waiting = [name for name in fast if name not in formulas]
    swap = totals | formulas
    residuals = substitute(substitute([rates[name] for name in waiting], totals), formulas)
    gone = {*fast, *totals}
    start = dict(zip(equations.state_names, balanced.tolist(), strict=True))
    species = tuple(_assigned(s, start[s.id]) if s.id in gone else s for s in model.species)
    rules = tuple(r for r in model.rules if not (isinstance(r, RateRule) and r.variable in gone))
    rules += tuple(AssignmentRule(name, formula) for name, formula in swap.items())
    rules += tuple(AlgebraicRule(residual) for residual in residuals)
    starts = system.total_starts(rows)
    parameters = tuple(
        Parameter(name, f.value if f.is_number else None, name=f"conserved total of {name[6:]}")
        for name, f in starts.items()
    )
    assignments = tuple(a for a in model.initial_assignments if a.symbol not in gone)
    assignments += tuple(InitialAssignment(name, f) for name, f in starts.items() if not f.is_number)
    return dataclasses.replace(
        model,
        id=f"{model.id}_quasi_steady",
        species=species,
        parameters=(*_fixed(model, rules, gone), *parameters),
        rules=rules,
        initial_assignments=assignments,
    )


def _assigned(species: Species, start: float) -> Species:
    """A species that rules set; `start` is where the search for an algebraic one begins."""
    return dataclasses.replace(
        species,
        is_boundary=True,
        is_constant=False,
        initial_amount=start if species.is_amount else None,
        initial_concentration=None if species.is_amount else start,
    )


def _fixed(model: Model, rules: Sequence[Any], gone: set[str]) -> tuple[Parameter, ...]:
    """Parameters that nothing changes are constant, so that no algebraic rule determines them."""
    moved = gone | {rule.variable for rule in rules if not isinstance(rule, AlgebraicRule)}
    moved |= {a.variable for event in model.events for a in event.assignments}
    return tuple(p if p.id in moved else dataclasses.replace(p, is_constant=True) for p in model.parameters)
