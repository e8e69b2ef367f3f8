"""The block of states that carry the weight, and how everything else acts on it.

The states that the weight reads and those that exchange matter with them (one conserved total) are the
block; all others are kept as they are.  With the weight written as one symbol, u, the rates of the
block must be affine in its states:

    x' = sum_m factor_m(sensors, kept, u) (A_m x + b_m)

Factors are found by rank: every coefficient of the rates is evaluated at random places, and a few of
them span the others.  No name of a molecule is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cascades.compiler.compiled import CompiledModel
from cascades.compiler.derivatives import gradients
from cascades.errors import RuleError
from cascades.expression import (
    ONE,
    ZERO,
    Expr,
    add,
    evaluate,
    free_symbols,
    number,
    postorder,
    substitute,
    symbol,
)
from cascades.reduction.cut import replace_nodes
from cascades.reduction.sensors import Sensors, sensors
from cascades.reduction.states import RestingStates

U = symbol("weight:u")
SAMPLES = 64  # random places at which coefficients are compared
SMALL = 1e-9  # of the largest: a rank that is none


@dataclass(frozen=True, eq=False)
class Block:
    """x' = sum_m factors[m] (matrices[m] @ x + constants[m]) for the states `inside`; r' = kept_rates.

    inside, kept : names
    factors, kept_rates : formulas over sensors, kept states and U, parameters inserted
    matrices, constants : shapes (factors, n, n), (factors, n)
    slope : shape (n,)
        d weight / d state.
    sensors : what calcium does to the factors and the kept states; affine
    """

    inside: tuple[str, ...]
    kept: tuple[str, ...]
    factors: tuple[Expr, ...]
    matrices: np.ndarray
    constants: np.ndarray
    slope: np.ndarray
    kept_rates: tuple[Expr, ...]
    sensors: Sensors


def block_of(clamped: CompiledModel, calcium: str, weight: str, states: RestingStates) -> Block:
    """Raises RuleError with the reason if the model has no such block."""
    inside, kept = _split(clamped, weight)
    slope = _slope(clamped, weight, inside)
    rates = _named_weight(clamped, calcium, inside, slope, states)
    held = _held(clamped, kept, states)
    formulas = substitute([rates[name] for name in (*inside, *kept)], held)
    found = sensors(formulas, calcium, clamped.state_names)
    if not found.is_affine:
        raise RuleError("slow manifold", "the rates are not affine in the calcium sensors; no averaging")
    block, kept_rates = found.rates[: len(inside)], found.rates[len(inside) :]
    used = free_symbols(*kept_rates) & set(inside)
    if used:
        raise RuleError("slow manifold", f"kept states depend on the block ({', '.join(sorted(used)[:4])})")
    factors, matrices, constants = _factors(block, inside, kept, found, states, clamped)
    return Block(inside, kept, factors, matrices, constants, slope, tuple(kept_rates), found)


def _split(clamped: CompiledModel, weight: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The block, and the states outside it without those that a conserved total replaces."""
    equations = clamped.equations
    direct = free_symbols(clamped.formula(weight)) & set(clamped.state_names)
    totals = [t for t in equations.conserved if set(t.weights) & direct]
    members = direct | {name for t in totals for name in t.weights}
    inside = tuple(name for name in clamped.state_names if name in members)
    if len(inside) - len(totals) < 3:
        raise RuleError("slow manifold", "the states that carry the weight are few; nothing is to be lumped")
    rates = dict(zip(clamped.state_names, equations.rates, strict=True))
    actors = free_symbols(*(rates[name] for name in inside)) - members
    replaced: set[str] = set()
    for total in equations.conserved:
        idle = [n for n in total.weights if n not in actors and n not in replaced]
        if idle and not set(total.weights) & members:
            replaced.add(total.dependent if total.dependent in idle else idle[0])
    return inside, tuple(n for n in clamped.state_names if n not in members and n not in replaced)


def _slope(clamped: CompiledModel, weight: str, inside: Sequence[str]) -> np.ndarray:
    (row,) = gradients([clamped.formula(weight)], list(inside))
    if free_symbols(*row.values()) & set(clamped.state_names):
        raise RuleError("slow manifold", "the weight is not linear in the states that carry it")
    values = clamped.default_values
    return np.array([float(evaluate([row.get(name, ZERO)], values)[0]) for name in inside])


def _named_weight(
    clamped: CompiledModel, calcium: str, inside: Sequence[str], slope: np.ndarray, states: RestingStates
) -> dict[str, Expr]:
    """Rates by state, parameters inserted; sums that hold a multiple of the weight hold U instead."""
    swap = {n: number(v) for n, v in clamped.default_values.items() if n != calcium}
    rates = substitute(clamped.equations.rates, swap)
    down = states.down[[clamped.state_index[name] for name in inside]]
    offset = float(slope @ down)  # of the weight, whose constant part the sum need not have
    replacement = {}
    for node in postorder(*rates):
        if node.op != "add":
            continue
        terms = {a: _multiple(a) for a in node.args}
        row = np.array(
            [sum(c for c, name in filter(None, terms.values()) if name == state) for state in inside]
        )
        scale = float(row @ slope / (slope @ slope))
        if scale != 0.0 and np.abs(row - scale * slope).max() < SMALL * abs(scale) * np.abs(slope).max():
            others = [a for a, found in terms.items() if not found or found[1] not in inside]
            amount = scale * (offset + (states.high - states.low) * U)
            replacement[node] = add(amount, *others)
    return dict(zip(clamped.state_names, replace_nodes(rates, replacement), strict=True))


def _multiple(term: Expr) -> tuple[float, str] | None:
    """(c, name) of a term c * name."""
    if term.is_symbol:
        return 1.0, term.name
    if term.op == "mul" and len(term.args) == 2:
        first, second = term.args if term.args[0].is_number else reversed(term.args)
        if first.is_number and second.is_symbol:
            return float(first.value), second.name
    return None


def _held(clamped: CompiledModel, kept: Sequence[str], states: RestingStates) -> dict[str, Expr]:
    """What replaces the state that a total of kept states makes superfluous."""
    swap: dict[str, Expr] = {}
    for total in clamped.equations.conserved:
        gone = [name for name in total.weights if name not in kept]
        if len(gone) != 1 or len(total.weights) == 1:
            continue
        amounts = evaluate(total.weights.values(), clamped.default_values)
        by_name = dict(zip(total.weights, map(float, amounts), strict=True))
        rest = number(sum(w * float(states.down[clamped.state_index[s]]) for s, w in by_name.items()))
        for name, w in by_name.items():
            if name != gone[0]:
                rest = rest - w * symbol(name)
        swap[gone[0]] = rest / by_name[gone[0]]
    return swap


def _factors(
    block: Sequence[Expr],
    inside: Sequence[str],
    kept: Sequence[str],
    found: Sensors,
    states: RestingStates,
    clamped: CompiledModel,
) -> tuple[tuple[Expr, ...], np.ndarray, np.ndarray]:
    from scipy.linalg import qr

    n = len(inside)
    slopes = gradients(block, list(inside))
    if free_symbols(*(e for row in slopes for e in row.values())) & set(inside):
        raise RuleError("slow manifold", "the rates of the block are not affine in its states")
    base = substitute(list(block), dict.fromkeys(inside, ZERO))
    places = [
        (i, j, row[name]) for i, row in enumerate(slopes) for j, name in enumerate(inside) if name in row
    ]
    places += [(i, n, formula) for i, formula in enumerate(base)]
    distinct = list(dict.fromkeys([ONE, *(formula for *_, formula in places)]))
    draw = np.random.default_rng(0)
    at: dict[str, np.ndarray] = {name: draw.lognormal(size=SAMPLES) for name in found.names}
    for name in kept:
        low, high = sorted((states.down[clamped.state_index[name]], states.up[clamped.state_index[name]]))
        at[name] = draw.uniform(0.5, 2.0, SAMPLES) * (low + draw.uniform(size=SAMPLES) * (high - low) + 1e-9)
    at[U.name] = draw.uniform(0.01, 1.2, SAMPLES)
    columns = np.array([np.broadcast_to(v, SAMPLES) for v in evaluate(distinct, at)], dtype=float)
    norm = np.abs(columns).max(axis=1, keepdims=True)
    scaled = (columns / np.where(norm > 0.0, norm, 1.0)).T
    _, triangle, order = qr(scaled, mode="economic", pivoting=True)
    pivots = np.abs(np.diag(triangle))
    chosen = order[: int(np.sum(pivots > SMALL * pivots[0]))]
    if chosen.size > SAMPLES // 4:
        raise RuleError("slow manifold", f"the rates of the block have {chosen.size} different factors")
    parts = np.linalg.lstsq(columns[chosen].T, columns.T, rcond=None)[0]  # (factors, distinct)
    parts[np.abs(parts) < SMALL * np.abs(parts).max()] = 0.0
    row_of = {formula: k for k, formula in enumerate(distinct)}
    whole = np.zeros((chosen.size, n, n + 1))
    for i, j, formula in places:
        whole[:, i, j] += parts[:, row_of[formula]]
    return tuple(distinct[k] for k in chosen), whole[:, :, :n], whole[:, :, n]
