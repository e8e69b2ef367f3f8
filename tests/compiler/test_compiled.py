"""Compiled functions against the formulas they come from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.compiler.compiled import CompiledModel
from cascades.errors import CompileError, UnknownName
from cascades.expression import symbol
from tests.problems import PROBLEMS, equations

ROUNDING = 1e-12
DIFFERENCE = 1e-6  # central differences with step 1e-6 of numbers of order one


def values_of(compiled, seed=1):
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.5, 2.0, len(compiled.state_names))
    p = rng.uniform(0.5, 2.0, len(compiled.parameter_names))
    return y, p


def differences(f, x, step=1e-6):
    columns = []
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        columns.append((f(up) - f(down)) / (2 * step))
    return np.column_stack(columns) if columns else np.empty((f(x).size, 0))


@pytest.fixture(params=PROBLEMS, name="compiled")
def compiled_problem(request):
    return CompiledModel(PROBLEMS[request.param].equations)


def test_jacobians_are_the_derivatives_of_the_rates(compiled):
    y, p = values_of(compiled)
    scale = 1 + np.abs(compiled.jacobian(y, p))
    assert_allclose(
        compiled.jacobian(y, p) / scale,
        differences(lambda v: compiled.rates(v, p), y) / scale,
        atol=DIFFERENCE,
    )
    assert_allclose(compiled.sparse_jacobian(y, p).toarray(), compiled.jacobian(y, p))
    by_parameter = compiled.parameter_jacobian(y, p)
    scale = 1 + np.abs(by_parameter)
    assert_allclose(
        by_parameter / scale, differences(lambda v: compiled.rates(y, v), p) / scale, atol=DIFFERENCE
    )


def test_second_directional_derivative(compiled):
    y, p = values_of(compiled)
    rng = np.random.default_rng(2)
    v, w = rng.normal(size=(2, y.size))
    along = differences(lambda s: compiled.jacobian(y + s[0] * w, p) @ v, np.zeros(1))[:, 0]
    found = compiled.second_directional(y, p, v, w)
    assert_allclose(found, along, rtol=DIFFERENCE, atol=DIFFERENCE * (1 + np.abs(along).max()))


def test_reduced_system_follows_from_the_full_one():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    p = compiled.parameter_array()[0]
    reduced = compiled.reduced(p)
    assert reduced.names == ("AB",)
    assert dict(zip(reduced.total_names, reduced.total_values, strict=True)) == compiled.conserved_totals
    z = np.array([0.3])
    y = reduced.expand(z)
    assert_allclose(y, [0.7, 1.7, 0.3], rtol=ROUNDING)
    assert_allclose(reduced.restrict(y), z)
    assert_allclose(reduced.rates(z), 3 * 0.7 * 1.7 - 0.5 * 0.3, rtol=ROUNDING)
    assert_allclose(reduced.jacobian(z), differences(reduced.rates, z), rtol=DIFFERENCE)
    names = ("on", "off", "A_total", "B_total")
    by_hand = [0.7 * 1.7, -0.3, 3 * 1.7, 3 * 0.7]
    assert_allclose(reduced.parameter_jacobian(z, names)[0], by_hand, rtol=ROUNDING)
    assert_allclose(reduced.with_(A_total=2.0, off=0.0).rates(z), 3 * 1.7 * 1.7, rtol=ROUNDING)
    with pytest.raises(UnknownName, match="A_total"):
        reduced.with_(A_totl=1.0)


def test_a_total_follows_a_parameter_of_the_initial_state():
    a, b, k, a0 = map(symbol, ("A", "B", "k", "A0"))
    rates, values = {"A": b - k * a, "B": k * a - b}, {"k": 1.0, "A0": 3.0}
    starts = (a0, symbol("k"))
    found = equations("decay", rates, {}, values, {"total": ("A", "B")}, initial_formulas=starts)
    compiled = CompiledModel(found)
    reduced = compiled.reduced(compiled.parameter_array()[0])
    z = np.array([1.0])
    for name in ("k", "A0"):
        value = compiled.default_values[name]
        slope = differences(lambda v, name=name: reduced.with_(**{name: v[0]}).rates(z), np.array([value]))
        assert_allclose(reduced.parameter_jacobian(z, [name]), slope, rtol=DIFFERENCE)
    held = compiled.reduced(compiled.parameter_array()[0], {"total": 5.0})
    assert_allclose(held.with_(A0=7.0).total_values, [5.0])


def test_arrays_from_names():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    p = compiled.parameter_array({"on": [1.0, 2.0, 3.0], "off": 7.0})
    assert_allclose(p, [[1, 7], [2, 7], [3, 7]])
    y = compiled.initial_array(p, {"B": [4.0, 5.0, 6.0]})
    assert_allclose(y, [[1, 4, 0], [1, 5, 0], [1, 6, 0]])
    assert_allclose(compiled.observable("B", y, p), [4, 5, 6])
    with pytest.raises(UnknownName, match="did you mean off"):
        compiled.parameter_array({"of": 1.0})
    with pytest.raises(ValueError, match="numbers of members differ"):
        compiled.parameter_array({"on": [1.0, 2.0], "off": [1.0, 2.0, 3.0]})


def test_a_wrong_size_is_refused_before_machine_code_sees_it():
    compiled = CompiledModel(PROBLEMS["binding"].equations)
    with pytest.raises(ValueError, match="shape"):
        compiled.rates([1.0, 2.0], compiled.parameter_array()[0])


def test_an_unknown_symbol_is_named():
    found = equations("open", {"A": symbol("nowhere")}, {"A": 1.0}, {})
    with pytest.raises(CompileError, match="nowhere"):
        CompiledModel(found).rates([1.0], [])
