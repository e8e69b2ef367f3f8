"""A fit problem with a closed form: A decays to B at rate k, both are observed."""

from __future__ import annotations

import numpy as np

from cascades.expression import number, symbol
from cascades.fitting.problem import (
    Experiment,
    FitParameter,
    FitProblem,
    Measurement,
    Observable,
    Period,
)
from tests.models import DECAY

TIMES = (0.5, 1.0, 2.0, 4.0)
TRUE = {"k": 0.7, "scale": 3.0, "sigma": 0.05}


def decay_problem(noise_seed: int | None = 1, *, distribution: str = "normal") -> FitProblem:
    """Two experiments that start from A = 1 and A = 2; `scale` multiplies what is seen of A."""
    noise = np.zeros(2 * len(TIMES))
    if noise_seed is not None:
        noise = np.random.default_rng(noise_seed).normal(0.0, TRUE["sigma"], noise.size)
    measured = []
    for start, name in ((1.0, "one"), (2.0, "two")):
        for t in TIMES:
            seen = TRUE["scale"] * start * np.exp(-TRUE["k"] * t) + noise[len(measured)]
            measured.append(Measurement("seen_A", name, t, float(seen)))
    observable = Observable("seen_A", symbol("scale") * symbol("A"), symbol("sigma"), distribution)
    return FitProblem(
        name="decay",
        model=DECAY,
        parameters=(
            FitParameter("k", 0.5, 0.01, 10.0),
            FitParameter("scale", 1.0, 0.1, 10.0),
            FitParameter("sigma", 0.1, 0.001, 1.0),
        ),
        observables=(observable,),
        experiments=(
            Experiment("one", (Period(0.0),)),
            Experiment("two", (Period(0.0, {"A": number(2.0)}),)),
        ),
        measurements=tuple(measured),
    )
