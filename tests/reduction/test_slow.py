"""Slow variables' own dynamics, against equations that are known."""

from __future__ import annotations

import pytest

import cascades
from cascades.errors import RuleError, UnknownName
from cascades.reduction import derive_slow_dynamics

MODEL = """
model slow()
  unit substance = 1e-21 mole;  unit extent = 1e-21 mole;  unit volume = 1e-15 litre;  unit time_unit = second
  open_NMDA = 0;  open_NMDA has dimensionless;  tone = 1;  tone has dimensionless
  fixed = 2;  fixed has dimensionless
  tau_NMDA = 0.05;  tau_NMDA has second;  tau_tone = 200;  tau_tone has second
  jump = 0.1;  jump has dimensionless
  open_NMDA' = -open_NMDA / tau_NMDA
  tone' = (1 + 4 * open_NMDA - tone) / tau_tone
  fixed' = 0 * open_NMDA / tau_NMDA
end
"""
PORTS = """
title = "a slow tone"
citation = "none"
doi = ""
module = "rule"
[ports.glutamate]
kind = "spike"
symbol = "open_NMDA"
jump = "jump"
unit = "dimensionless"
description = "spike"
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    (folder / "model.ant").write_text(MODEL)
    (folder / "model.toml").write_text(PORTS)
    return cascades.compile_model(cascades.load_model(folder / "model.ant"))


def test_pace_and_targets_come_back(model):
    """tone' = (1 + 4 <open> - tone) / 200 with <open> = rate * jump * tau_NMDA."""
    found = derive_slow_dynamics(model, "tone", rates=(2.0, 10.0), seed=1)
    assert found.tau == pytest.approx(200.0, rel=0.1)
    assert found.rates == (0.0, 2.0, 10.0)
    assert found.start == pytest.approx(1.0, abs=1e-6)
    for rate, target in zip(found.rates, found.targets, strict=True):
        assert target == pytest.approx(1.0 + 4.0 * rate * 0.1 * 0.05, rel=0.02)
    assert found.r2 > 0.95
    assert found.target(100.0) == found.targets[-1]
    assert found.at(10.0, [0.0, 1e6])[1] == pytest.approx(found.targets[-1])
    assert "tone follows in" in str(found)
    assert derive_slow_dynamics(model, "tone", rates=(2.0, 10.0), seed=1) == found


def test_what_has_no_dynamics_of_its_own_is_refused(model):
    with pytest.raises(UnknownName, match="tone"):
        derive_slow_dynamics(model, "tones")
    with pytest.raises(RuleError, match="does not decay"):
        derive_slow_dynamics(model, "fixed")
    closed = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    with pytest.raises(RuleError, match="no spikes reach"):
        derive_slow_dynamics(closed, closed.state_names[0])
