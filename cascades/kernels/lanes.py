"""The memory of the lane driver: what it is told, where its lanes are, and its buffers.

The driver gets four records of numbers and addresses instead of dozens of arrays, which compiles in a
third of the time.  `Memory` keeps what the addresses point at alive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cascades.kernels.rodas5p import STAGES
from cascades.kernels.vectors import address, aligned_rows, native_lanes

# What `run` returns.
FINISHED, ATTENTION, PAUSED = 0, 1, 2
# Status of a member.
DONE, STEP_TOO_SMALL, NOT_FINITE, TOO_MANY_STEPS, SOLVER_ERROR, INTERRUPTED, NO_ALGEBRAIC = range(7)
# Changes at a stop.
ADD_TO_STATE, SET_STATE, SET_PARAMETER, RESTORE_PARAMETER, RESTORE_STATE = range(5)
# Rows of `control`, which are as wide as the widest vectors, and of the context x.
STEP, ERROR, MASK, PLACE = range(4)
_CONTROL = 4
_WIDE = ("upper", "control")  # parts whose rows are as wide as the widest vectors
TIME, SHIFT, FIRST_MODE = range(3)


def _integers(names: str) -> list[tuple[str, type]]:
    return [(name, np.int64) for name in names.split()]


# Addresses of compiled formulas (0: none), sizes, and the tables of the factorisation.
CODE = np.dtype(
    _integers(
        "rates factor solve time_slope conditions"
        " n n_wide n_watched n_modes n_algebraic has_table n_groups"
        " groups updates targets start columns diagonal row_start row_blocks block_start blocks"
        " row_of column_of algebraic"
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
ROWS = np.dtype(_integers("y p x w u trial sum probe slope k keep work upper truth known clock control atol"))


@lru_cache(maxsize=8)
def lane_record(lanes: int) -> np.dtype[Any]:
    """Where each lane is.

    tried, end : the step being taken, and the stop that it hits (if `hits`)
    h_after : what would have been the right first step after the last change
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
        numbers[name] = address(array)
    names = layout.names or ()
    if len(numbers) != len(names) or any(name not in numbers for name in names):
        raise ValueError(f"the record needs {sorted({*names} ^ {*numbers})}")
    record = np.zeros(1, dtype=layout)
    _write_record(record, [numbers[name] for name in names])
    return Memory(record, dict(arrays))


def _write_record(record: np.ndarray, numbers: Sequence[float]) -> None:
    """Every field has eight bytes: whole numbers are written at once, the others one by one."""
    fields = _real_fields(record.dtype)
    record.view(np.int64)[:] = [int(number) for number in numbers] if fields else numbers
    for at, name in fields:
        record[name] = numbers[at]


@lru_cache(maxsize=16)
def _real_fields(layout: np.dtype[Any]) -> tuple[tuple[int, str], ...]:
    names = layout.names or ()
    return tuple((at, name) for at, name in enumerate(names) if layout[name] == np.float64)


def make_rows(lanes: int, sizes: Mapping[str, int], atol: np.ndarray) -> Memory:
    """Aligned buffers for one thread.

    sizes : the numbers of states `n`, parameters `m`, context rows `x`, factors `w`, watched
        conditions `watched` and blocks of the factorisation `blocks`.
    atol : shape (n,)
    """
    parts, rows = _parts(lanes, tuple(sizes.items()))
    width = vector_width(lanes)
    block = aligned_rows(rows, width)  # one allocation; every part begins aligned
    arrays = _Rows(block, lanes, parts)
    arrays["atol"].fill(1.0)
    arrays["atol"][: sizes["n"]] = atol[:, None]
    start = address(block)
    record = np.zeros(1, dtype=ROWS)
    _write_record(record, [start + 8 * width * parts[name][0] for name in ROWS.names or ()])
    return Memory(record, arrays)


class _Rows(Mapping[str, np.ndarray]):
    """The parts of a block as arrays, made when they are asked for."""

    def __init__(self, block: np.ndarray, lanes: int, parts: Mapping[str, tuple[int, int, int]]):
        self._block, self._lanes, self._parts = block, lanes, parts

    def __getitem__(self, name: str) -> np.ndarray:
        first, last, count = self._parts[name]
        rows = self._block[first:last]
        return rows if name in _WIDE else rows.reshape(-1, self._lanes)[:count]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


@lru_cache(maxsize=64)
def _parts(lanes: int, sizes: tuple[tuple[str, int], ...]) -> tuple[Mapping[str, tuple[int, int, int]], int]:
    """Each array's first and last row in the block and its own number of rows; and all rows of the block."""
    size, width = dict(sizes), vector_width(lanes)
    n = padded_states(lanes, size["n"])
    counts = {
        "y": n, "p": size["m"], "x": size["x"], "w": size["w"], "u": STAGES * n, "trial": n, "sum": n,
        "probe": n, "slope": n, "k": 3 * n, "keep": n, "work": n, "truth": size["watched"],
        "known": size["watched"], "clock": 2, "atol": n, "upper": size["blocks"] + 1, "control": _CONTROL,
    }  # fmt: skip
    parts, row = {}, 0
    for name, count in counts.items():
        count = max(count, 1)
        used = count if name in _WIDE else -(-count * lanes // width)
        parts[name] = row, row + used, count
        row += used
    return parts, row


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
