"""Error maps over protocol space: what they count, on grids made by hand and on a model."""

from __future__ import annotations

import numpy as np
import pytest

import cascades
from cascades.reduction import derive_rule
from cascades.reduction.figures import protocol_map_figure
from cascades.reduction.protocol_map import HOLDS, ProtocolMap, protocol_maps


def made(full, rule, is_right):
    axes = ("x", np.array([1.0, 2.0])), ("y", np.array([1.0]))
    return ProtocolMap(*axes, np.array([full]), np.array([rule]), np.array([is_right]))


def test_a_cell_holds_if_both_starts_are_right():
    one = made([[0.5, 0.5], [0.9, 1.0]], [[0.5, 0.5 + 2.0 * HOLDS], [0.9, 1.0]], [True, False])
    assert one.error.tolist() == [[pytest.approx(2.0 * HOLDS), pytest.approx(0.0)]]
    assert one.holds.tolist() == [[False, False]]
    assert made([[0.5, 0.5]] * 2, [[0.6, 0.5]] * 2, [True, False]).holds.tolist() == [[True, False]]


def test_change_is_the_mean_over_what_was_run():
    one = made([[0.5, 1.0], [0.3, np.nan]], [[1.5, 1.0], [0.0, 0.0]], [True, True])
    assert one.change("full").tolist() == [[0.25, 0.3]]
    assert one.change("rule").tolist() == [[0.5, -0.5]]  # efficacies are clipped
    assert one.error.tolist() == [[pytest.approx(0.5), pytest.approx(0.3)]]  # nothing is known from UP
    assert "holds in" in str(one)


@pytest.mark.slow
def test_maps_of_a_model_agree_with_the_full_model_where_they_say_so():
    model = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    ladder = derive_rule(model, calcium="Ca", weight="S", budget="quick")
    maps = protocol_maps(ladder.details["derivation"], ladder.rule)
    assert [one.across[0] for one in maps] == ["rate of pairs [Hz]", "post after pre [s]"]
    for one in maps:
        assert one.full.shape == one.rule.shape == (one.up[1].size, one.across[1].size, 2)
        assert 0.2 < one.holds.mean() < 1.0
    # many pairs at a high rate potentiate a DOWN synapse, in the model and by the rule
    assert maps[0].full[-1, -1, 0] > 0.8
    assert maps[0].rule[-1, -1, 0] > 0.8
    figure = protocol_map_figure(maps, title="CaMKII")
    assert len(figure.axes) == 12  # three panels and their colour bars in each of two rows
