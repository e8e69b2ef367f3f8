"""The reduced late phase against its own equations and against the models that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import cascades
from cascades.errors import RuleError
from cascades.protocols import Protocol, Setting
from cascades.reduction import Course, LatePhase, derive_late_phase

LATE = LatePhase(3600.0, 1800.0, 4000.0, 0.05, 0.4, 0.6, 0.5, 2.0, 1.5)
GRID = 2e-3  # error of the trapezium over points a minute apart
TIMES = np.array([600.0, 1800.0, 3600.0, 10800.0, 28800.0])


@pytest.mark.parametrize(
    "course", [Course((0.0,)), Course((0.0, 300.0, 4000.0), ((1000.0, 3000.0),))], ids=str
)
def test_replay_solves_its_equations(course):
    def slope(t, y):
        tag, signal, protein, late = y
        made = 0.0 if any(a <= t < b for a, b in course.blocks) else signal**LATE.cooperativity
        captured = LATE.capture * tag**LATE.sites * protein * (1.0 - late / LATE.limit)
        return [-tag / LATE.tau_tag, -signal / LATE.tau_signal, (made - protein) / LATE.tau_protein, captured]

    edges = sorted({0.0, *course.times, *(t for b in course.blocks for t in b), *TIMES})
    y, expected = np.zeros(4), []
    for t, after in zip(edges, [*edges[1:], None], strict=True):
        if t in TIMES:
            expected.append(y.copy())
        if t in course.times:
            y[:2] += np.array([LATE.tag_gain, LATE.signal_gain]) * (1.0 - y[:2])
        if after is not None:
            y = solve_ivp(slope, (t, after), y, rtol=1e-10, atol=1e-13, max_step=50.0).y[:, -1]
    found = LATE.replay(course, TIMES)
    expected = np.array(expected).T
    assert_allclose(found["tag"], expected[0], rtol=1e-9)
    assert_allclose(found["protein"], expected[2], rtol=1e-7)
    assert_allclose(found["late"], expected[3], rtol=GRID)


def test_a_known_late_phase_comes_back():
    """Luboeinski & Tetzlaff (2021), whose tag is a step: R2 above 0.95 on courses that were not fitted."""
    model = cascades.compile_model(cascades.load_model("rule_luboeinski_2021"))
    drive = (Setting("calcium_drive", 0.0, 100.0), Setting("calcium_drive", 10.0, None))
    episode = Protocol("saturating", drive, 10.0)
    late = derive_late_phase(
        model, episode, tag="tagged_up", protein="p", weight="z", synthesis="protein_synthesis"
    )
    assert late.certificate.r2 > 0.95
    assert late.certificate.worst >= late.certificate.rmse
    assert late.certificate.no_change > 5.0 * late.certificate.rmse
    assert 2000.0 < late.tau_protein < 5000.0  # published: 3600 s
    assert LatePhase.from_json(late.to_json()) == late
    assert "no synthesis from 0 to 1 h" in [row[0] for row in late.certificate.rows][6]


def test_what_is_no_late_phase_is_refused():
    with pytest.raises(RuleError, match="tau_tag"):
        LatePhase(0.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 1.0)
    with pytest.raises(RuleError, match="gain"):
        LatePhase(1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 0.5, 1.0)
    with pytest.raises(RuleError, match="not a late phase"):
        LatePhase.from_json("{}")
    model = cascades.compile_model(cascades.load_model("rule_luboeinski_2021"))
    with pytest.raises(RuleError, match="leaves it where it was"):
        derive_late_phase(
            model,
            Protocol("nothing"),
            tag="tagged_up",
            protein="p",
            weight="z",
            synthesis="protein_synthesis",
        )
