"""The shipped composed models are what `compose` makes of their parts.

`spine_cascades` is written by it, and `tests/test_models.py` asserts that its file is in step.
"""

from __future__ import annotations

import numpy as np
import pytest

from cascades.card import model_card
from cascades.compiler.compiled import compile_model
from cascades.compose import compose
from cascades.library import load_model
from cascades.protocols import pairing, pulse_train
from cascades.simulate import simulate

SAME = 1e-8  # relative; only the order of summation differs
RECIPES = {
    "spine_graupner_2007": (
        {
            "nmda.V": "bap.V",
            "bap.i_syn": "nmda.i_syn",
            "calcium.V": "bap.V",
            "calcium.g_NMDA": "nmda.g_NMDA",
            "camkii.Ca": "calcium.Ca",
        },
        pairing(delay=0.01, rate=10.0, count=5),
        {"calcium_Ca": "Ca", "camkii_S": "S", "bap_V": "V"},
    ),
    "spine_shouval_2002": (
        {"rule.Ca": "calcium.Ca"},
        pairing(delay=0.012, rate=10.0, count=5, pre="pre"),
        {"calcium_Ca": "Ca", "rule_w": "w"},
    ),
    "spine_rodrigues_2023": (
        {
            "calcium.V": "nmda.V",
            "calcium.T": "nmda.T",
            "calcium.g_NMDA": "nmda.g_NMDA",
            "camkii.Ca": "calcium.Ca",
            "camkii.T": "nmda.T",
        },
        pulse_train(rate=10.0, count=3),
        {"calcium_Ca": "Ca", "camkii_CaN4": "CaN4"},
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_compose_gives_the_shipped_model(name):
    connect, protocol, quantities = RECIPES[name]
    flat = compile_model(load_model(name))
    composed = compile_model(compose(*(load_model(part) for part in model_card_parts(name)), connect=connect))
    changed = _values_changed_in_joining(flat, composed)
    times = np.linspace(0.0, 1.0, 11)
    ours = simulate(composed, times, protocol=protocol, values=changed, rtol=1e-10)
    shipped = simulate(flat, times, protocol=protocol, rtol=1e-10)
    for here, there in quantities.items():
        scale = np.abs(shipped[there]).max()
        assert np.abs(ours[here] - shipped[there]).max() <= SAME * scale, here


def model_card_parts(name):
    from cascades.library import description

    parts = description(name)["parts"]
    assert all(model_card(part).title for part in parts)
    return parts


def _values_changed_in_joining(flat, composed):
    """Values of the shipped model that differ from its parts' (a voltage, a switch)."""
    short = {name.partition("_")[2]: name for name in composed.parameter_names}
    return {
        short[name]: value
        for name, value in flat.default_values.items()
        if name in short and value != composed.default_values[short[name]]
    }
