"""The branches of a report."""

from __future__ import annotations

import pytest

import cascades
from cascades.report.bistability import diagram
from cascades.report.readouts import readouts

ONCE = 1e-6  # relative distance of folds that are not the same


@pytest.mark.slow
def test_every_fold_of_the_default_model_is_drawn_once():
    """A branch that ran out of points gives way to the whole curve that goes through it."""
    model = cascades.load_model("spine_cascades")
    found = diagram(cascades.compile_model(model), *readouts(model))
    folds = sorted(point.value for point in found.folds)
    assert len(folds) == 2
    assert folds[1] - folds[0] > ONCE * folds[1]
