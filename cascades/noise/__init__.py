"""How long a memory lasts: molecules that come and go one by one."""

from __future__ import annotations

from cascades.noise.forward_flux import SwitchingRate, switching_rate
from cascades.noise.jumps import JumpProcess, jump_process
from cascades.noise.master import Lattice, lattice, mean_first_passage_times, stationary
from cascades.noise.minimum_action import LeastAction, least_action_path
from cascades.noise.one_step import mean_first_passage_time, stationary_distribution
from cascades.noise.ssa import random_paths

__all__ = [
    "JumpProcess",
    "Lattice",
    "LeastAction",
    "SwitchingRate",
    "jump_process",
    "lattice",
    "least_action_path",
    "mean_first_passage_time",
    "mean_first_passage_times",
    "random_paths",
    "stationary",
    "stationary_distribution",
    "switching_rate",
]
