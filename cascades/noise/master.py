"""The master equation on a truncated lattice: exact answers for a few species and few molecules.

Munsky & Khammash (2006) J. Chem. Phys. 124:044104: what leaves the lattice is an upper bound of the
error, and is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cascades.errors import NoiseError
from cascades.noise.jumps import JumpProcess

MOST_STATES = 2_000_000


@dataclass(frozen=True, eq=False)
class Lattice:
    """The states that a process can reach within limits, and the rates between them.

    counts : int, shape (states, species); the start is state 0
    generator : sparse, shape (states, states): entry (i, k) is the rate from i to k; rows sum to minus
        the rate at which the lattice is left
    escape : rate at which each state leaves the lattice, shape (states,)
    """

    process: JumpProcess = field(repr=False)
    counts: np.ndarray = field(repr=False)
    generator: Any = field(repr=False)
    escape: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        return self.counts.shape[0]

    def where(self, condition: Callable[[dict[str, np.ndarray]], np.ndarray]) -> np.ndarray:
        """A mask of states from a condition on counts by name."""
        named = {name: self.counts[:, i] for i, name in enumerate(self.process.species)}
        return np.broadcast_to(np.asarray(condition(named), bool), (len(self),))


def lattice(
    process: JumpProcess,
    limits: Mapping[str, int],
    *,
    values: Mapping[str, float] | None = None,
    initial: Mapping[str, float] | None = None,
    most: int = MOST_STATES,
) -> Lattice:
    """Every state that can be reached from the start with counts up to `limits`.

    Raises
    ------
    NoiseError
        There are more than `most` states, or a propensity is negative.
    """
    from scipy.sparse import coo_array, diags_array

    start = process.counts(initial).astype(np.int64)
    top = np.array([limits.get(name, np.iinfo(np.int64).max) for name in process.species])
    if (start > top).any() or (start < 0).any():
        raise NoiseError("the start lies outside of the limits")
    constants = process.constants(process.values(values))
    place: dict[bytes, int] = {start.tobytes(): 0}
    layers = [start[None, :]]
    rows: list[np.ndarray] = []
    cols: list[np.ndarray] = []
    rates: list[np.ndarray] = []
    escapes: list[np.ndarray] = []
    begin = 0
    front = layers[0]
    while front.size:
        a = process.formulas(front.astype(float), constants)
        if not (a >= 0.0).all():
            raise NoiseError("a propensity is negative or not a number within the limits")
        escape = np.zeros(len(front))
        fresh: list[np.ndarray] = []
        for j, change in enumerate(process.changes):
            active = np.flatnonzero(a[:, j] > 0.0)
            after = front[active] + change
            possible = (after >= 0).all(axis=1)  # a reaction without its reactants does not fire
            active, after = active[possible], after[possible]
            inside = (after <= top).all(axis=1)
            np.add.at(escape, active[~inside], a[active[~inside], j])
            targets = np.empty(int(inside.sum()), np.int64)
            for k, state in enumerate(after[inside]):
                key = state.tobytes()
                index = place.get(key)
                if index is None:
                    index = place[key] = len(place)
                    fresh.append(state)
                targets[k] = index
            rows.append(begin + active[inside])
            cols.append(targets)
            rates.append(a[active[inside], j])
        escapes.append(escape)
        if len(place) > most:
            raise NoiseError(
                f"more than {most} states can be reached: set lower limits or sample paths instead"
            )
        begin += len(front)
        front = np.array(fresh, np.int64).reshape(-1, start.size)
        layers.append(front)
    size = len(place)
    matrix = coo_array(
        (np.concatenate(rates), (np.concatenate(rows), np.concatenate(cols))), shape=(size, size)
    ).tocsr()
    escape = np.concatenate(escapes)
    leaving = np.asarray(matrix.sum(axis=1)).ravel() + escape
    return Lattice(process, np.concatenate(layers), (matrix - diags_array(leaving)).tocsr(), escape)


def stationary(space: Lattice) -> tuple[np.ndarray, float]:
    """Stationary probabilities with reflecting limits, shape (states,), and the rate at which the
    true process would leave the lattice [1/time]."""
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import splu

    closed = (space.generator + diags_array(space.escape)).T.tocsc()
    # probability flows in and out balance; the first equation is replaced by p_0 = 1
    right = -closed[1:, [0]].toarray().ravel()
    rest = splu(csc_array(closed[1:, 1:])).solve(right)
    p = np.concatenate([[1.0], rest])
    p = np.maximum(p, 0.0) / np.maximum(p, 0.0).sum()
    return p, float(p @ space.escape)


def mean_first_passage_times(space: Lattice, target: np.ndarray) -> np.ndarray:
    """The mean time from every state to a set of states (a mask), shape (states,), with reflecting
    limits.

    Raises
    ------
    NoiseError
        The target is empty.
    """
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import spsolve

    if not target.any():
        raise NoiseError("no state of the lattice is in the target")
    keep = np.flatnonzero(~target)
    closed = (space.generator + diags_array(space.escape)).tocsr()
    times = np.zeros(len(space))
    times[keep] = spsolve(csc_array(closed[keep][:, keep]), -np.ones(keep.size))
    return times
