"""Continuation of compiled models: conserved totals are eliminated and are parameters like any other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades import compile_model, load_model
from cascades.compiler.compiled import CompiledModel
from cascades.compiler.equations import Equations
from cascades.continuation import as_problem, branches, continuation, equilibria, fold_curves
from cascades.errors import UnknownName, UnsupportedFeature
from cascades.expression import number, symbol

FOLDS = [0.36313036126919, 0.37391832439556]

# Pi & Lisman (2008) as coded by Linden et al. (2022); eigenvalues checked independently
FIVE_STATES = [
    (0.000552, 17.707844, 0.189242, -1.99),
    (0.001947, 4.705525, 0.320832, 0.834),
    (0.018952, 0.090377, 0.426594, -5.16),
    (5.697621, 0.005763, 0.593686, 0.934),
    (17.55245, 0.001952, 0.746408, -1.88),
]


@pytest.fixture(scope="module")
def shipped_camkii():
    return compile_model(load_model("camkii_graupner_2007"))


@pytest.fixture(scope="module")
def shipped_switch():
    return compile_model(load_model("switch_pi_2008"))


def test_tristable_switch_has_five_equilibria(shipped_switch):
    found = equilibria(shipped_switch)
    table = [(s["K"], s["P"], s["A"]) for s in found]
    assert_allclose(table, [row[:3] for row in FIVE_STATES], atol=6e-7, rtol=2e-6)
    assert_allclose([s.eigenvalues[0].real for s in found], [row[3] for row in FIVE_STATES], rtol=3e-3)


def test_tristable_switch_folds(shipped_switch):
    found = branches(shipped_switch, "Ca", (0.01, 10.0))
    folds = sorted(p.value for branch in found for p in branch.of_kind("fold"))
    assert_allclose(folds, [0.45233757103016, 2.1167592178318], rtol=1e-10)


def test_shipped_camkii_has_the_published_folds(shipped_camkii):
    branch = continuation(shipped_camkii, "Ca", (0.02, 2.0))
    assert_allclose(sorted(p.value for p in branch.special_points), FOLDS, rtol=1e-10)
    down, saddle, up = equilibria(shipped_camkii, values={"Ca": 0.1})
    assert_allclose(
        [s["S"] for s in (down, saddle, up)], [0.145055585689, 56.76769678, 149.983088949065], rtol=1e-9
    )
    assert_allclose(sum(up.totals.values()), 33.3 + 0.2, rtol=1e-9)
    isola = continuation(shipped_camkii, "Ca", (0.02, 2.0), start=up)
    assert isola.closed


def test_a_conserved_total_is_followed(shipped_camkii):
    down = equilibria(shipped_camkii, values={"Ca": 0.1})[0]
    total = max(down.totals, key=lambda name: down.totals[name])
    branch = continuation(shipped_camkii, total, (3.0, 300.0), start=down)
    assert_allclose(branch[total].max(), 300.0, rtol=1e-9)
    rings = sum(branch[f"B{i}"] for i in range(14))
    assert_allclose(rings, branch[total], rtol=1e-9)


def test_folds_along_a_conserved_total(shipped_camkii):
    """The total of PP1 and the parameter PP10 that sets it are one: so are their fold curves."""
    folds = [
        fold for branch in branches(shipped_camkii, "Ca", (0.02, 2.0)) for fold in branch.of_kind("fold")
    ]
    points = []
    for second in ("total_PP1", "PP10"):
        curves = fold_curves(shipped_camkii, folds, ("Ca", second), ((0.02, 2.0), (0.05, 0.6)))
        assert len(curves) == 2
        points.append(sorted(tuple(p.values.values()) for curve in curves for p in curve.special_points))
    assert_allclose(points[0], points[1], rtol=1e-9)


def test_same_folds_with_the_moiety_kept(camkii_with_moiety):
    """16 differential equations without any stoichiometry: the moiety is found in the equations."""
    ring = camkii_with_moiety
    equations = Equations(
        name="ring",
        state_names=ring.state_names,
        parameter_names=ring.parameter_names,
        default_values=tuple(ring.default_values),
        initial=tuple(number(v) for v in ring.default_state),
        rates=ring.formulas,
        is_algebraic=(False,) * 16,
        observables=ring.observables,
    )
    compiled = CompiledModel(equations, None)
    branch = continuation(compiled, "Ca", (0.02, 2.0))
    assert_allclose(sorted(p.value for p in branch.special_points), FOLDS, rtol=1e-10)
    assert len(as_problem(compiled).state_names) == 15


def test_what_is_refused():
    def compiled(rate, *, algebraic: bool = False) -> CompiledModel:
        equations = Equations("m", ("x",), ("a",), (1.0,), (number(1.0),), (rate,), (algebraic,))
        return CompiledModel(equations, None)

    with pytest.raises(UnsupportedFeature, match="depend on time"):
        equilibria(compiled(symbol("a") - symbol("time") * symbol("x")))
    with pytest.raises(UnsupportedFeature, match="algebraic"):
        equilibria(compiled(symbol("a") - symbol("x"), algebraic=True))
    with pytest.raises(UnknownName, match="no parameter"):
        continuation(compiled(symbol("a") - symbol("x")), "b", (0.1, 1.0))


def test_derivatives_agree_with_differences(shipped_camkii):
    problem = as_problem(shipped_camkii)
    rng = np.random.default_rng(0)
    n = len(problem.state_names)
    q = problem.values()
    x = problem.scale * rng.uniform(0.05, 0.5, n)
    u, v, w = (problem.scale * rng.normal(size=n) for _ in range(3))
    h = 1e-5
    second = (problem.jacobian(x + h * v, q) - problem.jacobian(x - h * v, q)) @ w / (2 * h)
    assert_allclose(problem.second(x, q, v, w), second, rtol=1e-6, atol=1e-6 * np.abs(second).max())
    third = (problem.second(x + h * u, q, v, w) - problem.second(x - h * u, q, v, w)) / (2 * h)
    assert_allclose(problem.third(x, q, u, v, w), third, rtol=1e-6, atol=1e-6 * np.abs(third).max())
    gradient, _ = problem.contraction(x, q, w, v, (0,))
    assert_allclose(gradient @ u, w @ problem.second(x, q, v, u), rtol=1e-10)
