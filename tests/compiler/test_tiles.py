"""Factorisations in tiles: every entry has one place, and loops find what elimination by hand finds."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from cascades import load_model, simulate
from cascades.compiler import lanes as lane_module
from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import CompiledModel
from cascades.compiler.ordering import order
from cascades.compiler.tiles import plain_storage, split_within, tiled_storage
from cascades.kernels.factor import factor_tiles
from cascades.kernels.lanes import CODE, pack
from cascades.kernels.vectors import aligned_rows, lane_tuple
from cascades.solvers.rodas5p import Rodas5P

LAST_PLACES = 1e-11
SAME_TOLERANCE = 1e-7  # of two orders of rounding, over a whole run at rtol 1e-6
LANES = 2


@njit
def factor(lanes, record, w):
    factor_tiles(lanes, record[0], w)


def sparse(n, seed):
    rng = np.random.default_rng(seed)
    dense = np.diag(rng.uniform(2.0, 3.0, n)) + 0.3 * (rng.random((n, n)) < 0.08) * rng.normal(size=(n, n))
    return dense, order(zip(*np.nonzero(dense), strict=True), n)


@pytest.mark.parametrize("n", [8, 29, 30, 31])
def test_loops_over_tiles_factorise(n):
    dense, factors = sparse(n, n)
    tiles = tiled_storage(factors, 0)
    w = aligned_rows(tiles.size, LANES)
    for place, value in tiles.padding.items():
        w[place] = value
    entries = [(i, j) for i, columns in enumerate(factors.columns) for j in columns]
    for i, j in entries:
        w[tiles.place(i, j)] = dense[factors.row_of[i], factors.column_of[j]] * np.array([1.0, 2.0])
    none = np.zeros(1, dtype=np.int32)
    tables = dict.fromkeys(("start", "columns", "diagonal", "row_start", "row_blocks"), none)
    tables |= dict.fromkeys(("block_start", "blocks", "algebraic"), none)
    tables |= {"groups": tiles.groups, "updates": tiles.updates, "targets": tiles.targets}
    numbers = {name: 0 for name in CODE.names if name not in tables}
    code = pack(CODE, tables, numbers | {"n_groups": tiles.groups.size // 3 - 1})
    factor(lane_tuple(LANES), code.record, w)
    for lane, size in enumerate((1.0, 2.0)):
        lower, upper = np.eye(n), np.zeros((n, n))
        for i, j in entries:
            value = w[tiles.place(i, j), lane]
            if j < i:
                lower[i, j] = value
            else:
                upper[i, j] = 1.0 / value if i == j else value
        expected = size * dense[np.ix_(factors.row_of, factors.column_of)]
        assert_allclose(lower @ upper, expected, atol=LAST_PLACES)


@pytest.mark.parametrize("split", [0, 7, 30])
def test_places_are_distinct_and_inside(split):
    _, factors = sparse(30, 1)
    storage = tiled_storage(factors, split) if split < 30 else plain_storage(factors, split)
    places = [storage.place(i, j) for i, columns in enumerate(factors.columns) for j in columns]
    taken = [*places, *storage.padding]
    assert len(set(taken)) == len(taken)
    assert min(taken) >= 0 and max(taken) < storage.size


def test_split_keeps_to_the_limit():
    _, factors = sparse(30, 2)
    assert split_within(factors, factors.multiplications()) == 30
    assert 0 < split_within(factors, factors.multiplications() // 2) < 30


def test_a_run_does_not_depend_on_what_is_in_tiles(monkeypatch, tmp_path):
    model = load_model("spine_graupner_2007")
    times = [0.5, 5.0, 60.0]
    equations = build_equations(model)
    values = {equations.parameter_names[0]: equations.default_values[0] * np.linspace(0.9, 1.1, 5)}
    found = []
    for unroll in (10_000, 60):
        monkeypatch.setenv("CASCADES_CACHE", str(tmp_path / str(unroll)))
        monkeypatch.setattr(lane_module, "UNROLL", unroll)
        compiled = CompiledModel(equations, model)
        found.append(simulate(compiled, times, values=values, solver=Rodas5P(lanes=4, threads=1)).values)
        assert compiled.lane_code(4).table.exists == (unroll == 60)
    assert_allclose(found[1], found[0], rtol=SAME_TOLERANCE, atol=1e-12)


def test_code_made_in_haste_gives_the_same_digits(monkeypatch, tmp_path):
    """One lane's factors and solutions from tables, then from optimised code."""
    monkeypatch.setattr(lane_module, "UNROLL_IN_HASTE", 10)
    monkeypatch.setenv("CASCADES_CACHE", str(tmp_path))
    model = load_model("spine_graupner_2007")
    compiled = CompiledModel(build_equations(model), model)
    hasty = simulate(compiled, [0.5, 5.0, 60.0])
    assert compiled.lane_code(1).library.is_quick and compiled.lane_code(1).solve == 0
    compiled.note_use(1, 60.0)
    assert not compiled.lane_code(1).library.is_quick and compiled.lane_code(1).solve != 0
    assert_array_equal(simulate(compiled, [0.5, 5.0, 60.0]).values, hasty.values)
