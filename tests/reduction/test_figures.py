"""The pictures are drawn from any ladder."""

from __future__ import annotations

import pytest

import cascades
from cascades.reduction import derive_rule
from cascades.reduction.figures import error_map, ladder_figure


@pytest.mark.slow
def test_four_panels_and_one_cell_per_level_and_family():
    model = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    ladder = derive_rule(model, calcium="Ca", weight="S", budget="quick")
    figure = ladder_figure(ladder, title="CaMKII")
    assert len(figure.axes) == 5  # four panels and a colour bar
    axes = figure.add_subplot()
    error_map(ladder, axes)
    assert len(axes.texts) == len(ladder) * len(ladder[0].certificate.families)
