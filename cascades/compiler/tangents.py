"""Code for forward sensitivities: the derivative of a Rosenbrock stage along a direction.

A stage solves W u = f(g) + ..., with W = M / (h gamma) - J.  Its derivative along (s, q), the directions
of the state at the beginning of the step and of the parameters, solves a system with the same W:

    W du = f_y(g) v + f_p(g) q + D[J u](y; s, q) + h d_i D[f_t](y; s, q) + ...

where v is the derivative of the point g at which the stage evaluates f.  With f_y(g) = J + (f_y(g) - J)
and J = M / (h gamma) - W this is

    W (du + v) = M v / (h gamma) + (f_y(g) - J) v + D[J u](y; s, 0) + P q + ...

so that rates that are linear in the states cost nothing but the solution.  `slopes` gives what does
not depend on the direction: P, and for every term of the rates and every state in it the coefficients
of v and of s.  `follow` adds these up and solves.  Each distinct term is differentiated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cascades.compiler.build import Library, build
from cascades.compiler.derivatives import dependencies, directional, gradients
from cascades.compiler.emit import emit_tape, module_text
from cascades.compiler.lanes import Frozen, freeze, plan_lane_code
from cascades.compiler.ordering import Factorisation
from cascades.compiler.tape import Row, Tape, lower_into
from cascades.compiler.tiles import Tiles
from cascades.expression import ONE, ZERO, Expr, add, mul, number, substitute, symbol

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel


@dataclass(frozen=True, eq=False)
class TangentCode:
    """For vectors of `lanes` stages, and of `lanes` directions.

    slopes : `slopes(block, fixed, context, out)`, one stage per lane.
        block: rows of the stage's point g, then of its u;  context: its time, and h d_i;
        fixed: modes, the time at the beginning, parameters, the state at the beginning (numbers, not
        rows);  out: the entries of P, then `n_pushes` coefficients
    follow : `follow(pushes, group, factors, out)`, one direction per lane: out holds the other terms of
        the right-hand side, and then du.  group: rows of s, then of v;  pushes, factors: numbers
    rows, parameters : of each entry of P
    """

    lanes: int
    slopes: int
    follow: int
    rows: np.ndarray
    parameters: np.ndarray
    n_pushes: int
    n_fixed: int
    library: Library


def build_tangent_code(compiled: CompiledModel, lanes: int) -> TangentCode:
    """Compile, or load from the cache."""
    equations = compiled.equations
    frozen = freeze(compiled)
    names, parameters = equations.state_names, equations.parameter_names
    terms = _Terms.of(frozen, names, parameters)

    def text() -> str:
        nominal = plan_lane_code(compiled, 1)
        slopes, used = _slopes(frozen, terms, names, parameters)
        follow = _follow(terms, used, nominal.factors, nominal.storage)
        codes = [
            emit_tape("slopes", slopes, lanes, numbers=("p",)),
            emit_tape("follow", follow, lanes, numbers=("y", "x")),
        ]
        return module_text(codes, lanes)

    library = build(
        f"{equations.content_hash} {lanes} lanes, stages and directions", ["slopes", "follow"], text
    )
    return TangentCode(
        lanes=lanes,
        slopes=library["slopes"],
        follow=library["follow"],
        rows=np.array([i for i, _ in terms.entries], dtype=np.int64),
        parameters=np.array([j for _, j in terms.entries], dtype=np.int64),
        n_pushes=2 * len(terms.pairs),
        n_fixed=len(frozen.relations) + 1 + len(parameters) + len(names),
        library=library,
    )


@dataclass(frozen=True)
class _Terms:
    """The distinct terms of the rates.

    parts : for each rate its (coefficient, term)
    pairs : (term, state in it) -> its number; terms that are linear in their only state are left out
    entries : (row, parameter) that the rates may depend on
    """

    parts: list[list[tuple[float, Expr]]]
    pairs: dict[tuple[Expr, int], int]
    entries: list[tuple[int, int]]

    @classmethod
    def of(cls, frozen: Frozen, names: Sequence[str], parameters: Sequence[str]) -> _Terms:
        parts = [
            [_part(term) for term in (rate.args if rate.op == "add" else (rate,))] for rate in frozen.rates
        ]
        terms = list(dict.fromkeys(term for rate in parts for _, term in rate))
        states = zip(terms, dependencies(terms, names), strict=True)
        pairs = [(term, i) for term, found in states for i in found if not _is_linear(term, names[i], found)]
        entries = [(i, j) for i, found in enumerate(dependencies(frozen.rates, parameters)) for j in found]
        return cls(parts, {pair: k for k, pair in enumerate(pairs)}, entries)


def _part(term: Expr) -> tuple[float, Expr]:
    if term.is_number:
        return term.value, ONE
    if term.op == "mul" and term.args[0].is_number:
        return term.args[0].value, mul(*term.args[1:])
    return 1.0, term


def _is_linear(term: Expr, name: str, states: Sequence[int]) -> bool:
    """Whether the term is the state, or its product with parameters."""
    factors = term.args if term.op == "mul" else (term,)
    others = [factor for factor in factors if factor is not symbol(name)]
    return (
        len(states) == 1 and len(others) == len(factors) - 1
        and all(factor.is_number or (factor.op == "symbol" and factor.name != "time") for factor in others)
    )  # fmt: skip


def _slopes(
    frozen: Frozen, terms: _Terms, names: Sequence[str], parameters: Sequence[str]
) -> tuple[Tape, list[bool]]:
    """The tape of `slopes`, and which of the coefficients are not zero."""
    n, m, start = len(names), len(parameters), len(frozen.relations)
    begin, weight = symbol("time at the beginning"), symbol("h d_i")
    u, base = ([symbol(f"{kind}:{name}") for name in names] for kind in ("u", "base"))
    rows: dict[str, Row] = {"time": ("x", 0), weight.name: ("x", 1), begin.name: ("p", start)}
    rows |= {name: ("p", k) for k, name in enumerate(frozen.modes)}
    rows |= {name: ("p", start + 1 + j) for j, name in enumerate(parameters)}
    for i, name in enumerate(names):
        rows |= {name: ("y", i), u[i].name: ("y", n + i), base[i].name: ("p", start + 1 + m + i)}
    along = dict(zip(names, u, strict=True)) | {"time": weight}
    at_beginning = dict(zip(names, base, strict=True)) | {"time": begin}

    every = list(dict.fromkeys(term for rate in terms.parts for _, term in rate))
    by = dict(zip(every, gradients(every, (*names, *parameters)), strict=True))
    first = list(dict.fromkeys(slope for found in by.values() for slope in found.values()))
    moved = dict(zip(first, substitute(directional(first, along), at_beginning), strict=True))
    there = dict(zip(first, substitute(first, at_beginning), strict=True))

    pushes: list[Expr] = []
    for term, i in terms.pairs:
        slope = by[term].get(names[i])
        pushes.append(ZERO if slope is None else add(slope, mul(number(-1.0), there[slope])))
        pushes.append(ZERO if slope is None else moved[slope])
    entries = []
    for i, j in terms.entries:
        found = ((c, by[term].get(parameters[j])) for c, term in terms.parts[i])
        entries.append(add(*(mul(number(c), add(s, moved[s])) for c, s in found if s is not None)))
    tape = Tape()
    lower = lower_into(tape, [*entries, *pushes], rows)
    for place, output in enumerate((*entries, *pushes)):
        if output is not ZERO or place < len(entries):
            tape.store(place, lower(output))
    return tape, [push is not ZERO for push in pushes]


def _follow(terms: _Terms, used: Sequence[bool], factors: Factorisation, storage: Tiles) -> Tape:
    """Row by row in pivot order: the right-hand side, then the solution of W (du + v) = ..."""
    tape = Tape()
    n = len(factors.columns)
    known: dict[Expr, int | None] = {}
    by_term: dict[Expr, list[tuple[int, int]]] = {}
    for (term, i), k in terms.pairs.items():
        by_term.setdefault(term, []).append((i, k))

    def push(term: Expr) -> int | None:
        total: int | None = None
        for i, k in by_term.get(term, ()):
            for coefficient, row in ((2 * k, n + i), (2 * k + 1, i)):
                if not used[coefficient]:
                    continue
                pair = tape.make("load", "y", coefficient), tape.make("load", "p", row)
                total = tape.make("mul", *pair) if total is None else tape.make("fma", *pair, total)
        return total

    values: list[int] = []
    for i, columns in enumerate(factors.columns):
        value = tape.make("copy", tape.make("load", "out", factors.row_of[i]))
        for coefficient, term in terms.parts[factors.row_of[i]]:
            if term not in known:
                known[term] = push(term)
            change = known[term]
            if change is None:
                continue
            if abs(coefficient) == 1.0:
                value = tape.make("add" if coefficient > 0 else "sub", value, change)
            else:
                value = tape.make("fma", tape.constant(coefficient), change, value)
        for j in columns:
            if j < i:
                value = tape.make("fnma", tape.make("load", "x", storage.place(i, j)), values[j], value)
        values.append(value)
    for i in range(n - 1, -1, -1):
        value = values[i]
        for j in reversed(factors.columns[i]):
            if j > i:
                value = tape.make("fnma", tape.make("load", "x", storage.place(i, j)), values[j], value)
        values[i] = tape.make("mul", value, tape.make("load", "x", storage.place(i, i)))
        column = factors.column_of[i]
        tape.store(column, tape.make("sub", values[i], tape.make("load", "p", n + column)))
    return tape
