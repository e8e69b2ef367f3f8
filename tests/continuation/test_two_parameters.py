"""Curves of folds and Hopf points against normal forms with known answers and published cusps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import SymbolicProblem, continuation, fold_curve, hopf_curve
from cascades.expression import symbol

CUSP_DIGITS = 1e-7
ON_CURVE = 1e-9


def test_fold_curve_of_the_cusp_form(cusp_form):
    fold = continuation(cusp_form, "mu", (-1.0, 1.0)).of_kind("fold")[0]
    curve = fold_curve(cusp_form, fold, ("mu", "lambda"), ((-1.0, 1.0), (-1.0, 2.0)))
    assert_allclose(27.0 * curve["mu"] ** 2, 4.0 * curve["lambda"] ** 3, atol=ON_CURVE)
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


def test_isola_merges_where_auto_finds_it(camkii, up_state):
    fold = continuation(camkii, "Ca", (0.02, 2.0), start=up_state).of_kind("fold")[0]
    curve = fold_curve(camkii, fold, ("Ca", "k12"), ((0.02, 2.0), (500.0, 5e4)))
    merge = min(curve.of_kind("extremum"), key=lambda p: abs(p.value - 0.2945))
    auto_tolerance = 1e-4  # AUTO locates the extremum of a smooth curve: 0.294529616, 4298.504569
    assert_allclose(merge.values["k12"], 4298.504569, rtol=1e-6)
    assert_allclose(merge.values["Ca"], 0.294529616, rtol=2 * auto_tolerance)


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
