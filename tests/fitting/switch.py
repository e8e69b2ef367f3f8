"""A positive feedback with a fold and an outcome in closed form or by quadrature."""

from __future__ import annotations

from cascades.expression import number, symbol
from cascades.fitting.features import Feature
from cascades.fitting.problem import Experiment, FitParameter, FitProblem, Period
from cascades.model import Compartment, Model, Parameter, Reaction, Species, SpeciesReference

_X, _SIGNAL, _K, _V, _LOSS, _CELL = (symbol(n) for n in ("X", "signal", "K", "vmax", "loss", "cell"))
NOMINAL = {"K": 1.0, "vmax": 2.0, "loss": 0.8}

# X' = signal + vmax X^2 / (K^2 + X^2) - loss X
SWITCH = Model(
    id="switch",
    compartments=(Compartment("cell", 1.0),),
    species=(Species("X", "cell", initial_concentration=0.0),),
    parameters=(Parameter("signal", 0.0), *(Parameter(n, v) for n, v in NOMINAL.items())),
    reactions=(
        Reaction("make", (), (SpeciesReference("X"),), rate=_CELL * (_SIGNAL + _V * _X**2 / (_K**2 + _X**2))),
        Reaction("lose", (SpeciesReference("X"),), (), rate=_CELL * _LOSS * _X),
    ),
)

EXPERIMENTS = (
    Experiment("rest", (Period(0.0),)),
    Experiment("signal", (Period(0.0, {"signal": number(0.3)}),)),
    Experiment("pulse", (Period(0.0, {"signal": number(1.0)}), Period(0.7, {"signal": number(0.0)}))),
    Experiment("short", (Period(0.0, {"signal": number(1.0)}), Period(0.4, {"signal": number(0.0)}))),
)


def switch_problem(*features: Feature) -> FitProblem:
    parameters = tuple(FitParameter(n, v, v / 10.0, v * 10.0) for n, v in NOMINAL.items())
    return FitProblem("switch", SWITCH, parameters, (), EXPERIMENTS, (), features)
