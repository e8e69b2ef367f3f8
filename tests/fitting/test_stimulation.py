"""Protocols in experiments: the same trajectories as `simulate`, and rows of PEtab version 2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("petab")

from cascades import compile_model, pulse_train, setting, simulate
from cascades.errors import ProtocolError
from cascades.expression import number, symbol
from cascades.fitting import FitProblem
from cascades.fitting.problem import FitParameter, Measurement, Observable, Period
from cascades.fitting.stimulation import stimulated
from tests.fitting.problems import decay_problem
from tests.models import DECAY

TIMES = (0.05, 0.5, 1.2, 3.0)
AGREEMENT = 1e-7  # both integrate at 1e-8
PROTOCOL = pulse_train(rate=5.0, count=4, start=0.1, target="release") + setting(
    "rate", 1.5, start=0.4, stop=0.9
)


def problem(protocol=PROTOCOL):
    experiment = stimulated("pulses", DECAY, protocol)
    return FitProblem(
        "pulses",
        DECAY,
        (FitParameter("jump", 2.0, 0.1, 10.0), FitParameter("gain", 1.0, 0.1, 10.0)),
        (Observable("seen", symbol("gain") * symbol("A"), number(1.0)),),
        (experiment,),
        tuple(Measurement("seen", "pulses", t, 0.0) for t in TIMES),
    )


def test_a_protocol_gives_the_trajectory_of_simulate():
    ours = problem()
    run = simulate(compile_model(DECAY), TIMES, protocol=PROTOCOL, rtol=1e-10)
    np.testing.assert_allclose(ours.residuals(ours.nominal), run["A"][0], rtol=AGREEMENT)


def test_the_size_of_a_spike_can_be_fitted():
    ours = problem()
    x, h = ours.nominal + 0.05, 1e-5
    rise = [ours.residuals(x + sign * h * np.eye(2)[0]) for sign in (1.0, -1.0)]
    slopes = ours.objective.evaluate(x, slopes=True).comparison.residual_slopes[:, 0]
    np.testing.assert_allclose(slopes, (rise[0] - rise[1]) / (2 * h), rtol=1e-5, atol=1e-8)


def test_spikes_and_settings_at_one_instant_act_in_order():
    twice = pulse_train(rate=1.0, count=1, start=1.0, target="release")
    both = twice + twice + setting("jump", 5.0, start=1.0)
    experiment = stimulated("both", DECAY, both)
    (change,) = [period for period in experiment.periods if period.start == 1.0]
    assert change.settings["A"] == symbol("A") + 10.0


def test_a_state_that_was_set_is_not_given_back():
    with pytest.raises(ProtocolError, match="no former value"):
        stimulated("set", DECAY, setting("A", 3.0, start=0.5, stop=1.0))


def test_the_rows_of_version_2_come_back(tmp_path):
    ours = problem()
    back = FitProblem.from_petab(ours.to_petab(tmp_path / "pulses", version=2))
    x = ours.nominal + 0.1
    assert back.names == ours.names
    assert [p.scale for p in back.parameters] == ["log10", "log10"]
    assert back.log_likelihood(x) == pytest.approx(ours.log_likelihood(x), rel=1e-10)
    (experiment,) = back.experiments
    assert len(experiment.periods) == len(ours.experiments[0].periods)


@pytest.mark.parametrize("transformation", ["lin", "log", "log10"])
@pytest.mark.parametrize("distribution", ["normal", "laplace"])
def test_noise_models_come_back_from_version_2(tmp_path, transformation, distribution):
    before = decay_problem(distribution=distribution)
    observable = replace(before.observables[0], transformation=transformation)
    ours = replace(before, observables=(observable,))
    back = FitProblem.from_petab(ours.to_petab(tmp_path / "decay", version=2))
    assert back.log_likelihood(back.nominal) == pytest.approx(ours.log_likelihood(ours.nominal), rel=1e-9)


def test_a_pre_equilibration_stands_before():
    rest = Period(-np.inf, {"k": number(0.0)})
    experiment = stimulated("rested", DECAY, PROTOCOL, before=rest)
    assert [period.start for period in experiment.periods][:3] == [-np.inf, 0.0, 0.1]
