"""A balanced network that several files run."""

from __future__ import annotations

import dataclasses

import pytest

from cascades.network import balanced_network, run_network
from cascades.reduction.published import published_rule

RULE = dataclasses.replace(published_rule("cortical slice"), sigma=0.0, well="none")


@pytest.fixture(scope="session")
def small():
    return balanced_network(RULE, neurons=400, inputs=40)


@pytest.fixture(scope="session")
def recording(small):
    return run_network(small, 500.0, seed=1)
