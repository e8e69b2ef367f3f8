"""The derivation, step by step: states, well, constant runs, answers, fits, certificates."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.errors import CascadesError, RuleError
from cascades.expression import free_symbols
from cascades.reduction import fit as fitting
from cascades.reduction.answers import Answers, answers
from cascades.reduction.batch import STEPS, Jumps, jumps_of, replay_cases
from cascades.reduction.certificate import Certificate, joined, score
from cascades.reduction.constant import ConstantRuns, constant_runs, cubic_well, resting_well
from cascades.reduction.cut import clamp, keep
from cascades.reduction.drive import Drive, calibrated_trace, generated, largest_calcium, own
from cascades.reduction.exact import exact_rule
from cascades.reduction.families import TRAINING_CASES, held_out, training
from cascades.reduction.ladder import Level, Report
from cascades.reduction.rule import CalciumRule, CalciumTrace, WellTable
from cascades.reduction.states import RestingStates, resting_states
from cascades.simulate import simulate
from cascades.solvers import Solver

GENERATIONS = {"full": 50, "quick": 16}
SHORTEST_REST, LONGEST_REST = 60.0, 600.0  # [s] before an outcome is read
RELAXATIONS = 8.0  # of the slowest mode, in that rest


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

    def _ask(self, cases: list[Any]) -> Answers:
        return answers(
            self.drive.model, self.weight, self.states, self.drive.initial, cases, self.rest,
            delay=self.drive.delay, ports=self.drive.ports, solver=self.solver, rtol=self.rtol,
        )  # fmt: skip

    @cached_property
    def training(self) -> Answers:
        cases = training(TRAINING_CASES[self.budget], seed=self.seed)
        self.drive  # noqa: B018  (its progress comes first)
        self.progress("random trains", 0.15)
        found = self._ask(cases)
        if found.failed:
            self.notes.append(f"the full model failed in {found.failed} of {found.final.size} training runs")
        return found

    @cached_property
    def held_out(self) -> dict[str, Answers]:
        found = {}
        families = held_out(self.budget)
        for i, (name, cases) in enumerate(families.items()):
            self.progress(name, 0.25 + 0.25 * i / len(families))
            found[name] = self._ask(cases)
        failed = sum(answer.failed for answer in found.values())
        if failed:
            self.notes.append(f"the full model failed in {failed} held-out runs, which are left out")
        return found

    @cached_property
    def full_cost(self) -> float:
        return joined(list(self.held_out.values())).seconds

    @cached_property
    def highest(self) -> float:
        return largest_calcium(self.training.cases, self.drive.trace)

    @cached_property
    def constant(self) -> ConstantRuns:
        self.progress("constant calcium", 0.12)
        return constant_runs(
            self.clamped, self.calcium, self.weight, self.states, self.well, 1.5 * self.highest,
            solver=self.solver, rtol=self.rtol,
        )  # fmt: skip

    # --- the levels ---------------------------------------------------------------------------------

    @cached_property
    def setting(self) -> fitting.Setting:
        tau, rho_star, _ = self.cubic
        return fitting.Setting(
            self.drive.trace, self.well, (tau, rho_star), self.states.rho_star, self.highest
        )

    @cached_property
    def objective(self) -> fitting.Objective:
        return fitting.Objective(self.jumps(self.training), self.training, self.rest)

    @cached_property
    def fits(self) -> dict[str, fitting.Fit]:
        return {}

    def levels(self) -> tuple[Level, ...]:
        """Most faithful first."""
        self.held_out  # noqa: B018  (its progress comes before that of the fits)
        exact = self.exact()
        if exact:
            return (*exact, *self.fitted_levels(), self.graded())
        few = self.few_equations() if self.budget == "full" else []
        return (*few, *self.fitted_levels(), self.graded())

    def exact(self) -> list[Level]:
        """The rule that the model is, if it is one."""
        found = exact_rule(
            self.clamped, self.calcium, self.weight, self.states, self.drive.trace, self.highest
        )
        if found is None:
            return []
        self.notes.append("the model is a calcium rule; the exact level is read off its equations")
        return [self.level("exact", self.named(found, "exact"), 0, None)]

    def few_equations(self) -> list[Level]:
        """The slow manifold, if the model has one that is found without knowing its molecules."""
        from cascades.reduction.few import few_equations
        from cascades.reduction.manifold import slow_manifold

        self.progress("slow manifold", 0.5)
        cases = [case for answer in self.held_out.values() for case in answer.cases]
        top = max(self.highest, largest_calcium(cases, self.drive.trace))
        try:
            manifold = slow_manifold(self.clamped, self.calcium, self.weight, self.states, top)
        except RuleError as error:
            self.notes.append(f"no few-equation level: {error.reason}")
            return []
        replay = few_equations(manifold, self.drive.trace.tau)
        replay(_first(self.objective.jumps), self.rest)  # compiled before it is timed

        def judge(answer: Answers) -> tuple[np.ndarray, np.ndarray]:
            return replay(self.jumps(answer), self.rest)

        filled = f"{manifold.unsolved:.1%} of the table is filled from its neighbours"
        notes = (f"kept: {self.weight}, {', '.join(manifold.kept)}", filled)
        certificate, seconds = self.certificate(judge, None, notes)
        name = f"slow manifold, {manifold.size} equations"
        return [Level(name, manifold, certificate, seconds, 0)]

    def fitted_levels(self) -> list[Level]:
        """The richer forms begin where the simpler ones ended; the quick budget has the step rule only."""
        setting = self.setting
        if not self.states.is_bistable:  # a double well would be a fiction
            return [self.fitted(fitting.step_table_form(setting))]
        step = self.fitted(fitting.step_form(setting))
        if self.budget == "quick":
            return [step]
        x = self.fits["step thresholds, cubic well"].x
        table = self.fitted(fitting.step_table_form(setting), x[:4])
        sharp = [np.append(x, [n, n]) for n in (0.4, 0.9)]
        hill = self.fitted_smooth(fitting.hill_form(setting), sharp)
        smooth = self.fits["Hill thresholds, cubic well"]
        general = self.fitted_smooth(
            fitting.general_form(setting), [fitting.general_start(setting, smooth)], iterations=30
        )
        any_rates = self.fits["general rates Gp(c), Gd(c)"]
        two = self.fitted_smooth(
            fitting.filter_form(setting), fitting.filter_starts(any_rates), iterations=20, simplex=110
        )
        return [two, general, hill, step, table]

    def graded(self) -> Level:
        """The Omega / eta rule of constant calcium: nothing is fitted to a protocol."""
        runs = self.constant
        table = runs.table()
        up, down = runs.potentiation, runs.depression
        rule = self.named(
            CalciumRule(
                theta_d=_half(runs.calcium, down), theta_p=_half(runs.calcium, up), gamma_d=float(down.max()),
                gamma_p=float(up.max()), tau=self.cubic[0], rho_star=self._star, calcium=self.drive.trace,
                rates=table, well="table", well_table=self.well,
            ),
            "graded drift (Omega, eta)",
        )  # fmt: skip
        error = np.sqrt(np.mean(runs.rmse**2))
        note = f"rates at constant calcium fit the runs with an rms error of {error:.3f}"
        return self.level("graded drift (Omega, eta)", rule, 0, None, (note,))

    def fitted(self, form: fitting.Form, start: np.ndarray | None = None) -> Level:
        self.progress(f"fit: {form.name}", 0.55 + 0.08 * len(self.fits))
        if start is not None:
            return self._judged(fitting.fit_near(form, self.objective, start, evaluations=110 * start.size))
        generations = GENERATIONS[self.budget]
        return self._judged(fitting.fit(form, self.objective, generations=generations, seed=self.seed))

    def fitted_smooth(
        self, form: fitting.Form, starts: list[np.ndarray], *, iterations: int = 20, simplex: int = 220
    ) -> Level:
        self.progress(f"fit: {form.name}", 0.55 + 0.08 * len(self.fits))
        return self._judged(
            fitting.fit_smooth(form, self.objective, starts, iterations=iterations, simplex=simplex)
        )

    def _judged(self, found: fitting.Fit) -> Level:
        form = found.form
        self.fits[form.name] = found
        stopped = f"the optimiser stopped after {found.evaluations} evaluations, not converged"
        notes = () if found.converged else (stopped,)
        rule = self.named(found.rule, form.name)
        return self.level(form.name, rule, len(form.numbers), found.converged, notes)

    @property
    def _star(self) -> float:
        return float(np.clip(self.states.rho_star, 1e-3, 1.0 - 1e-3))

    def named(self, rule: CalciumRule, name: str) -> CalciumRule:
        import cascades

        provenance = {
            "model": self.compiled.name,
            "equations": self.compiled.equations.content_hash,
            "calcium": self.calcium,
            "weight": self.weight,
            "level": name,
            "down": self.states.low,
            "up": self.states.high,
            "training": f"{len(self.training.cases)} random trains, seed {self.seed}",
            "budget": self.budget,
            "rest": self.rest,
            "solver": self.solver if isinstance(self.solver, str) else self.solver.name,
            "rtol": self.rtol,
            "versions": {"cascades": cascades.__version__, "numpy": np.__version__},
        }
        return dataclasses.replace(rule, name=name, provenance=provenance)

    def level(
        self, name: str, rule: CalciumRule, fitted: int, converged: bool | None, notes: tuple[str, ...] = ()
    ) -> Level:
        """Judge a rule; the errors become part of its provenance."""

        def judge(answer: Answers) -> tuple[np.ndarray, np.ndarray]:
            end, final = replay_cases(rule, self.jumps(answer), self.rest, steps=2 * STEPS)
            return end, _outcome(final, rule, self.states.rho_star)

        replay_cases(rule, _first(self.objective.jumps), self.rest)  # compiled before it is timed
        certificate, seconds = self.certificate(judge, converged, notes)
        overall = certificate.overall
        errors = {"r2": overall.r2, "rmse": overall.rmse, "outcome_accuracy": overall.outcome_accuracy}
        rule = dataclasses.replace(rule, provenance={**rule.provenance, "held_out": errors})
        return Level(name, rule, certificate, seconds, fitted)

    def certificate(
        self,
        judge: Callable[[Answers], tuple[np.ndarray, np.ndarray]],
        converged: bool | None,
        notes: tuple[str, ...],
    ) -> tuple[Certificate, float]:
        """Scores of a level that answers with efficacies, and its seconds per held-out run."""
        star = self.states.rho_star
        for answer in (self.training, *self.held_out.values()):
            self.jumps(answer)  # what every level is given, so not part of its cost
        usual = bool(np.nanmean(self.training.final > star) > 0.5)
        clock = time.perf_counter()
        said = {name: judge(answer) for name, answer in self.held_out.items()}
        runs = 2 * sum(len(answer.cases) for answer in self.held_out.values())
        seconds = (time.perf_counter() - clock) / max(1, runs)
        families = {name: score(answer, *said[name], star, usual) for name, answer in self.held_out.items()}
        together = [np.concatenate([said[name][i] for name in said]) for i in range(2)]
        overall = score(joined(list(self.held_out.values())), together[0], together[1], star, usual)
        trained = score(self.training, *judge(self.training), star, usual)
        return Certificate(families, overall, trained, self.domain(), converged, notes), seconds

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

    # --- beside the levels ----------------------------------------------------------------------------

    def thresholds(self) -> dict[str, Any]:
        """Effective thresholds of the step rule beside the folds at constant calcium."""
        entry: dict[str, Any] = {}
        found = next((f for name, f in self.fits.items() if name.startswith("step thresholds")), None)
        if found is not None:
            for number in ("theta_d", "theta_p"):
                entry[f"effective {number}"] = getattr(found.rule, number)
                if self.budget == "full":
                    self.progress(f"profile: {number}", 0.95)
                    ends = fitting.profile_interval(found, number, self.objective)
                    entry[f"effective {number}, 95 %"] = tuple(self.setting.threshold(x) for x in ends)
        entry["physical (folds)"] = self.folds()
        return entry

    def folds(self) -> list[float]:
        """Calcium levels at which a branch of equilibria through DOWN or UP folds."""
        from cascades.continuation import continuation

        found: list[float] = []
        bounds = (0.2 * self.states.rest or 1e-3, 20.0 * self.states.potentiates)
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
            "held_out": self.held_out,
            "rest": self.rest,
            "fits": dict(self.fits),
        }


def _outcome(final: np.ndarray, rule: CalciumRule, rho_star: float) -> np.ndarray:
    """Outcomes by the rule's own separatrix, on the scale of the model's."""
    own_star = rho_star if rule.well == "table" else rule.rho_star
    return np.where(final > own_star, np.maximum(final, rho_star + 1e-9), np.minimum(final, rho_star - 1e-9))


def _half(calcium: np.ndarray, rate: np.ndarray) -> float:
    """The least calcium at which a rate has half of its maximum."""
    return float(calcium[np.argmax(rate >= 0.5 * rate.max())]) if rate.max() > 0.0 else float("inf")


def _first(jumps: Jumps) -> Jumps:
    n = int(jumps.offset[1])
    return Jumps(jumps.times[:n], jumps.sizes[:n], jumps.offset[:2], jumps.end[:1])
