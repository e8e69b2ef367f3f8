"""Fast species eliminated: formulas that are known, totals that stay, and bounds that hold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

import cascades
from cascades.errors import RuleError, UnknownName
from cascades.reduction import quasi_steady
from cascades.reduction.families import training
from cascades.sbml.write import to_sbml

K1, BACK, TURNOVER, ENZYME, SUBSTRATE = 50.0, 20.0, 5.0, 0.1, 10.0
MICHAELIS = f"""
model enzyme()
  compartment cell = 1
  species E in cell = {ENZYME}, S in cell = {SUBSTRATE}, ES in cell = 0, P in cell = 0
  k1 = {K1};  back = {BACK};  turnover = {TURNOVER}
  bind: E + S -> ES;  cell * (k1 * E * S - back * ES)
  turn: ES => E + P;  cell * turnover * ES
end
"""
EXACT = 1e-7  # of the solver, in totals and formulas
ESTIMATED = 0.4  # of the largest error of an output: how wrong its estimate is
LOOSEST = 60.0  # bound over true error of the efficacy, on random trains


def compiled(tmp_path, text):
    (tmp_path / "model.ant").write_text(text)
    return cascades.compile_model(cascades.load_model(tmp_path / "model.ant"))


def test_an_enzyme_is_in_the_total_quasi_steady_state(tmp_path):
    """The complex solves a quadratic in S + ES: Borghans, de Boer & Segel (1996), equation 10."""
    reduced = quasi_steady(compiled(tmp_path, MICHAELIS), faster_than=0.1)
    assert reduced.size == 1
    assert "algebraic equation" in str(reduced)
    run = cascades.simulate(reduced.compiled, np.linspace(0.0, 40.0, 9), rtol=1e-9)
    s, es, e, p = (np.asarray(run[name])[0] for name in ("S", "ES", "E", "P"))
    b = ENZYME + s + es + (BACK + TURNOVER) / K1
    assert_allclose(es, 0.5 * (b - np.sqrt(b * b - 4.0 * ENZYME * (s + es))), rtol=EXACT)
    assert_allclose(e + es, ENZYME, rtol=EXACT)
    assert_allclose(s + es + p, SUBSTRATE, rtol=EXACT)


def test_a_linear_balance_becomes_a_formula(tmp_path):
    """Without a total of the substrate, ES = E_total S / (Km + S) (Michaelis & Menten)."""
    open_ = MICHAELIS.replace("end", "  feed: => S;  cell * 0.1\nend").replace("P in cell", "$P in cell")
    reduced = quasi_steady(compiled(tmp_path, open_), faster_than=0.1)
    assert reduced.implicit == ()
    run = cascades.simulate(reduced.compiled, np.linspace(0.0, 40.0, 9), rtol=1e-9)
    s, es = (np.asarray(run[name])[0] for name in ("S", "ES"))
    assert_allclose(es, ENZYME * s / ((BACK + TURNOVER) / K1 + s), rtol=EXACT)


def test_the_reduced_model_is_written_and_read(tmp_path):
    reduced = quasi_steady(compiled(tmp_path, MICHAELIS), faster_than=0.1)
    (tmp_path / "reduced.xml").write_text(to_sbml(reduced.model), encoding="utf-8")
    again = cascades.compile_model(cascades.load_model(tmp_path / "reduced.xml"))
    times = np.linspace(0.0, 40.0, 9)
    ours, theirs = (cascades.simulate(model, times, rtol=1e-8)["P"] for model in (reduced.compiled, again))
    assert_allclose(ours, theirs, rtol=EXACT)


def test_the_bound_holds_along_the_run_of_an_enzyme(tmp_path):
    full = compiled(tmp_path, MICHAELIS)
    times = [0.02, 0.2, 2.0, 20.0, 60.0]
    found = quasi_steady(full, faster_than=0.1).error_bound(["S", "P", "ES"], times)
    true = cascades.simulate(full, [0.0, *times], rtol=1e-10)
    for i, name in enumerate(found.outputs):
        error = np.asarray(true[name])[0, 1:] - found.values[:, i]
        assert (np.abs(error) <= found.bound[:, i]).all()
        assert_allclose(found.estimate[:, i], error, atol=ESTIMATED * np.abs(error).max())
    assert "estimate" in str(found)


def test_more_than_one_protocol_moves_the_efficacy_less_than_the_bound():
    _check_on_trains("spine_cascades", 0.01, ["efficacy", "w"], count=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "faster_than", "outputs"),
    [("spine_cascades", 0.02, ["efficacy", "w"]), ("spine_graupner_2007", 0.0015, ["S", "PP1"])],
)
def test_random_trains_move_outputs_less_than_the_bound(name, faster_than, outputs):
    _check_on_trains(name, faster_than, outputs, count=12)


def _check_on_trains(name, faster_than, outputs, count):
    full = cascades.compile_model(cascades.load_model(name))
    reduced = quasi_steady(full, faster_than=faster_than)
    ports = [port.name for port in full.equations.ports if port.kind == "spike"]
    ratios = []
    for case in training(count, seed=3):
        protocol = case.protocol(ports=(ports[0], ports[-1]))
        times = [0.5 * case.end, case.end, case.end + 60.0]
        found = reduced.error_bound(outputs, times, protocol=protocol)
        true = cascades.simulate(full, [0.0, *times], protocol=protocol, rtol=1e-9)
        error = np.abs(np.stack([np.asarray(true[o])[0, 1:] for o in outputs], axis=1) - found.values)
        assert (error <= found.bound).all()
        ratios.append(found.bound[1, 0] / error[1, 0])
    assert np.median(ratios) < LOOSEST


@pytest.mark.slow
def test_a_large_model_takes_seconds(tmp_path):
    from analysis._speed.networks import large

    full = compiled(tmp_path, large().antimony())
    full.jacobian(full.initial_array(full.parameter_array({}))[0], full.parameter_array({})[0])
    begin = time.perf_counter()
    reduced = quasi_steady(full, faster_than=0.01)
    assert time.perf_counter() - begin < 10.0
    assert len(full.state_names) == 230
    assert len(reduced.eliminated) > 20
    times = [0.1, 1.0, 10.0]
    found = reduced.error_bound(["s_PP1", "d_PP1"], times)
    true = cascades.simulate(full, [0.0, *times], rtol=1e-10)
    for i, name in enumerate(found.outputs):
        assert (np.abs(np.asarray(true[name])[0, 1:] - found.values[:, i]) <= found.bound[:, i]).all()


def test_what_cannot_be_eliminated_is_said(tmp_path):
    full = compiled(tmp_path, MICHAELIS)
    with pytest.raises(RuleError, match="no species relaxes within 1e-06"):
        quasi_steady(full, faster_than=1e-6)
    with pytest.raises(RuleError, match="positive"):
        quasi_steady(full, faster_than=0.0)
    with pytest.raises(UnknownName, match="ESP"):
        quasi_steady(full, faster_than=0.1, keep=["ESP"])


def test_a_rhythm_has_no_quasi_steady_state(tmp_path):
    """Three fast repressors in a ring: their balance is there, but unstable."""
    ring = zip("xyz", "zxy", (1.0, 2.0, 3.0), strict=True)
    text = "\n".join(f"  {a}' = 1000 * (10 / (1 + {b}^4) - {a});  {a} = {start}" for a, b, start in ring)
    with pytest.raises(RuleError, match="no stable solution"):
        quasi_steady(compiled(tmp_path, f"model ring()\n{text}\nend"), faster_than=0.01)


def test_fast_species_of_a_cascade_are_eliminated_together():
    """26 species with coupled nonlinear balances: the kinases and complexes of Bhalla & Iyengar (1999)."""
    full = cascades.compile_model(cascades.load_model("mapk_bhalla_1999"))
    reduced = quasi_steady(full, faster_than=2.0)
    assert len(reduced.implicit) > 10
    assert reduced.size < 0.6 * len(full.state_names)
    times = [3.0, 20.0, 60.0]
    found = reduced.error_bound(["PKC_active", "AA"], times)
    true = cascades.simulate(full, [0.0, *times], rtol=1e-10)
    for i, name in enumerate(found.outputs):
        assert (np.abs(np.asarray(true[name])[0, 1:] - found.values[:, i]) <= found.bound[:, i]).all()
