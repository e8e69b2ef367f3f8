"""A shipped model with its own measured claims as a fit problem."""

from __future__ import annotations

from collections.abc import Sequence

from cascades.card import Claim, model_card
from cascades.errors import UnknownName
from cascades.expression import number, symbol
from cascades.fitting.problem import Experiment, FitParameter, FitProblem, Measurement, Observable, Period
from cascades.library import load_model

DECADES = 3.0  # bounds to either side of the nominal value


def from_claims(name: str, unknown: Sequence[str]) -> FitProblem:
    """The claims of a model that carry standard errors and read an observable at a time, as data.

    Each value of a claim is one experiment, named after the claim and the dose.  `unknown` are the
    parameters to estimate, on a logarithmic scale, within three decades of the model's values.

    Raises UnknownName for a model or parameter that does not exist.
    """
    model = load_model(name)
    values = {parameter.id: parameter.value for parameter in model.parameters}
    for parameter in unknown:
        if values.get(parameter) is None:
            raise UnknownName("parameter with a value", parameter, [k for k, v in values.items() if v])
    parameters = tuple(
        FitParameter(p, float(values[p] or 0.0), float(values[p] or 0.0) / 10**DECADES,
                     float(values[p] or 0.0) * 10**DECADES) for p in unknown
    )  # fmt: skip
    observables: dict[str, Observable] = {}
    experiments: list[Experiment] = []
    measurements: list[Measurement] = []
    for claim in model_card(name).claims:
        if claim.measure == "at" and claim.standard_error:
            _add(claim, observables, experiments, measurements)
    return FitProblem(
        name, model, parameters, tuple(observables.values()), tuple(experiments), tuple(measurements)
    )


def _add(
    claim: Claim,
    observables: dict[str, Observable],
    experiments: list[Experiment],
    measurements: list[Measurement],
) -> None:
    arguments = claim.arguments
    of, fixed = arguments["of"], dict(arguments.get("values", {}))
    ((varied, doses),) = arguments["vary"].items()
    noise = f"error_of_{of}"
    observables[of] = Observable(of, symbol(of), symbol(noise), noise_placeholders=(noise,))
    rows = zip(doses, claim.expected, claim.standard_error or (), strict=True)
    for i, (dose, value, error) in enumerate(rows):
        experiment = f"{claim.name} #{i} {varied}={dose!r}"
        settings = {key: number(v) for key, v in {**fixed, varied: dose}.items()}
        experiments.append(Experiment(experiment, (Period(0.0, settings),)))
        measurements.append(
            Measurement(of, experiment, float(arguments["time"]), value, (), (number(error),))
        )
