"""Equilibria, branches, their folds and Hopf points, and curves of these in two parameters."""

from __future__ import annotations

from cascades.continuation.branch import Branch, SpecialPoint
from cascades.continuation.compiled import as_problem
from cascades.continuation.diagram import RegionMap, branches, region_map
from cascades.continuation.ensemble import BranchEnsemble, branch_ensemble
from cascades.continuation.equilibria import equilibria
from cascades.continuation.one_parameter import continuation
from cascades.continuation.orbit_branch import Orbit, OrbitBranch
from cascades.continuation.orbits import orbit_from_simulation, periodic_orbits
from cascades.continuation.problem import Problem
from cascades.continuation.rhythm import Pulse, Rhythm, rhythmic_orbits
from cascades.continuation.separatrix import Separatrix, Threshold, outcomes, separatrix, thresholds
from cascades.continuation.settings import ContinuationSettings
from cascades.continuation.symbolic import SymbolicProblem
from cascades.continuation.two_parameter import fold_curve, fold_curves, hopf_curve, hopf_curves

__all__ = [
    "Branch",
    "BranchEnsemble",
    "ContinuationSettings",
    "Orbit",
    "OrbitBranch",
    "Problem",
    "Pulse",
    "RegionMap",
    "Rhythm",
    "Separatrix",
    "SpecialPoint",
    "SymbolicProblem",
    "Threshold",
    "as_problem",
    "branch_ensemble",
    "branches",
    "continuation",
    "equilibria",
    "fold_curve",
    "fold_curves",
    "hopf_curve",
    "hopf_curves",
    "orbit_from_simulation",
    "outcomes",
    "periodic_orbits",
    "region_map",
    "rhythmic_orbits",
    "separatrix",
    "thresholds",
]
