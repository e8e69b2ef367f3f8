"""Branches of equilibria against closed forms and published values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import ContinuationSettings, SymbolicProblem, branches, continuation
from cascades.errors import NoEquilibrium, UnknownName
from cascades.expression import symbol
from tests.interrupts import ctrl_c

REFINED = 1e-10
PRINTED_DIGITS = 2e-13

# Moore-Spence Newton with a complex-step Jacobian, an independent program; AUTO-07p agrees to its 12 digits
FOLDS = {
    "DOWN": [(0.36313036126919, 57.0995353379), (0.37391832439556, 7.0857794990)],
    "UP": [(0.09235214799285, 109.7063447092), (0.2195682545961, 78.1993810958)],
}


@pytest.mark.parametrize("name", FOLDS)
def test_camkii_folds_lie_where_an_independent_program_finds_them(camkii, up_state, name):
    branch = continuation(camkii, "Ca", (0.02, 2.0), start=up_state if name == "UP" else None)
    folds = sorted((p.value, float(camkii.observe("S", p.x, p.q))) for p in branch.of_kind("fold"))
    assert_allclose(folds, FOLDS[name], rtol=REFINED)
    assert branch.dropped == ()


def test_isola_closes_by_itself(camkii, up_state):
    branch = continuation(camkii, "Ca", (0.02, 2.0), start=up_state)
    assert branch.closed
    assert branch.is_positive.all()
    assert_allclose(branch.states[0], branch.states[-1], rtol=1e-9)
    changes = np.flatnonzero(np.diff(branch.is_stable))
    assert changes.size == 2


def test_branch_ends_on_the_ends_of_its_range(camkii):
    branch = continuation(camkii, "Ca", (0.02, 2.0))
    assert_allclose([branch.values.min(), branch.values.max()], [0.02, 2.0], rtol=1e-12)
    assert not branch.closed
    assert "upper end" in branch.stopped_because


def closed_form_folds(B: float, beta: float = 3.0) -> list[float]:
    root = np.sqrt(1.0 - 4.0 * (1.0 + beta) / B)
    u1 = np.array([0.5 * (1.0 - root), 0.5 * (1.0 + root)])
    return list(u1 * np.exp(-B * u1 / (1.0 + beta)) / (1.0 - u1))


HOPF = {
    14.0: [0.16504204532356, 0.33655049888843],
    17.0: [0.12086571950939, 0.21708050969629],
    18.0: [0.11115348418986, 0.18383460798599],
}


@pytest.mark.parametrize("B", HOPF)
def test_reaction_in_a_tank(reaction_ab, B):
    branch = continuation(reaction_ab, "D", (0.01, 1.0), values={"B": B})
    expected = closed_form_folds(B) if B > 16.0 else []
    assert_allclose(sorted(p.value for p in branch.of_kind("fold")), sorted(expected), rtol=REFINED)
    assert_allclose(sorted(p.value for p in branch.of_kind("hopf")), HOPF[B], rtol=REFINED)
    assert len(branch.special_points) == len(expected) + 2


def test_hopf_frequency_and_criticality(reaction_ab):
    branch = continuation(reaction_ab, "D", (0.01, 1.0))
    first, second = branch.of_kind("hopf")
    assert_allclose(first.coefficients["omega"], 0.544708097526, rtol=1e-10)
    assert_allclose(second.coefficients["omega"], 5.80545373666, rtol=1e-10)
    assert second.coefficients["l1"] < 0.0 < first.coefficients["l1"]


def test_morris_lecar_hopf_points_in_a_linear_parameter(morris_lecar):
    branch = continuation(morris_lecar, "I", (0.0, 300.0))
    hopf = branch.of_kind("hopf")
    assert_allclose([p.value for p in hopf], [93.85761837372544, 212.0188161003744], rtol=1e-12)
    assert_allclose([p.coefficients["omega"] for p in hopf], [0.07977978411, 0.14860217075], rtol=1e-9)


def test_cusp_form_has_its_folds(cusp_form):
    branch = continuation(cusp_form, "mu", (-1.0, 1.0))
    edge = 2.0 / (3.0 * np.sqrt(3.0))
    assert_allclose([p.value for p in branch.special_points], [edge, -edge], rtol=PRINTED_DIGITS)


def test_pitchfork_is_a_branch_point_with_two_tangents():
    x, mu = symbol("x"), symbol("mu")
    pitchfork = SymbolicProblem(
        ("x",), ("mu",), [mu * x - x**3], default_state=np.zeros(1), default_values=np.array([-1.0])
    )
    branch = continuation(pitchfork, "mu", (-1.0, 1.0), start=np.zeros(1))
    (point,) = branch.special_points
    assert point.kind == "branch point"
    assert_allclose(point.value, 0.0, atol=1e-12)
    slopes = sorted(abs(t[0]) for t in point.tangents)
    assert_allclose(slopes, [0.0, 1.0], atol=1e-6)


def test_both_forms_of_a_model_with_a_moiety(camkii, camkii_with_moiety):
    """With the unphosphorylated ring kept the Jacobian is singular everywhere: the message says so."""
    with pytest.raises(NoEquilibrium, match=r"\+1 B0 \+1 B1"):
        continuation(camkii_with_moiety, "Ca", (0.02, 2.0))


def test_user_events(cusp_form):
    branch = continuation(
        cusp_form, "mu", (-1.0, 1.0), settings=ContinuationSettings(events=(("x", 0.0), ("x", 1.0)))
    )
    states = [p.state["x"] for p in branch.of_kind("user")]
    assert_allclose(states, [0.0, 1.0], atol=1e-12)
    assert_allclose([p.value for p in branch.of_kind("user")], [0.0, 0.0], atol=1e-12)


def test_table_and_picture(camkii):
    import matplotlib

    matplotlib.use("Agg")
    branch = continuation(camkii, "Ca", (0.02, 2.0))
    table = branch.to_dataframe()
    assert list(table.columns[:2]) == ["Ca", "B1"]
    assert table.is_stable.iloc[0] and not table.is_stable.all()
    assert branch.to_xarray().sizes["point"] == len(branch)
    ax = branch.plot(name="S")
    assert len(ax.lines) == 4  # stable, unstable, two folds


@pytest.mark.parametrize(
    ("parameter", "bounds", "error", "said"),
    [
        ("spar", (0.1, 1.0), UnknownName, "did you mean spare"),
        ("Ca", (1.0, 0.1), ValueError, "increasing"),
        ("spare", (0.1, 1.0), ValueError, "no rate depends on spare"),
    ],
)
def test_bad_input(parameter, bounds, error, said):
    x, Ca = symbol("x"), symbol("Ca")
    problem = SymbolicProblem(
        ("x",), ("Ca", "spare"), [Ca - x], default_state=np.ones(1), default_values=np.ones(2)
    )
    with pytest.raises(error, match=said):
        continuation(problem, parameter, bounds)


FOREVER = ContinuationSettings(first_step=1e-6, largest_step=1e-6, most_points=10**9)


def test_interrupted_branch_keeps_what_it_has(cusp_form):
    start = continuation(cusp_form, "mu", (-1.0, 1.0)).states[0]
    with ctrl_c(after=0.5) as key:
        key.start()
        branch = continuation(cusp_form, "mu", (-1.0, 1.0), start=start, settings=FOREVER)
    assert "interrupted" in branch.stopped_because
    assert len(branch) > 3
    assert_allclose(branch["mu"] + branch["x"] - branch["x"] ** 3, 0.0, atol=1e-9)


def test_interrupted_search_returns_the_branches_so_far(cusp_form):
    branches(cusp_form, "mu", (-1.0, 1.0))  # compiles
    with ctrl_c(after=0.5) as key:
        key.start()
        found = branches(cusp_form, "mu", (-1.0, 1.0), settings=FOREVER)
    assert "interrupted" in found[-1].stopped_because


def test_a_range_without_equilibrium():
    x, a = symbol("x"), symbol("a")
    problem = SymbolicProblem(
        ("x",), ("a",), [a + x * x], default_state=np.ones(1), default_values=np.ones(1)
    )
    with pytest.raises(NoEquilibrium) as caught:
        continuation(problem, "a", (0.5, 2.0))
    assert set(caught.value.state) == {"x"}
    assert caught.value.residual > 0.0
