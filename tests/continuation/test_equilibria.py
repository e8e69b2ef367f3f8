"""All equilibria of two published switches."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import SymbolicProblem, equilibria
from cascades.errors import NoEquilibrium
from cascades.expression import symbol

PRINTED_DIGITS = 1e-9

# total phosphorylation [uM] of DOWN, saddle, UP; the authors' upper branch (ModelDB 114452) starts at
# 132.3964
PHOSPHORYLATION = {
    0.05: [0.00383187977951],
    0.10: [0.145055585689, 56.76769678, 149.983088949065],
    0.20: [0.74368812630394, 30.6669863471387, 132.396444993758],
}


@pytest.mark.parametrize("calcium", PHOSPHORYLATION)
def test_camkii_switch_has_all_its_states(camkii, calcium):
    states = equilibria(camkii, values={"Ca": calcium})
    assert_allclose([s["S"] for s in states], PHOSPHORYLATION[calcium], rtol=PRINTED_DIGITS)
    assert [s.is_stable for s in states] == [True, False, True][: len(states)]
    assert all(s.residual < 1e-14 for s in states)


def test_camkii_slow_rates(camkii):
    down, _, up = equilibria(camkii, values={"Ca": 0.1})
    assert_allclose(-down.eigenvalues.real[:4], [0.1047, 9.49, 17.2, 26.1], rtol=3e-3)
    assert_allclose(-up.eigenvalues.real[:5], [0.0317, 0.0979, 0.1047, 0.263, 0.353], rtol=2e-3)


def test_negative_roots_are_left_out():
    x, a = symbol("x"), symbol("a")
    problem = SymbolicProblem(
        ("x",),
        ("a",),
        [a - x * x],
        default_state=np.ones(1),
        default_values=np.ones(1),
        is_positive=np.ones(1, bool),
    )
    (state,) = equilibria(problem)
    assert_allclose(state["x"], 1.0)


def test_no_equilibrium_at_all():
    x, a = symbol("x"), symbol("a")
    problem = SymbolicProblem(
        ("x",), ("a",), [a + x * x], default_state=np.ones(1), default_values=np.ones(1)
    )
    with pytest.raises(NoEquilibrium):
        equilibria(problem)
