"""Every exception of the package.

Each inherits the builtin that a caller would expect, carries its facts as fields, and says what is
wrong, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cascades.trajectory import Trajectory


class CascadesError(Exception):
    """Anything that cascades refuses or could not do."""


class UnknownName(CascadesError, KeyError):
    """A model, species, parameter, solver or target that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        self.kind, self.name, self.known = kind, name, sorted(known)
        by_lower = {known_name.lower(): known_name for known_name in self.known}
        near = [by_lower[found] for found in difflib.get_close_matches(name.lower(), by_lower)]
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        else:
            shown = ", ".join(self.known[:20]) + (", ..." if len(self.known) > 20 else "")
            hint = f"known: {shown}" if self.known else "there are none"
        super().__init__(f"no {kind} named {name!r}; {hint}")

    __str__ = Exception.__str__  # KeyError would print the repr


class ModelError(CascadesError, ValueError):
    """A model that is not well formed.  `problems` has one sentence per defect, each with the id of
    the element that has it; all of them are reported at once."""

    def __init__(self, source: str, problems: Sequence[str]):
        self.source, self.problems = source, list(problems)
        listed = "".join(f"\n  {p}" for p in self.problems)
        super().__init__(f"{source}: {self._headline()}{listed}")

    def _headline(self) -> str:
        n = len(self.problems)
        return f"{n} problem{'s' if n != 1 else ''}"


class UnsupportedFeature(ModelError):
    """A valid model that uses something cascades does not support; every use is named."""

    def _headline(self) -> str:
        return "not supported"


class UnitError(ModelError):
    """Two places whose units differ."""

    def _headline(self) -> str:
        return "units do not agree"


class CompileError(CascadesError, RuntimeError):
    """Equations that could not be turned into code."""


class ProtocolError(CascadesError, ValueError):
    """A stimulus that makes no sense: `stimulus` is its name, `value` the offending value."""

    def __init__(self, stimulus: str, value: Any, reason: str):
        self.stimulus, self.value = stimulus, value
        super().__init__(f"{stimulus}: {reason} (got {value!r})")


class SolverFailure(CascadesError, RuntimeError):
    """Some members did not reach the end.  `trajectory` keeps what was computed; `failed` maps a
    member's index to (time reached, reason)."""

    def __init__(self, trajectory: Trajectory, failed: dict[int, tuple[float, str]]):
        self.trajectory, self.failed = trajectory, failed
        index, (t, reason) = next(iter(failed.items()))
        unit = trajectory.time_unit
        super().__init__(
            f"{len(failed)} of {trajectory.n_members} members failed; "
            f"member {index} stopped at t = {t:.6g} {unit}: {reason}"
        )


class NoEquilibrium(CascadesError, RuntimeError):
    """Newton and integration found no equilibrium.  `state` is the last iterate (a dict by name),
    `residual` its largest scaled rate."""

    def __init__(self, reason: str, state: dict[str, float], residual: float):
        self.reason, self.state, self.residual = reason, state, residual
        super().__init__(f"no equilibrium: {reason} (scaled residual {residual:.3g})")


class ContinuationError(CascadesError, ValueError):
    """A question about branches, folds or orbits that makes no sense: a range that is none, a parameter
    on which nothing depends, a start of the wrong kind."""


class NoiseError(CascadesError, ValueError):
    """A question about random paths or first passages that makes no sense for the process."""


class RuleError(CascadesError, ValueError):
    """A calcium rule that makes no sense, or that cannot be derived: `what` is the part concerned."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class NetworkError(CascadesError, ValueError):
    """A network that makes no sense or does not fit: `part` says which piece of the description."""

    def __init__(self, part: str, reason: str):
        self.part, self.reason = part, reason
        super().__init__(f"{part}: {reason}")


class CheckpointError(CascadesError, ValueError):
    """A saved state that cannot be continued: foreign, of another version, or damaged."""

    def __init__(self, path: Any, reason: str):
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class ExportError(CascadesError, ValueError):
    """A target that cannot express a feature; raised before any file is written."""

    def __init__(self, target: str, feature: str, reason: str):
        self.target, self.feature = target, feature
        super().__init__(f"{target} cannot express {feature}: {reason}")


class SimulatorError(CascadesError, RuntimeError):
    """Another simulator that is not there, or that stopped: `simulator` is its name."""

    def __init__(self, simulator: str, reason: str):
        self.simulator = simulator
        super().__init__(f"{simulator}: {reason}")


class OutputExists(CascadesError, FileExistsError):
    """An output folder or file that is there already."""

    def __init__(self, path: Any):
        self.path = path
        super().__init__(f"{path} exists; choose another --out or say --force to overwrite it")
