"""Curves of folds and Hopf points against normal forms with known answers and published cusps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import (
    SymbolicProblem,
    branches,
    continuation,
    fold_curve,
    fold_curves,
    hopf_curve,
)
from cascades.expression import symbol

CUSP_DIGITS = 1e-7
ON_CURVE = 1e-9


def test_fold_curve_of_the_cusp_form(cusp_form):
    fold = continuation(cusp_form, "mu", (-1.0, 1.0)).of_kind("fold")[0]
    curve = fold_curve(cusp_form, fold, ("mu", "lambda"), ((-1.0, 1.0), (-1.0, 2.0)))
    assert_allclose(27.0 * curve["mu"] ** 2, 4.0 * curve["lambda"] ** 3, atol=ON_CURVE)
    assert_allclose([abs(curve["mu"][0]), abs(curve["mu"][-1])], 1.0, rtol=1e-12)  # the ends of the range
    (cusp,) = curve.special_points
    assert cusp.kind == "cusp"
    assert_allclose(list(cusp.values.values()), [0.0, 0.0], atol=CUSP_DIGITS)
    assert_allclose(cusp.coefficients["c"], -1.0, rtol=1e-10)


def test_camkii_cusp_and_no_spurious_ones(camkii):
    """Newton-refined reference; AUTO-07p prints 0.356511, 3.447054 after three spurious cusps."""
    fold = continuation(camkii, "Ca", (0.02, 2.0)).of_kind("fold")[0]
    curve = fold_curve(camkii, fold, ("Ca", "KM"), ((0.02, 2.0), (0.1, 50.0)))
    (cusp,) = curve.of_kind("cusp")
    assert_allclose(list(cusp.values.values()), [0.3565113257, 3.447053789], rtol=CUSP_DIGITS)
    assert curve.dropped == ()


@pytest.mark.parametrize("parameter", ["k12", "PP10"])
def test_camkii_fold_curves_without_cusps(camkii, up_state, parameter):
    bounds = {"k12": (500.0, 5e4), "PP10": (0.02, 2.0)}[parameter]
    fold = continuation(camkii, "Ca", (0.02, 2.0), start=up_state).of_kind("fold")[0]
    curve = fold_curve(camkii, fold, ("Ca", parameter), ((0.02, 2.0), bounds))
    assert curve.of_kind("cusp") == []
    assert curve.dropped == ()


# Critical points of k12 as a function of the ring's rate of dephosphorylation and of Ca, the equations
# reduced to one by hand and solved with 40 digits.  AUTO-07p prints 0.294529616, 4298.504569 for the
# second: the nearest point that it computed on the flat top of the curve.
ISOLA_BORN = (0.1397623556051416, 10094.54157293753)
ISOLA_MERGES = (0.2945755685326551, 4298.503911040565)


def test_isola_is_born_and_merges(camkii, up_state):
    fold = continuation(camkii, "Ca", (0.02, 2.0), start=up_state).of_kind("fold")[0]
    curve = fold_curve(camkii, fold, ("Ca", "k12"), ((0.02, 2.0), (500.0, 5e4)))
    (born,), (merges,) = curve.of_kind("isola centre"), curve.of_kind("branch point")
    assert_allclose(list(born.values.values()), ISOLA_BORN, rtol=1e-10)
    assert_allclose(list(merges.values.values()), ISOLA_MERGES, rtol=1e-10)
    assert len(merges.tangents) == 2 and born.tangents == ()


# Newton-refined by this package; each solves the equations of a cusp and no other program is known to list it
MORE_CUSPS = {"KM": (0.2359014541, 8.628399), "b0i": (0.4851671097, 8.311322726)}


@pytest.mark.parametrize("parameter", MORE_CUSPS)
def test_more_cusps_of_the_switch(camkii, parameter):
    """At a cusp three equilibria become one: just inside there are three, just outside one."""
    bounds = {"KM": (0.1, 50.0), "b0i": (3.0, 300.0)}[parameter]
    folds = [f for b in branches(camkii, "Ca", (0.02, 2.0)) for f in b.of_kind("fold")]
    curves = fold_curves(camkii, folds, ("Ca", parameter), ((0.02, 2.0), bounds))
    cusps = [point for curve in curves for point in curve.of_kind("cusp")]
    at = MORE_CUSPS[parameter]
    cusp = min(cusps, key=lambda p: abs(p.value - at[0]))
    assert_allclose(list(cusp.values.values()), at, rtol=CUSP_DIGITS)
    assert all(curve.dropped == () for curve in curves)
    counts = [
        sum(len(b.of_kind("fold")) for b in branches(camkii, "Ca", near(at[0]), values={parameter: value}))
        for value in (0.99 * at[1], 1.01 * at[1])
    ]
    assert sorted(counts) == [0, 2]


def near(value: float) -> tuple[float, float]:
    return 0.97 * value, 1.03 * value


def test_bogdanov_takens(bogdanov_takens_form):
    branch = continuation(bogdanov_takens_form, "b1", (-0.5, 0.5), start=bogdanov_takens_form.default_state)
    bounds = ((-1.0, 1.0), (-2.0, 2.0))
    folds = fold_curve(bogdanov_takens_form, branch.of_kind("fold")[0], ("b1", "b2"), bounds)
    hopfs = hopf_curve(bogdanov_takens_form, branch.of_kind("hopf")[0], ("b1", "b2"), bounds)
    assert_allclose(4.0 * folds["b1"], folds["b2"] ** 2, atol=ON_CURVE)
    assert_allclose(hopfs["b1"], 0.0, atol=ON_CURVE)
    assert (hopfs["b2"] <= ON_CURVE).all()
    for curve in (folds, hopfs):
        (point,) = curve.of_kind("bogdanov-takens")
        assert_allclose(list(point.values.values()), [0.0, 0.0], atol=CUSP_DIGITS)
        assert_allclose(np.abs([point.coefficients["a"], point.coefficients["b"]]), 1.0, rtol=1e-9)
        assert point.coefficients["a"] * point.coefficients["b"] > 0.0
    assert "Bogdanov-Takens" in hopfs.stopped_because


def test_generalised_hopf(bautin_form):
    hopf = continuation(bautin_form, "b1", (-0.5, 0.5)).of_kind("hopf")[0]
    assert_allclose(
        hopf.coefficients["l1"], 2.0 * 0.5, rtol=1e-10
    )  # |q| = 1 is half the square of the amplitude
    curve = hopf_curve(bautin_form, hopf, ("b1", "b2"), ((-1.0, 1.0), (-2.0, 2.0)))
    (point,) = curve.special_points
    assert point.kind == "generalised hopf"
    assert_allclose(list(point.values.values()), [0.0, 0.0], atol=CUSP_DIGITS)
    assert_allclose(point.coefficients["l2"], -4.0, rtol=1e-6)


def test_zero_hopf():
    """x' = b1 + x**2 - |z|**2, z' = (b2 + x / 2 + i) z: fold b1 = 0, Hopf b1 = -(2 b2)**2."""
    x, y, z, b1, b2 = (symbol(s) for s in ("x", "y", "z", "b1", "b2"))
    form = SymbolicProblem(
        ("x", "y", "z"),
        ("b1", "b2"),
        [b1 + x * x - y * y - z * z, (b2 + 0.5 * x) * y - z, y + (b2 + 0.5 * x) * z],
        default_state=np.array([-0.7, 0.0, 0.0]),
        default_values=np.array([-0.49, 0.2]),
    )
    branch = continuation(form, "b1", (-0.6, 0.5), start=form.default_state)
    assert [p.kind for p in branch.special_points] == ["hopf", "fold"]
    bounds = ((-1.0, 1.0), (-1.0, 1.0))
    folds = fold_curve(form, branch.of_kind("fold")[0], ("b1", "b2"), bounds)
    hopfs = hopf_curve(form, branch.of_kind("hopf")[0], ("b1", "b2"), bounds)
    assert_allclose(hopfs["b1"], -4.0 * hopfs["b2"] ** 2, atol=ON_CURVE)
    for curve in (folds, hopfs):
        (point,) = curve.of_kind("zero-hopf")
        assert_allclose(list(point.values.values()), [0.0, 0.0], atol=CUSP_DIGITS)
        assert_allclose([point.coefficients["s"], point.coefficients["theta"]], [-1.0, 0.5], rtol=1e-6)


def test_bad_input(cusp_form):
    fold = continuation(cusp_form, "mu", (-1.0, 1.0)).of_kind("fold")[0]
    with pytest.raises(ValueError, match="two different parameters"):
        fold_curve(cusp_form, fold, ("mu", "mu"), ((-1.0, 1.0), (-1.0, 2.0)))
    with pytest.raises(ValueError, match="outside of its range"):
        fold_curve(cusp_form, fold, ("mu", "lambda"), ((-1.0, 1.0), (1.5, 2.0)))
    with pytest.raises(ValueError, match="must be a Hopf point"):
        hopf_curve(cusp_form, fold, ("mu", "lambda"), ((-1.0, 1.0), (-1.0, 2.0)))
