"""Random mass-action networks: batch = one by one, conserved totals, agreement with scipy's Radau."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.equations import ConservedTotal, Equations
from cascades.expression import ONE, ZERO, Expr, add, mul, number, symbol
from cascades.simulate import simulate

TOTALS = 1e-12
AGREEMENT = 2e-6  # of two methods at rtol 1e-8, relative to the largest state


@st.composite
def networks(draw):
    """Conversions A -> B and bindings A + B <-> C of n species; every reaction keeps atoms of one kind."""
    n = draw(st.integers(2, 7))
    names = [f"s{i}" for i in range(n)]
    size = [draw(st.integers(1, 3)) for _ in names]  # atoms per molecule
    rates: dict[str, list[Expr]] = {name: [] for name in names}
    values: dict[str, float] = {}
    for r in range(draw(st.integers(1, 8))):
        i, j = draw(st.integers(0, n - 1)), draw(st.integers(0, n - 1))
        values[f"k{r}"] = 10.0 ** draw(st.floats(-3, 4))
        law = mul(symbol(f"k{r}"), symbol(names[i]))
        if draw(st.booleans()):
            law = mul(law, symbol(names[draw(st.integers(0, n - 1))]))  # a catalyst
        rates[names[i]].append(mul(-size[j], law))
        rates[names[j]].append(mul(size[i], law))
    initial = [draw(st.floats(0.0, 5.0)) for _ in names]
    total = ConservedTotal("atoms", {a: number(s) for a, s in zip(names, size, strict=True)}, names[-1])
    found = Equations(
        name="random",
        state_names=tuple(names),
        parameter_names=tuple(values),
        default_values=tuple(values.values()),
        initial=tuple(map(number, initial)),
        rates=tuple(add(*terms) if terms else ZERO for terms in rates.values()),
        is_algebraic=(False,) * n,
        conserved=(total,),
    )
    return CompiledModel(found), np.array(size, dtype=float), np.array(initial)


@settings(max_examples=25)
@given(networks())
def test_random_network(case):
    compiled, size, initial = case
    times = np.array([0.0, 0.01, 1.0, 30.0])
    found = simulate(compiled, times, rtol=1e-8)
    totals = found.values[0] @ size
    assert_allclose(totals, size @ initial, rtol=TOTALS, atol=TOTALS)
    largest = max(initial.max(), 1e-3)
    assert found.values.min() > -1e-6 * largest
    reference = simulate(compiled, times, rtol=1e-8, solver="radau")
    assert_allclose(found.values, reference.values, atol=AGREEMENT * largest, rtol=0)
    factors = np.array([0.5, 1.0, 2.0])
    first = compiled.parameter_names[0]
    batch = simulate(compiled, times, values={first: factors * compiled.default_values[first]})
    for member, factor in enumerate(factors):
        pair = simulate(compiled, times, values={first: [factor * compiled.default_values[first]] * 2})
        assert_array_equal(batch.values[member], pair.values[0])


def test_one_is_the_unit():
    assert mul(ONE, symbol("x")) is symbol("x")
