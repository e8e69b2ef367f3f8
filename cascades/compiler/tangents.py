"""Code for forward sensitivities: the derivative of a Rosenbrock stage along a direction.

A stage solves W u = f(g) + ..., with W = M / (h gamma) - J.  Its derivative along (s, q), the directions
of the state at the beginning of the step and of the parameters, solves a system with the same W:

    W du = f_y(g) v + f_p(g) q + D[J u](y; s, q) + h d_i D[f_t](y; s, q) + ...

where v is the derivative of the point g at which the stage evaluates f.  The compiled function gives
this right-hand side.  Each distinct term of the rates is differentiated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cascades.compiler.build import Library, build
from cascades.compiler.derivatives import directional, gradients
from cascades.compiler.emit import emit_tape, module_text
from cascades.compiler.lanes import FIRST_MODE, freeze
from cascades.compiler.tape import Tape, lower_into
from cascades.expression import ONE, ZERO, Expr, add, free_symbols, mul, substitute, symbol

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel


@dataclass(frozen=True, eq=False)
class TangentCode:
    """`tangent(block, group, context, out)`, for vectors of `lanes` directions.

    block : rows of the stage's point g, then of its u, each padded to `padded` rows
    group : rows of p, q, s, v
    context : rows of time, shift and modes, then the time at the beginning of the step, h d_i, and y
    """

    lanes: int
    tangent: int
    n_context: int
    library: Library


def build_tangent_code(compiled: CompiledModel, lanes: int, padded: int) -> TangentCode:
    """Compile, or load from the cache."""
    equations = compiled.equations
    frozen = freeze(compiled)
    names, parameters = equations.state_names, equations.parameter_names
    n, m, start = len(names), len(parameters), FIRST_MODE + len(frozen.relations)
    begin, weight = symbol("time at the beginning"), symbol("h d_i")
    u, v, s, base = ([symbol(f"{kind}:{name}") for name in names] for kind in ("u", "v", "s", "base"))
    q = [symbol(f"q:{name}") for name in parameters]
    rows = {"time": ("x", 0), begin.name: ("x", start), weight.name: ("x", start + 1)}
    rows |= {name: ("x", FIRST_MODE + k) for k, name in enumerate(frozen.modes)}
    for i, name in enumerate(names):
        rows |= {name: ("y", i), u[i].name: ("y", padded + i), base[i].name: ("x", start + 2 + i)}
        rows |= {s[i].name: ("p", 2 * m + i), v[i].name: ("p", 2 * m + n + i)}
    for j, name in enumerate(parameters):
        rows |= {name: ("p", j), q[j].name: ("p", m + j)}

    def text() -> str:
        by_q = dict(zip(parameters, q, strict=True))
        along_u = dict(zip(names, u, strict=True))
        along_v = dict(zip(names, v, strict=True)) | by_q
        along_s = dict(zip(names, s, strict=True)) | by_q
        at_beginning = dict(zip(names, base, strict=True)) | {"time": begin}

        def stage(terms: Sequence[Expr]) -> list[Expr]:
            point = directional(terms, along_v)
            moved = directional(directional(terms, along_u), along_s)
            if any("time" in free_symbols(term) for term in terms):
                by_time = [g.get("time", ZERO) for g in gradients(terms, ["time"])]
                drift = directional(by_time, along_s)
                moved = [add(a, mul(weight, b)) for a, b in zip(moved, drift, strict=True)]
            return [add(a, b) for a, b in zip(point, substitute(moved, at_beginning), strict=True)]

        return module_text([emit_tape("tangent", _sums(frozen.rates, stage, rows), lanes)], lanes)

    library = build(f"{equations.content_hash} {lanes} lanes {padded} tangents", ["tangent"], text)
    return TangentCode(lanes, library["tangent"], start + 2 + n, library)


def _sums(rates, stage, rows) -> Tape:  # type: ignore[no-untyped-def]
    """The rates' terms differentiated one by one and added up again."""
    split = [[_parts(term) for term in (rate.args if rate.op == "add" else (rate,))] for rate in rates]
    terms = list(dict.fromkeys(term for parts in split for _, term in parts))
    slopes = dict(zip(terms, stage(terms), strict=True))
    tape = Tape()
    lower = lower_into(tape, list(slopes.values()), rows)
    for row, parts in enumerate(split):
        total: int | None = None
        for coefficient, term in parts:
            if slopes[term] is ZERO:
                continue
            value = lower(slopes[term])
            if total is None:
                total = value if coefficient == 1.0 else tape.make("mul", tape.constant(coefficient), value)
            elif abs(coefficient) == 1.0:
                total = tape.make("add" if coefficient > 0 else "sub", total, value)
            else:
                total = tape.make("fma", tape.constant(coefficient), value, total)
        tape.store(row, tape.constant(0.0) if total is None else total)
    return tape


def _parts(term: Expr) -> tuple[float, Expr]:
    if term.is_number:
        return term.value, ONE
    if term.op == "mul" and term.args[0].is_number:
        return term.args[0].value, mul(*term.args[1:])
    return 1.0, term
