"""Random paths: distributions, reproducibility, rare switches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from cascades import compile_model, load_model
from cascades.errors import UnknownName
from cascades.noise import (
    jump_process,
    least_action_path,
    mean_first_passage_time,
    random_paths,
    switching_rate,
)
from cascades.noise.random import normal, poisson, stream_key, uniform

MEMBERS = 4000
SURELY = 1e-4  # probability of a false alarm


def test_random_numbers_have_their_distributions():
    key = stream_key(np.uint64(3), np.uint64(5))
    counts = [np.uint64(i) for i in range(1, 20001, 2)]
    assert stats.kstest([uniform(key, c) for c in counts], "uniform").pvalue > SURELY
    assert stats.kstest([normal(key, c) for c in counts], "norm").pvalue > SURELY
    for mean in (0.7, 8.0, 40.0, 3000.0):
        numbers = [
            poisson(mean, np.uint64(stream_key(np.uint64(1), np.uint64(i))), np.uint64(1))[0]
            for i in range(4000)
        ]
        assert abs(np.mean(numbers) - mean) < 4.5 * np.sqrt(mean / 4000)
        assert abs(np.var(numbers) / mean - 1.0) < 0.15


@pytest.mark.parametrize("method", ["direct", "tau", "langevin"])
def test_birth_and_death(birth_death, method):
    """Mean and variance 50 (1 - exp(-t)): the counts are Poisson at all times."""
    paths = random_paths(birth_death, [0.0, 1.0, 8.0], members=MEMBERS, seed=2, method=method)
    expected = 50.0 * (1.0 - np.exp(-np.array([1.0, 8.0])))
    counts = paths["X"][:, 1:]
    bias = 0.5 if method == "langevin" else 0.0  # of the truncated equation at low counts
    assert_allclose(counts.mean(axis=0), expected, atol=4.5 * np.sqrt(50.0 / MEMBERS) + bias)
    assert_allclose(counts.var(axis=0), expected, rtol=0.12)
    if method == "direct":
        observed = np.bincount(counts[:, 1].astype(int), minlength=101)[:101]
        middle = np.arange(30, 71)
        p = stats.poisson.pmf(middle, 50.0)
        chi2 = np.sum((observed[middle] - MEMBERS * p) ** 2 / (MEMBERS * p))
        assert stats.chi2.sf(chi2, middle.size - 1) > SURELY


@pytest.mark.parametrize("method", ["direct", "tau", "langevin"])
def test_same_seed_same_paths_on_any_number_of_threads(schloegl, method):
    """Nor on the lane in which a member runs, or on who ran there before."""
    times = np.linspace(0.0, 5.0, 6)

    def paths(members: int, seed: int, threads: int | None = None) -> np.ndarray:
        return random_paths(
            schloegl, times, members=members, seed=seed, threads=threads, method=method
        ).values

    one, two = paths(27, 9, threads=1), paths(27, 9, threads=2)
    np.testing.assert_array_equal(one, two)
    assert (one != paths(27, 10)).any()
    np.testing.assert_array_equal(one[:3], paths(3, 9))


def test_output_times_do_not_change_the_path(schloegl):
    fine = random_paths(schloegl, np.linspace(0.0, 5.0, 51), members=2, seed=4).values
    coarse = random_paths(schloegl, np.linspace(0.0, 5.0, 6), members=2, seed=4).values
    np.testing.assert_array_equal(fine[:, ::10], coarse)


def test_spine_model_in_molecules():
    """33.3 uM of rings in the model's spine; totals stay whole."""
    process = jump_process(compile_model(load_model("camkii_graupner_2007")))
    rings = [process.species.index(f"B{i}") for i in range(14)]
    paths = random_paths(process, [0.0, 0.5, 1.0], members=3, seed=1)
    totals = paths.values[:, :, rings].sum(axis=2)
    np.testing.assert_array_equal(totals, totals[0, 0])
    assert (paths.values >= 0.0).all()
    assert paths.is_complete


@pytest.mark.parametrize("method", ["direct", "tau", "langevin"])
def test_a_path_that_is_too_long_says_so(schloegl, method):
    paths = random_paths(schloegl, [0.0, 100.0], members=2, seed=1, most_events=1000, method=method)
    assert (paths.status == 1).all()
    assert np.isnan(paths.values[:, 1]).all()
    assert (paths.reached < 100.0).all()


def test_bad_input(birth_death):
    with pytest.raises(UnknownName, match="did you mean direct"):
        random_paths(birth_death, [1.0], method="direkt")
    with pytest.raises(ValueError, match="starts below zero"):
        random_paths(birth_death, [1.0], initial={"X": -1.0})
    with pytest.raises(ValueError, match="times must be"):
        random_paths(birth_death, [2.0, 1.0])


SAMPLED = 0.03


def agrees(found, exact: float) -> None:
    """Within 3 %, and within what the standard error allows; both must be able to fail."""
    assert found.standard_error / found.rate < 0.5 * SAMPLED
    assert_allclose(found.residence_time, exact, rtol=SAMPLED)
    assert abs(found.rate - 1.0 / exact) < 4.0 * found.standard_error


@pytest.fixture(scope="module")
def rare_climb():
    """The exact mean time from 20 molecules to 40 where 20 are usual."""
    return mean_first_passage_time(lambda n: np.full_like(n, 20.0), lambda n: n, 20, 40)


@pytest.mark.parametrize("interfaces", [(27.0, 40.0), (26.0, 28.0, 31.0, 34.0, 37.0, 40.0)])
def test_forward_flux_agrees_with_the_exact_time(birth_death, rare_climb, interfaces):
    found = switching_rate(
        birth_death, {"X": 1.0}, interfaces, values={"k": 20.0}, initial={"X": 20.0}, trials=20000,
        repetitions=16, seed=5,
    )  # fmt: skip
    agrees(found, rare_climb)
    assert found.probabilities.shape == (16, len(found.interfaces) - 1)
    assert found.probabilities.min() > 0.05


def test_standard_error_of_forward_flux_is_honest(birth_death, rare_climb):
    """Deviations in units of the reported error have a spread of about one (Student, 7 degrees)."""
    runs = [
        switching_rate(
            birth_death, {"X": 1.0}, (27.0, 40.0), values={"k": 20.0}, initial={"X": 20.0}, crossings=1000,
            trials=500, repetitions=8, seed=1_000_000 * i,
        )
        for i in range(24)
    ]  # fmt: skip
    deviations = np.array([(run.rate * rare_climb - 1.0) * run.rate / run.standard_error for run in runs])
    assert np.sqrt(np.mean(deviations**2)) < 1.7
    assert np.abs(deviations).max() < 5.0


def test_forward_flux_does_not_depend_on_threads(birth_death):
    one, two = (
        switching_rate(birth_death, {"X": 1.0}, (60.0, 80.0), initial={"X": 50.0}, trials=100, threads=k)
        for k in (1, 2)
    )
    assert one.rates == two.rates and one.interfaces == two.interfaces


def test_bad_interfaces(birth_death):
    with pytest.raises(ValueError, match="increasing"):
        switching_rate(birth_death, {"X": 1.0}, [30.0, 20.0])
    with pytest.raises(ValueError, match="not below the first interface"):
        switching_rate(birth_death, {"X": 1.0}, [30.0, 60.0], initial={"X": 50.0})
    with pytest.raises(ValueError, match="never crossed"):
        switching_rate(birth_death, {"X": 1.0}, [500.0, 600.0], longest=10.0)
    with pytest.raises(UnknownName, match="species"):
        switching_rate(birth_death, {"Y": 1.0}, [30.0, 60.0])


def test_least_action_of_a_one_step_process(schloegl):
    """In one dimension the action is the integral of ln(death / birth) to the barrier."""
    from scipy.optimize import brentq

    def birth(x):
        return 0.5 * 0.03 * x * (x - 1) + 200.0

    def death(x):
        return 1e-4 / 6.0 * x * (x - 1) * (x - 2) + 3.5 * x

    low = brentq(lambda x: birth(x) - death(x), 50.0, 150.0)
    barrier = brentq(lambda x: birth(x) - death(x), 200.0, 300.0)
    x = np.linspace(low, barrier, 4001)
    exact = np.trapezoid(np.log(death(x) / birth(x)), x)
    found = least_action_path(schloegl, np.array([low]), np.array([barrier]))
    assert_allclose(found.action, exact, rtol=5e-4)
    assert_allclose(
        found.momentum[1:-1, 0], np.log(death(found.path) / birth(found.path))[1:-1, 0], atol=1e-8
    )


@pytest.mark.slow
def test_forward_flux_on_schloegl(schloegl):
    """From 400 all but 0.08 % of the paths go on to 569; from 300 a tenth would fall back."""
    exact = mean_first_passage_time(
        lambda n: 0.015 * n * (n - 1) + 200.0, lambda n: 1e-4 / 6 * n * (n - 1) * (n - 2) + 3.5 * n, 84, 569
    )
    found = switching_rate(
        schloegl, {"X": 1.0}, (130.0, 400.0), crossings=10000, trials=6000, repetitions=32, seed=1
    )
    agrees(found, exact)
