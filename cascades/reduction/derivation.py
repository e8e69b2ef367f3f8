"""What is known about one model while its rules are derived: states, well, drive, and the truth.

The levels of the ladder are made from it in `cascades.reduction.levels`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import CascadesError, RuleError
from cascades.expression import free_symbols
from cascades.reduction.answers import Answers, answers
from cascades.reduction.batch import Jumps, jumps_of
from cascades.reduction.certificate import joined
from cascades.reduction.constant import ConstantRuns, constant_runs, cubic_well, resting_well
from cascades.reduction.cut import clamp, keep
from cascades.reduction.drive import Drive, calibrated_trace, generated, largest_calcium, own
from cascades.reduction.families import TRAINING_CASES, Case, held_out, training, validation
from cascades.reduction.fit import Objective
from cascades.reduction.forms import Setting
from cascades.reduction.ladder import Report
from cascades.reduction.rule import CalciumTrace, WellTable
from cascades.reduction.states import RestingStates, resting_states
from cascades.simulate import simulate
from cascades.solvers import Solver

SHORTEST_REST, LONGEST_REST = 60.0, 3600.0  # [s] before an outcome is read
RELAXATIONS = 8.0  # of the slowest mode, in that rest
FASTEST = 20.0  # [1/s] relaxation of a weight that remembers more than calcium itself does


class Derivation:
    """What is known so far about one model; every part is computed once, when it is needed."""

    def __init__(
        self,
        compiled: CompiledModel,
        calcium: str,
        weight: str,
        *,
        seed: int,
        solver: str | Solver,
        rtol: float,
        budget: str,
        drive: CalciumTrace | None,
        progress: Report,
    ) -> None:
        compiled.formula(weight)
        self.compiled, self.calcium, self.weight = compiled, calcium, weight
        self.seed, self.solver, self.rtol, self.budget = seed, solver, rtol, budget
        self.given_trace, self.progress = drive, progress
        self.is_input = calcium in compiled.parameter_index
        self.notes: list[str] = []
        self._jumps: dict[int, Jumps] = {}
        self.clamped = CompiledModel(keep(clamp(compiled.equations, calcium), [weight]))
        equations = self.clamped.equations
        if not self.clamped.state_names:
            raise RuleError(weight, "it depends on no state: it is constant, or follows calcium at once")
        if calcium not in free_symbols(*equations.rates, self.clamped.formula(weight)):
            raise RuleError(
                weight, f"it does not depend on {calcium}, neither directly nor through other states"
            )

    # --- what the model is ------------------------------------------------------------------------

    @cached_property
    def resting_calcium(self) -> float:
        if self.is_input:
            at = self.compiled.default_values[self.calcium]
            return self.given_trace.rest if self.given_trace else float(at)
        quiet = CompiledModel(keep(self.compiled.equations, [self.calcium]))
        run = simulate(quiet, [0.0, 100.0], solver=self.solver, rtol=self.rtol)
        return float(np.asarray(run[self.calcium])[0, -1])

    @cached_property
    def states(self) -> RestingStates:
        self.progress("resting states", 0.02)
        found = resting_states(
            self.clamped, self.calcium, self.weight, self.resting_calcium, solver=self.solver, rtol=self.rtol
        )
        if not found.is_bistable and found.slowest.size and found.slowest[0] > FASTEST:
            raise RuleError(
                self.weight,
                f"no slow variable: it is at rest within {1e3 / found.slowest[0]:.2g} ms of every change of "
                f"{self.calcium}, so that nothing is remembered and there is no rule to derive",
            )
        if not found.is_bistable:
            self.notes.append("the model has one resting state: the rule is graded, UP means rho > 0.5")
        elif found.count > 2:
            self.notes.append(
                f"the model has {found.count} resting states; rho is 0 in the lowest and 1 in the highest"
            )
        return found

    @cached_property
    def rest(self) -> float:
        """Time [s] after a protocol at which the outcome is read."""
        slowest = float(self.states.slowest[0]) if self.states.slowest.size else 0.0
        return float(np.clip(RELAXATIONS / max(slowest, 1e-9), SHORTEST_REST, LONGEST_REST))

    @cached_property
    def well(self) -> WellTable:
        return resting_well(self.states)

    @cached_property
    def cubic(self) -> tuple[float, float, float]:
        tau, rho_star, r2 = cubic_well(self.well)
        return tau, rho_star, r2

    @cached_property
    def drive(self) -> Drive:
        self.progress("calcium", 0.08)
        how = {"solver": self.solver, "rtol": self.rtol}
        if not self.is_input:
            found = own(self.compiled, self.calcium, self.weight, self.states, self.clamped, **how)  # type: ignore[arg-type]
            self.notes.append(
                f"the exponential calcium trace follows the spine's calcium with R2 = {found.trace_r2:.3f}"
            )
            return found
        trace = self.given_trace or calibrated_trace(
            self.clamped,
            self.calcium,
            self.weight,
            self.states,
            **how,  # type: ignore[arg-type]
        )
        return generated(self.clamped, self.calcium, self.states, trace)

    # --- what the full model does -----------------------------------------------------------------

    def ask(self, cases: list[Case]) -> Answers:
        """The full model in these experiments."""
        return answers(
            self.drive.model, self.weight, self.states, self.drive.initial, cases, self.rest,
            delay=self.drive.delay, ports=self.drive.ports, solver=self.solver, rtol=self.rtol,
        )  # fmt: skip

    @cached_property
    def training(self) -> Answers:
        cases = training(TRAINING_CASES[self.budget], seed=self.seed)
        self.drive  # noqa: B018  (its progress comes first)
        self.progress("random trains", 0.15)
        found = self.ask(cases)
        if found.failed:
            self.notes.append(f"the full model failed in {found.failed} of {found.final.size} training runs")
        return found

    @cached_property
    def validation(self) -> dict[str, Answers]:
        """The families that choices are made by."""
        return self._families("validation", validation(self.budget), 0.2)

    @cached_property
    def held_out(self) -> dict[str, Answers]:
        """The families that judge; nothing is chosen by them."""
        return self._families("held-out", held_out(self.budget), 0.3)

    def _families(self, what: str, families: dict[str, list[Case]], begun: float) -> dict[str, Answers]:
        found = {}
        for i, (name, cases) in enumerate(families.items()):
            self.progress(f"{what} protocols: {name}", begun + 0.1 * i / len(families))
            found[name] = self.ask(cases)
        failed = sum(answer.failed for answer in found.values())
        if failed:
            self.notes.append(f"the full model failed in {failed} {what} runs, which are left out")
        return found

    @cached_property
    def full_cost(self) -> float:
        return joined(list(self.held_out.values())).seconds

    @cached_property
    def highest(self) -> float:
        return largest_calcium(self.training.cases, self.drive.trace)

    @cached_property
    def highest_anywhere(self) -> float:
        """The largest calcium of any protocol, held-out ones included."""
        every = [*self.validation.values(), *self.held_out.values()]
        cases = [case for answer in every for case in answer.cases]
        return max(self.highest, largest_calcium(cases, self.drive.trace))

    @cached_property
    def constant(self) -> ConstantRuns:
        self.progress("constant calcium", 0.12)
        return constant_runs(
            self.clamped, self.calcium, self.weight, self.states, self.well, 1.5 * self.highest,
            solver=self.solver, rtol=self.rtol,
        )  # fmt: skip

    # --- what the levels share ------------------------------------------------------------------------

    @cached_property
    def setting(self) -> Setting:
        tau, rho_star, _ = self.cubic
        return Setting(self.drive.trace, self.well, (tau, rho_star), self.states.rho_star, self.highest)

    @cached_property
    def objective(self) -> Objective:
        return Objective(self.jumps(self.training), self.training, self.rest)

    def jumps(self, answer: Answers) -> Jumps:
        """The calcium jumps of its cases."""
        if id(answer) not in self._jumps:
            self._jumps[id(answer)] = jumps_of(answer.cases, self.drive.trace)
        return self._jumps[id(answer)]

    def domain(self) -> dict[str, Any]:
        """Where the scores were measured."""
        cases = [case for answer in self.held_out.values() for case in answer.cases]
        return {
            "calcium": (self.states.rest, largest_calcium(cases, self.drive.trace)),
            "duration": (min(c.end for c in cases), max(c.end for c in cases)),
            "spikes": (
                min(len(c.pre) + len(c.post) for c in cases),
                max(len(c.pre) + len(c.post) for c in cases),
            ),
            "scale": (min(c.scale for c in cases), max(c.scale for c in cases)),
        }

    def folds(self) -> list[float]:
        """Calcium levels at which a branch of equilibria through DOWN or UP folds."""
        from cascades.continuation import continuation

        found: list[float] = []
        reach = 20.0 * self.states.potentiates
        bounds = (0.2 * self.states.rest or 1e-3, reach if np.isfinite(reach) else 2.0 * self.highest)
        for state in (self.states.down, self.states.up)[: 2 if self.states.is_bistable else 1]:
            start = dict(zip(self.clamped.state_names, map(float, state), strict=True))
            try:
                branch = continuation(
                    self.clamped, self.calcium, bounds, start=start, values={self.calcium: self.states.rest}
                )
            except (CascadesError, ValueError) as error:
                self.notes.append(f"no branch of equilibria: {error}")
                continue
            found += [float(p.value) for p in branch.special_points if p.kind == "fold"]
        return sorted({round(value, 9) for value in found})

    def details(self) -> dict[str, Any]:
        return {
            "states": self.states,
            "well": self.well,
            "cubic": self.cubic,
            "constant": self.constant,
            "trace": self.drive.trace,
            "trace_r2": self.drive.trace_r2,
            "training": self.training,
            "validation": self.validation,
            "held_out": self.held_out,
            "rest": self.rest,
            "derivation": self,
        }
