"""From dendritic spine biochemistry to a learning rule to a network.

Every public name is here and is loaded when it is first used, so that `import cascades` is quick.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# Where each public name lives, in the order of the science.
_PUBLIC = {
    "cascades.model": ("Model",),
    "cascades.library": ("load_model", "model_names"),
    "cascades.compose": ("compose",),
    "cascades.compiler.compiled": ("compile_model", "CompiledModel"),
    "cascades.protocols": (
        "Protocol", "pulse_train", "lfs", "hfs", "theta_burst", "pairing", "poisson", "spikes", "setting",
        "rest", "overlay",
    ),
    "cascades.simulate": ("simulate", "steady_state"),
    "cascades.steady": ("SteadyState",),
    "cascades.trajectory": ("Trajectory",),
    "cascades.continuation": (
        "equilibria", "continuation", "branches", "fold_curve", "hopf_curve", "region_map", "periodic_orbits",
        "Branch", "ContinuationSettings",
    ),
    "cascades.fitting": ("fit", "FitProblem", "FitResult"),
    "cascades.reduction": ("derive_rule", "CalciumRule", "RuleLadder"),
    "cascades.network": ("Network", "balanced_network", "run_network", "run_networks", "Recording"),
    "cascades.export": ("export", "run_on_nest", "TARGETS"),
    "cascades.citation": ("cite",),
    "cascades.errors": (
        "CascadesError", "UnknownName", "ModelError", "UnsupportedFeature", "UnitError", "CompileError",
        "ProtocolError", "SolverFailure", "NoEquilibrium", "RuleError", "NetworkError", "CheckpointError",
        "ExportError", "SimulatorError", "OutputExists",
    ),
}  # fmt: skip
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    try:
        module = importlib.import_module(_HOME[name])
    except KeyError:
        raise AttributeError(f"module 'cascades' has no attribute {name!r}") from None
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Where a function and the file it lives in share a name, `cascades.simulate` is the function;
    `from cascades.simulate import ...` still reads the file."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in _HOME):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
