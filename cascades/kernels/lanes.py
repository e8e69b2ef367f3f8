"""The memory of the lane driver: what it is told, where its lanes are, and its buffers.

The driver gets four records of numbers and addresses instead of dozens of arrays, which compiles in a
third of the time.  `Memory` keeps what the addresses point at alive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cascades.kernels.rodas5p import STAGES
from cascades.kernels.vectors import aligned_rows, native_lanes

# What `run` returns.
FINISHED, ATTENTION, PAUSED = 0, 1, 2
# Status of a member.
DONE, STEP_TOO_SMALL, NOT_FINITE, TOO_MANY_STEPS, SOLVER_ERROR, INTERRUPTED, NO_ALGEBRAIC = range(7)
# Changes at a stop.
ADD_TO_STATE, SET_STATE, SET_PARAMETER, RESTORE_PARAMETER, RESTORE_STATE = range(5)
# Rows of `control`, which are as wide as the widest vectors, and of the context x.
STEP, ERROR, MASK, PLACE = range(4)
TIME, SHIFT, FIRST_MODE = range(3)


def _integers(names: str) -> list[tuple[str, type]]:
    return [(name, np.int64) for name in names.split()]


# Addresses of compiled formulas (0: none), sizes, and the tables of the factorisation.
CODE = np.dtype(
    _integers(
        "rates factor solve time_slope conditions"
        " n n_wide n_watched n_modes n_algebraic has_table"
        " start columns diagonal run_start runs row_start row_blocks block_start blocks algebraic"
    )
)
# The members, what happens to them, and where results go; threads share it.
#   first_stop, last_stop: a member's rows among the stop_... arrays, one row per change, by time
#   triggers: the value of each event's trigger before the start;  reported: the states that are kept
#   queue, done: the next member and how many are done;  halt: whether to stop
JOB = np.dtype(
    [
        *_integers(
            "initial parameters first_stop last_stop stop_time stop_action stop_index stop_value stop_jump"
            " triggers times reported out status reached steps queue done halt"
            " n_members n m n_times n_reported max_steps"
        ),
        ("rtol", np.float64),
        ("end", np.float64),
    ]
)
# Vectors: one row per state, parameter, ...
ROWS = np.dtype(_integers("y p x w u trial probe slope k keep work upper truth known clock control atol"))


def lane_record(lanes: int) -> np.dtype[Any]:
    """Where each lane is.

    tried, end : the step being taken, and the stop that it hits (if `hits`)
    h_after : the first step accepted after the last change
    pending : when the next delayed event is due
    fresh : no step size yet;  changed : the next accepted step is the first after a change
    stale : conditions are not known;  low, high : times between which a condition changes;
    look : where it is looked at
    """
    real = "t h tried h_after end pending low high look"
    whole = "member stop output steps hits fresh changed rejected stale accepted attention"
    fields = [(name, np.float64, (lanes,)) for name in real.split()]
    return np.dtype(fields + [(name, np.int64, (lanes,)) for name in whole.split()])


@dataclass(frozen=True, eq=False)
class Memory:
    """A record (an array with one element) and the arrays that it points at."""

    record: np.ndarray
    arrays: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]


def pack(layout: np.dtype[Any], arrays: Mapping[str, np.ndarray], numbers: Mapping[str, float]) -> Memory:
    """Fill a record: the addresses of arrays, and numbers.

    Raises
    ------
    ValueError
        If something is missing, or an array is not contiguous.
    """
    numbers = dict(numbers)
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} is not contiguous")
        numbers[name] = array.__array_interface__["data"][0]
    names = layout.names or ()
    if {*names} != {*numbers}:
        raise ValueError(f"the record needs {sorted({*names} ^ {*numbers})}")
    return Memory(np.array([tuple(numbers[name] for name in names)], dtype=layout), dict(arrays))


def make_rows(lanes: int, sizes: Mapping[str, int], atol: np.ndarray) -> Memory:
    """Aligned buffers for one thread.

    sizes : the numbers of states `n`, parameters `m`, context rows `x`, factors `w`, watched
        conditions `watched` and blocks of the factorisation `blocks`.
    atol : shape (n,)
    """
    width = vector_width(lanes)
    n = padded_states(lanes, sizes["n"])
    counts = {
        "y": n, "p": sizes["m"], "x": sizes["x"], "w": sizes["w"], "u": STAGES * n, "trial": n, "probe": n,
        "slope": n, "k": 3 * n, "keep": n, "work": n, "truth": sizes["watched"], "known": sizes["watched"],
        "clock": 2, "atol": n,
    }  # fmt: skip
    total = sum(-(-max(count, 1) * lanes // width) for count in counts.values())
    block = aligned_rows(total + sizes["blocks"] + 5, width)  # one allocation; every part begins aligned
    arrays, row = {}, 0
    for name, count in counts.items():
        used = -(-max(count, 1) * lanes // width)
        arrays[name] = block[row : row + used].reshape(-1, lanes)[: max(count, 1)]
        row += used
    arrays["upper"] = block[row : row + sizes["blocks"] + 1]
    arrays["control"] = block[row + sizes["blocks"] + 1 :]
    arrays["atol"][:] = 1.0
    arrays["atol"][: sizes["n"]] = atol[:, None]
    return pack(ROWS, arrays, {})


def vector_width(lanes: int) -> int:
    """The lanes of the vectors that add up stages: with one member they run over states."""
    return lanes if lanes > 1 else native_lanes()


def padded_states(lanes: int, n: int) -> int:
    """Rows of states, rounded up so that whole vectors cover them."""
    width = vector_width(lanes)
    return -(-n * lanes // width) * width // lanes


def make_lanes(lanes: int) -> np.ndarray:
    """Lanes without members."""
    record = np.zeros(1, dtype=lane_record(lanes))
    record["member"] = -1
    record["h"] = record["tried"] = 1.0
    record["pending"] = np.inf
    return record
