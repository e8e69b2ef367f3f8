"""Many branches at once against one by one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.continuation import branch_ensemble, continuation

VARIED = ("k12", "KM", "PP10", "K5", "CaM", "kcan", "kpka")


def varied(problem, members: int, spread: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    defaults = problem.values()
    return {
        name: defaults[problem.index(name)] * np.exp(spread * rng.normal(size=members)) for name in VARIED
    }


def test_members_equal_single_branches(camkii):
    values = varied(camkii, 6, 0.2, 0)
    ensemble = branch_ensemble(camkii, "Ca", (0.02, 2.0), values=values)
    for member in range(6):
        branch = continuation(camkii, "Ca", (0.02, 2.0), values={k: v[member] for k, v in values.items()})
        found = ensemble.folds[member, : ensemble.n_folds[member]]
        assert_allclose(found, [p.value for p in branch.of_kind("fold")], rtol=1e-12)


def test_no_branch_of_a_thousand_jumps(camkii):
    """Isolas that nearly touch the main branch tempt a continuation to jump: then the number of folds
    is odd, or the branch goes round and round."""
    ensemble = branch_ensemble(camkii, "Ca", (0.02, 2.0), values=varied(camkii, 1000, 0.2, 0))
    assert (ensemble.status == 0).all()
    assert (ensemble.n_folds % 2 == 0).all()


def test_threads_do_not_change_the_result(camkii):
    values = varied(camkii, 8, 0.2, 1)
    one, two = (branch_ensemble(camkii, "Ca", (0.02, 2.0), values=values, threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.folds, two.folds)


def test_sizes_must_agree(camkii):
    with pytest.raises(ValueError, match="numbers of members differ"):
        branch_ensemble(camkii, "Ca", (0.02, 2.0), values={"KM": np.ones(2), "k12": np.ones(3)})
