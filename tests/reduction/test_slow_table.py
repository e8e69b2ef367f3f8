"""Slow manifolds in one and several variables: against known ones, published states and whole models."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.compiler.compiled import CompiledModel
from cascades.errors import RuleError, UnknownName
from cascades.reduction import slow_table
from cascades.reduction.cut import clamp, keep

# Davis & Skodje (1999) J. Chem. Phys. 111:859, equation 4.1, with a second slow variable
FAST = 50.0
TWO_SLOW = f"""
model davis()
  x' = -x;  x = 1
  z' = -0.5 * z + 0.2 * (y - x / (1 + x));  z = 1
  y' = -{FAST} * y + ({FAST - 1.0} * x + {FAST} * x^2) / (1 + x)^2;  y = 0.5
end
"""
SADDLE, UP = 56.7677, 149.98  # S at rest, Graupner & Brunel (2007)
PRINTED = 5e-4  # of the published states, and of the series
FOLLOWED = 2e-3  # of the range of a slow variable


def model_of(tmp_path, text):
    (tmp_path / "model.ant").write_text(text)
    return cascades.compile_model(cascades.load_model(tmp_path / "model.ant"))


def test_the_manifold_of_davis_and_skodje(tmp_path):
    """y = x / (1 + x), which this kind of manifold meets to order 1 / FAST^2."""
    model = model_of(tmp_path, TWO_SLOW)
    table = slow_table(model, {"x": (0.1, 2.0), "z": (0.2, 1.5)}, np.array([1.0, 1.0, 0.5]))
    row = model.state_index
    x, y = table.states[..., row["x"]], table.states[..., row["y"]]
    assert_allclose(y, x / (1.0 + x), atol=2.0 / FAST**2)
    assert table.gap > 0.8 * FAST
    assert (table.error < 1e-9).all()
    assert_allclose(table.drift([1.0, 1.0]), [-1.0, -0.5], atol=0.2 * 2.0 / FAST**2)
    assert table.drift(np.ones((4, 3, 2))).shape == (4, 3, 2)


def test_the_switch_at_rest_has_its_published_states():
    """One variable: the zeros of the drift are the saddle and the UP state of the whole model."""
    equations = cascades.compile_model(cascades.load_model("camkii_graupner_2007")).equations
    model = CompiledModel(keep(clamp(equations, "Ca"), ["S"]))
    start = cascades.simulate(model, [0.0, 100.0, 3000.0], values={"Ca": np.array([1.0])}).values[0, 1]
    initial = dict(zip(model.state_names, start, strict=True))
    up = cascades.simulate(model, [0.0, 3000.0], values={"Ca": 0.1}, initial=initial).values[0, -1]
    table = slow_table(model, {"S": (8.0, 165.0)}, up, values={"Ca": 0.1})
    found = [x[0] for x in table.equilibria()]
    assert_allclose(found, [SADDLE, UP], rtol=PRINTED)
    assert table.error[0] < PRINTED
    course = table.course([1.05 * SADDLE], [0.0, 50.0, 2000.0])
    assert course[-1, 0] == pytest.approx(UP, rel=PRINTED)
    # two modes of the ring and one of PP1 lie within 10 %: in S and PP1 there is no table, which is said
    pp1 = up[model.state_index["PP1"]]
    with pytest.raises(RuleError, match="no slow manifold at"):
        slow_table(model, {"S": (10.0, 150.0), "PP1": (0.8 * pp1, 2.0 * pp1)}, up, values={"Ca": 0.1})


def test_two_slow_variables_follow_the_whole_model():
    """mirna_li_2021: messenger and complex are thousands of times slower than the rest."""
    model = cascades.compile_model(cascades.load_model("mirna_li_2021"))
    rest = cascades.simulate(model, [0.0, 1e5]).values[0, -1]
    rows = [model.state_index[name] for name in ("r", "C2")]
    box = {name: (0.7 * rest[i], 1.3 * rest[i]) for name, i in zip(("r", "C2"), rows, strict=True)}
    table = slow_table(model, box, rest)
    assert_allclose(table.equilibria(), [rest[rows]], rtol=1e-6)
    begin = table.states[1, -2]
    times = np.append(0.0, np.geomspace(10.0, 1e4, 8))
    initial = dict(zip(model.state_names, begin, strict=True))
    whole = cascades.simulate(model, times, initial=initial, rtol=1e-9).values[0][:, rows]
    span = table.high - table.low
    found = table.course(begin[rows], times)
    assert (np.abs(whole - whole[0]) / span).max() > 0.1  # something happens
    assert (np.abs(found - whole) / span).max() < FOLLOWED


def test_what_cannot_be_tabulated_is_said(tmp_path):
    model = model_of(tmp_path, TWO_SLOW)
    start = np.array([1.0, 1.0, 0.5])
    with pytest.raises(UnknownName, match="w"):
        slow_table(model, {"w": (0.0, 1.0)}, start)
    with pytest.raises(RuleError, match="empty"):
        slow_table(model, {"x": (1.0, 1.0)}, start)
    with pytest.raises(RuleError, match="one to 3"):
        slow_table(model, {}, start)
    with pytest.raises(RuleError, match="all modes"):
        slow_table(model, {"x": (0.1, 2.0), "y": (0.1, 0.6), "z": (0.2, 1.5)}, start)
