"""Methods that integrate the equations in time, one file each; `METHODS` names them all."""

from __future__ import annotations

from cascades.errors import UnknownName
from cascades.solvers.base import REASONS, Integration, Solution, Solver
from cascades.solvers.roadrunner import CVODE
from cascades.solvers.rodas5p import Rodas5P
from cascades.solvers.scipy_methods import BDF, LSODA, Radau

METHODS: dict[str, Solver] = {
    "rodas5p": Rodas5P(),
    "lsoda": LSODA(),
    "bdf": BDF(),
    "radau": Radau(),
    "cvode": CVODE(),
}
DEFAULT = "rodas5p"


def solver_named(solver: str | Solver) -> Solver:
    """The solver itself, or the entry of `METHODS` with that name.  Raises UnknownName."""
    if not isinstance(solver, str):
        return solver
    if solver not in METHODS:
        raise UnknownName("solver", solver, METHODS)
    return METHODS[solver]


__all__ = ["DEFAULT", "METHODS", "REASONS", "Integration", "Solution", "Solver", "solver_named"]
