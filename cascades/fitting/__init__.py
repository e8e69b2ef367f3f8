"""Fitting kinetic models to data: problems, objective, optimisation, identifiability."""

from cascades.fitting.identifiability import Identifiability as Identifiability
from cascades.fitting.identifiability import identifiability as identifiability
from cascades.fitting.optimise import fit as fit
from cascades.fitting.problem import FitProblem as FitProblem
from cascades.fitting.profile import Profile as Profile
from cascades.fitting.profile import profile as profile
from cascades.fitting.result import FitResult as FitResult
from cascades.fitting.tables import FitError as FitError
