"""How long a memory lasts: molecules that come and go one by one."""

from __future__ import annotations

from cascades.noise.jumps import JumpProcess, jump_process
from cascades.noise.one_step import mean_first_passage_time, stationary_distribution
from cascades.noise.ssa import random_paths

__all__ = [
    "JumpProcess",
    "jump_process",
    "mean_first_passage_time",
    "random_paths",
    "stationary_distribution",
]
