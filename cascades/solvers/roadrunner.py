"""CVODE (Hindmarsh et al. 2005, ACM TOMS 31:363) as libroadrunner runs it: the independent check.

libroadrunner reads the model from SBML itself, so nothing of our compiler is in its answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cascades.errors import CompileError
from cascades.model import Model, Species
from cascades.solvers.base import SOLVER_ERROR, Integration, Solution, Solver
from cascades.solvers.segments import Stopped, integrate_members


class CVODE(Solver):
    """libroadrunner's CVODE, restarted at every stop."""

    name = "cvode"
    handles_events = True

    def integrate(self, problem: Integration) -> Solution:
        runner = _load(problem)
        return integrate_members(problem, lambda member: _Member(problem, runner, member).advance)


def _load(problem: Integration) -> Any:
    import roadrunner

    from cascades.sbml.write import to_sbml

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    runner = roadrunner.RoadRunner(to_sbml(_model(problem)))
    runner.setIntegrator("cvode")
    integrator = runner.integrator
    integrator.relative_tolerance = problem.rtol
    integrator.absolute_tolerance = float(problem.atol.min())
    integrator.maximum_num_steps = 200_000
    integrator.variable_step_size = False
    return runner


class _Member:
    """One member's run.  Values that did not change are not sent again."""

    def __init__(self, problem: Integration, runner: Any, member: int):
        runner.resetAll()  # reset() would keep what events changed
        self.runner = runner
        equations, model = problem.compiled.equations, _model(problem)
        self.names = [_selection(model, name) for name in equations.state_names]
        self.parameter_names = [
            _selection(model, name) if name in model.by_id else name for name in equations.parameter_names
        ]
        self.sent = np.full(len(self.parameter_names), np.nan)
        self.last: np.ndarray | None = None

    def advance(self, t: float, end: float, outputs: np.ndarray, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        for i in np.flatnonzero(p != self.sent):
            self.runner.setValue(self.parameter_names[i], p[i])
            self.sent[i] = p[i]
        changed = np.ones(y.size, dtype=bool) if self.last is None else y != self.last
        for i in np.flatnonzero(changed):
            self.runner.setValue(self.names[i], y[i])
        self.runner.timeCourseSelections = self.names
        rows: list[np.ndarray] = []
        now = t
        for stop in [*outputs, end]:
            if stop > now:
                try:
                    self.runner.oneStep(now, stop - now, bool(now == t))
                except RuntimeError as error:
                    raise Stopped(now, SOLVER_ERROR, rows) from error
                now = stop
            rows.append(np.array([self.runner.getValue(name) for name in self.names]))
        self.last = rows[-1]
        return np.array(rows)


def _selection(model: Model, state: str) -> str:
    """libroadrunner's name of a state: brackets where the state is a concentration."""
    if state not in model.by_id:
        return state.removesuffix("_amount")  # of a species in a compartment that changes its size
    element = model.by_id[state]
    if not isinstance(element, Species) or element.is_amount:
        return state
    return f"[{state}]" if model.by_id[element.compartment].is_constant else state


def _model(problem: Integration) -> Model:
    if problem.compiled.model is None:
        raise CompileError("libroadrunner reads models; these equations come from none: use another solver")
    return problem.compiled.model
