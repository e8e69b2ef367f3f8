"""Fitting kinetic models to data: problems, objective, optimisation, identifiability."""

from cascades.fitting.features import Feature as Feature
from cascades.fitting.features import bistable as bistable
from cascades.fitting.features import flip as flip
from cascades.fitting.features import fold_position as fold_position
from cascades.fitting.features import outcome as outcome
from cascades.fitting.features import switching_time as switching_time
from cascades.fitting.features import up_and_down as up_and_down
from cascades.fitting.global_sensitivity import GlobalSensitivity as GlobalSensitivity
from cascades.fitting.global_sensitivity import morris_screening as morris_screening
from cascades.fitting.global_sensitivity import sobol_indices as sobol_indices
from cascades.fitting.identifiability import Identifiability as Identifiability
from cascades.fitting.identifiability import identifiability as identifiability
from cascades.fitting.optimise import fit as fit
from cascades.fitting.posterior import sample_posterior as sample_posterior
from cascades.fitting.problem import FitProblem as FitProblem
from cascades.fitting.profile import Profile as Profile
from cascades.fitting.profile import profile as profile
from cascades.fitting.pypesto_adapter import to_pypesto as to_pypesto
from cascades.fitting.result import FitResult as FitResult
from cascades.fitting.stimulation import stimulated as stimulated
from cascades.fitting.tables import FitError as FitError
