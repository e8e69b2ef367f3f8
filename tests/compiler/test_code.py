"""Compiled code: every operator, one lane and many, the cache on disk."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cascades.compiler import build as building
from cascades.compiler.build import build
from cascades.compiler.emit import PIECE, emit_function, emit_tape, module_text
from cascades.compiler.ordering import order
from cascades.compiler.tape import write_tape
from cascades.errors import CompileError
from cascades.expression import FUNCTIONS, LOGIC, RELATIONS, call, evaluate, piecewise, symbol
from cascades.kernels.sources import source_hash
from cascades.kernels.vectors import aligned_rows

X, Y, K = symbol("x"), symbol("y"), symbol("k")
ROWS = {"x": ("y", 0), "y": ("y", 1), "k": ("p", 0)}
LAST_PLACES = 1e-14


def run(outputs, lanes, x, y, k):
    """Outputs of shape (outputs, members), `lanes` members at a time."""
    text = module_text([emit_function("f", outputs, ROWS, lanes)], lanes)
    library = build(f"test {hash(text)}", ["f"], lambda: text)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(library["f"])
    found = np.empty((len(outputs), x.size))
    ys, p, c, out = (
        aligned_rows(2, lanes),
        aligned_rows(1, lanes),
        aligned_rows(1, lanes),
        aligned_rows(len(outputs), lanes),
    )
    for i in range(0, x.size, lanes):
        part = slice(i, i + lanes)
        ys[0], ys[1], p[0] = x[part], y[part], k[part]
        function(*(a.ctypes.data for a in (ys, p, c, out)))
        found[:, part] = out
    return found


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_arguments_that_are_the_same_in_all_lanes(lanes):
    tape = write_tape([X * K + Y], ROWS | {"k": ("p", 3)})
    text = module_text([emit_tape("f", tape, lanes, numbers=("p",))], lanes)
    library = build(f"test {hash(text)}", ["f"], lambda: text)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(library["f"])
    ys, p, out = aligned_rows(2, lanes), np.array([0.0, 0.0, 0.0, 3.0]), aligned_rows(1, lanes)
    ys[0], ys[1] = np.arange(lanes) + 1.0, 0.5
    function(ys.ctypes.data, p.ctypes.data, p.ctypes.data, out.ctypes.data)
    assert_allclose(out[0], 3.0 * ys[0] + 0.5, rtol=LAST_PLACES)


def every_operator():
    formulas = [call(f, X) for f in FUNCTIONS if f not in ("min", "max", "quotient", "rem", "acosh")]
    formulas += [call("acosh", 1 + X), call("quotient", K, X), call("rem", K, X)]
    formulas += [call("min", X, Y, K), call("max", X, Y, K)]
    formulas += [call(r, X, Y) for r in RELATIONS] + [call("lt", X, Y, K)]
    truths = call("gt", X, Y), call("lt", X, K)
    formulas += [call(name, *truths) for name in LOGIC if name != "not"] + [call("not", truths[0])]
    formulas += [X**n for n in (-3, -1, -0.5, 0.5, 2, 5, 17, 2.7)] + [X**Y, X**K]
    formulas += [piecewise((X, call("gt", X, Y)), (Y, call("gt", K, 2)), otherwise=K)]
    return formulas + [X * Y / K - 3 * X + 2, (X - Y) / (1 + X * Y) + 1 / (X * Y)]


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_every_operator(lanes):
    rng = np.random.default_rng(0)
    x, y, k = rng.uniform(0.05, 0.95, (3, 16))
    k *= 3.0
    wanted = evaluate(every_operator(), {"x": x, "y": y, "k": k})
    found = run(every_operator(), lanes, x, y, k)
    for formula, row, reference in zip(every_operator(), found, wanted, strict=True):
        assert_allclose(
            row,
            np.broadcast_to(reference, row.shape),
            rtol=LAST_PLACES,
            atol=LAST_PLACES,
            err_msg=str(formula),
        )


def test_long_functions_are_cut_and_shared_values_cross_the_cuts():
    shared = call("exp", X * Y)
    outputs = [shared * (X + i) / (Y + i**2 + K) + shared**2 for i in range(1, 3 * PIECE)]
    x, y, k = np.random.default_rng(1).uniform(0.5, 1.0, (3, 8))
    code = emit_function("f", outputs, ROWS, 8)
    assert code.text.count("define internal") > 3
    assert_allclose(run(outputs, 8, x, y, k), evaluate(outputs, {"x": x, "y": y, "k": k}), rtol=LAST_PLACES)


@pytest.fixture(name="cache")
def cache_in(tmp_path, monkeypatch):
    monkeypatch.setenv("CASCADES_CACHE", str(tmp_path))
    return tmp_path


def small_text():
    return module_text([emit_function("f", [X * Y + K], ROWS)], 1)


def test_cached_code_is_not_written_twice(cache):
    build("key", ["f"], small_text)

    def never():
        raise AssertionError("compiled again")

    assert build("key", ["f"], never)["f"]
    assert [path.suffix for path in cache.iterdir()] == [".o"]


def test_code_of_another_compiler_is_not_used(cache, monkeypatch):
    build("key", ["f"], small_text)
    monkeypatch.setattr(building, "source_hash", lambda *paths: "other sources")
    build("key", ["f"], small_text)
    assert len(list(cache.iterdir())) == 2


def test_any_changed_source_counts(tmp_path):
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("x = 1")
    second.write_text("x = 1")
    found = {source_hash(str(tmp_path))}
    second.write_text("x = 2")
    source_hash.cache_clear()
    found.add(source_hash(str(tmp_path)))
    second.rename(tmp_path / "third.py")
    source_hash.cache_clear()
    found.add(source_hash(str(tmp_path)))
    assert len(found) == 3


@pytest.mark.parametrize("damage", [b"", b"junk", "cut", "flipped"])
def test_a_damaged_file_is_replaced(cache, damage):
    build("key", ["f"], small_text)
    (path,) = cache.glob("*.o")
    good = path.read_bytes()
    damaged = {"cut": good[: len(good) // 2], "flipped": good[:-1] + bytes([good[-1] ^ 1])}.get(
        damage, damage
    )
    path.write_bytes(damaged)
    build("key", ["f"], small_text)
    assert path.read_bytes() == good


def test_writers_at_the_same_time(cache):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(build("key", ["f"], small_text)["f"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("CASCADES_CACHE", str(blocked))
    assert build("key", ["f"], small_text)["f"]


def test_refused_text_is_a_compile_error(cache):
    with pytest.raises(CompileError, match="LLVM refused"):
        build("bad", ["f"], lambda: "define nonsense")
    assert building.cache_folder() == cache


def test_order_keeps_the_pattern_and_finds_pivots_of_algebraic_equations():
    rng = np.random.default_rng(4)
    dense = np.eye(30) * 4 + (rng.random((30, 30)) < 0.1) * rng.normal(size=(30, 30))
    factors = order(zip(*map(list, np.nonzero(dense)), strict=True), 30)
    places = {(i, j) for i, columns in enumerate(factors.columns) for j in columns}
    work = dense[np.ix_(factors.row_of, factors.column_of)]
    for k in range(30):
        for i in range(k + 1, 30):
            work[i] -= work[i, k] / work[k, k] * np.where(np.arange(30) > k, work[k], 0.0)
    filled = set(zip(*map(list, np.nonzero(np.triu(np.abs(work) > 1e-12))), strict=True))
    assert filled <= places
    swapped = order([(0, 0), (0, 1), (1, 2), (2, 1)], 3, free_rows=(1, 2))
    assert all(swapped.row_of[k] != swapped.column_of[k] for k in range(3) if swapped.column_of[k] != 0)
    with pytest.raises(CompileError, match="singular"):
        order([(0, 0), (1, 0)], 2, free_rows=(1,))
