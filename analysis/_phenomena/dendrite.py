"""Ten synapses of one slot pool, two of them spines: `compose` joins the spine to Triesch's dendrite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cascades import compile_model, compose, load_model
from cascades.protocols import late_ltp
from cascades.simulate import simulate

DENDRITE = "ampar_triesch_2018"
SYNAPSES, SPINES = 10, 2
FILL, POOL_RATIO = 0.5, 2.67  # F and phi of the dendrite
SETTLE = 12 * 3600.0  # [s]
WATCH = 1800.0  # [s] after the first train


@dataclass(frozen=True)
class Heterosynaptic:
    """Relative changes: of the total of slots, of the others' receptors at their lowest, and what the
    closed form expects for that total."""

    slots: float
    lowest: float
    expected: float


def heterosynaptic(model: str) -> Heterosynaptic:
    """Late LTP at two of ten synapses, seen from one of the others."""
    spine, dendrite = load_model(model), load_model(DENDRITE)
    connect = {f"{DENDRITE}.s{i + 1}": f"{model}.slots" for i in range(SPINES)}
    compiled = compile_model(compose(spine, dendrite, connect=connect))
    at_rest = float(simulate(compile_model(spine), [0.0])["slots"][0, 0])
    values = {f"ampar_s{i + 1}": at_rest for i in range(SPINES, SYNAPSES)} | {"ampar_S0": SYNAPSES * at_rest}
    start = simulate(compiled, [0.0, SETTLE], values=values).final()
    run = simulate(
        compiled, np.linspace(0.0, WATCH, 1801), protocol=late_ltp(after=0.0), values=values, initial=start
    )
    other = np.asarray(run[f"ampar_w{SYNAPSES}"][0])
    lowest = int(other.argmin())
    gained = SPINES / SYNAPSES * (float(run["spine_slots"][0, lowest]) / at_rest - 1.0)
    return Heterosynaptic(gained, float(other[lowest] / other[0] - 1.0), expected_change(gained))


def expected_change(slots: float) -> float:
    """Relative change of the receptors of a synapse whose slots stay, once the total of slots has changed by
    `slots`, before the pool is refilled.  Triesch, Vo & Hafner (2018) eLife 7:e37836, eqs. 1-4.

    With slots, receptors and pool over the total of slots at rest, binding is at equilibrium at
    p^2 + (s - r + k) p - k r = 0, where r = F (1 + phi) receptors are shared and k = phi (1 - F).
    """
    shared, k = FILL * (1.0 + POOL_RATIO), POOL_RATIO * (1.0 - FILL)
    b = 1.0 + slots - shared + k
    pool = 0.5 * (-b + math.sqrt(b * b + 4.0 * k * shared))
    return pool / (pool + k) / FILL - 1.0
