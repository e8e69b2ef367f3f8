"""What the measurements of speed claim about memory."""

from __future__ import annotations

import pytest

from analysis._speed.members import in_a_process
from cascades.ensemble import CHUNK_BYTES

FEW, MORE = 2_000, 40_000
CHUNKS = 2.0  # arrays of a chunk's size that may live at once: states, and what becomes of them


@pytest.mark.slow
def test_memory_does_not_grow_with_the_members():
    """Beyond the result; all states of all members would be five times what is allowed."""
    (few, _, small), (more, _, large) = in_a_process(FEW), in_a_process(MORE)
    assert 1e9 * (more - few) < large - small + CHUNKS * CHUNK_BYTES
