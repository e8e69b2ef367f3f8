"""The code that the Rosenbrock lanes run: rates, factors of the step matrix, solutions, conditions.

Relations inside rates ("time >= 10", "Ca > theta") are frozen while a step is taken: each is a mode,
a 0 or 1 read from the context `x`, so that the formulas of a step are smooth.  The driver watches the
relations, stops where one changes, and sets its mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cascades.compiler.build import Library, build, optimised
from cascades.compiler.derivatives import dependencies, gradients
from cascades.compiler.emit import Code, emit_function, emit_tape, module_text
from cascades.compiler.ordering import Factorisation, order
from cascades.compiler.tape import Row, Tape, lower_into
from cascades.compiler.tiles import (
    Table,
    Tiles,
    plain_storage,
    solved_storage,
    split_within,
    tiled_storage,
)
from cascades.expression import (
    RELATIONS,
    ZERO,
    Expr,
    call,
    children,
    free_symbols,
    make,
    postorder,
    symbol,
)
from cascades.kernels.processor import native_lanes

if TYPE_CHECKING:
    from cascades.compiler.compiled import CompiledModel

UNROLL = 10_000  # multiply-adds of a factorisation that are written out as code; the others are in tables
UNROLL_IN_HASTE = 300  # the same for one lane's code that is wanted quickly
TIME_ROW, SHIFT_ROW, FIRST_MODE = 0, 1, 2  # rows of the context x


@dataclass(frozen=True)
class FactorTable:
    """A factorisation as tables, which `kernels.factor` runs.  Empty where all of it is written out as code.

    For several lanes the tables of `compiler.tiles.Tiles`; for one lane:

    start, columns, diagonal : rows of L + U: where each begins, its columns, the place of its pivot
    row_start, row_blocks, block_start, blocks : for each row, and for each pivot's U entries, the
        aligned blocks of columns that have entries
    row_of, column_of : as in `Factorisation`
    """

    groups: Table
    updates: Table
    targets: Table
    start: Table
    columns: Table
    diagonal: Table
    row_start: Table
    row_blocks: Table
    block_start: Table
    blocks: Table
    row_of: Table
    column_of: Table

    @property
    def exists(self) -> bool:
        return max(self.groups.size, self.columns.size) > 1


@dataclass(frozen=True, eq=False)
class LaneCode:
    """Compiled functions for `lanes` members at a time, as addresses (0 where there is none).

    n_states, n_parameters, n_context, n_factors : rows of y, p, x and of the factors
    conditions : writes the truth of `n_conditions` relations, then of every event's trigger
    algebraic : rows of the algebraic equations
    """

    lanes: int
    n_states: int
    n_parameters: int
    n_context: int
    n_factors: int
    n_conditions: int
    n_triggers: int
    algebraic: npt.NDArray[np.int64]
    rates: int
    factor: int
    solve: int
    time_slope: int
    conditions: int
    table: FactorTable
    library: Library


@dataclass(frozen=True)
class Frozen:
    """Rates with relations replaced by modes, and the relations."""

    rates: tuple[Expr, ...]
    relations: tuple[Expr, ...]
    triggers: tuple[Expr, ...]

    @property
    def modes(self) -> tuple[str, ...]:
        return tuple(_mode(k) for k in range(len(self.relations)))


def _mode(k: int) -> str:
    return f"mode:{k}"


def freeze(compiled: CompiledModel) -> Frozen:
    """Every relation that can change during a run becomes a mode; those inside triggers are watched
    too, so that a trigger that is true for an instant is not stepped over.  Two sides that become equal
    for an instant are found because one overtakes the other."""
    equations = compiled.equations
    varying = {*equations.state_names, "time"}
    triggers = tuple(event.trigger for event in equations.events)
    relations: dict[Expr, str] = {}
    rates = tuple(_replace(equations.rates, relations, varying))
    _replace(triggers, relations, varying)
    for relation in list(relations):
        if relation.op in ("eq", "ne"):
            for left, right in pairwise(relation.args):
                relations.setdefault(call("ge", left, right), _mode(len(relations)))
    return Frozen(rates, tuple(relations), triggers)


def _replace(roots: Iterable[Expr], relations: dict[Expr, str], varying: set[str]) -> list[Expr]:
    roots = list(roots)
    new: dict[Expr, Expr] = {}
    for node in postorder(*roots):
        if node.op in RELATIONS and free_symbols(node) & varying:
            name = relations.setdefault(node, _mode(len(relations)))
            new[node] = symbol(name)
            continue
        parts = [new[child] for child in children(node)]
        same = all(a is b for a, b in zip(parts, children(node), strict=True))
        new[node] = node if same else make(node.op, parts)
    return [new[root] for root in roots]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is compiled for a model: its rates, and the factors of its step matrix and where they are.

    solves : whether the solution is compiled too, or done from tables
    """

    compiled: CompiledModel
    lanes: int
    frozen: Frozen
    factors: Factorisation
    storage: Tiles
    algebraic: tuple[int, ...]
    solves: bool = True

    def in_haste(self) -> Plan:
        """The same with as little as possible to compile: one lane's factors and solutions come from tables,
        which give the same digits."""
        if self.lanes > 1 or self.factors.multiplications() <= UNROLL_IN_HASTE:
            return self
        return replace(self, storage=plain_storage(self.factors, split=0), solves=False)

    @property
    def depends_on_time(self) -> bool:
        return any("time" in free_symbols(rate) for rate in self.frozen.rates)

    @property
    def watched(self) -> tuple[Expr, ...]:
        return (*self.frozen.relations, *self.frozen.triggers)

    @property
    def names(self) -> list[str]:
        """The functions that are compiled."""
        return [
            "rates", "factor", *["solve"] * self.solves,
            *["time_slope"] * self.depends_on_time, *["conditions"] * bool(self.watched),
        ]  # fmt: skip

    def text(self) -> str:
        """The LLVM module."""
        frozen, lanes, names = self.frozen, self.lanes, self.compiled.state_names
        rows = dict(self.compiled.rows)
        rows |= {name: ("x", FIRST_MODE + k) for k, name in enumerate(frozen.modes)}
        same = frozen.rates == tuple(self.compiled.equations.rates)
        slopes = self.compiled.state_gradients if same else gradients(frozen.rates, names)
        named = _matrix_slopes(slopes, self.factors, names)
        matrix = _StepMatrix(named, self.factors, self.storage, rows, set(self.algebraic))
        codes = [emit_function("rates", frozen.rates, rows, lanes), _emit_factor(matrix, lanes)]
        if self.solves:
            codes.append(emit_tape("solve", _solution_tape(self.factors, self.storage), lanes))
        if self.depends_on_time:
            by_time = gradients(frozen.rates, ["time"])
            codes.append(emit_function("time_slope", [g.get("time", ZERO) for g in by_time], rows, lanes))
        if self.watched:
            codes.append(emit_function("conditions", self.watched, rows, lanes))
        return module_text(codes, lanes)


def plan_lane_code(compiled: CompiledModel, lanes: int) -> Plan:
    """Order the factorisation and lay it out."""
    equations = compiled.equations
    frozen = freeze(compiled)
    pattern = dependencies(frozen.rates, equations.state_names)
    algebraic = tuple(i for i, flag in enumerate(equations.is_algebraic) if flag)
    entries = [(i, j) for i, columns in enumerate(pattern) for j in columns]
    factors = order(entries, len(equations.state_names), algebraic)
    return Plan(compiled, lanes, frozen, factors, _storage(factors, lanes), algebraic)


def build_lane_code(compiled: CompiledModel, lanes: int, *, quick: bool = True) -> LaneCode:
    """Compile, or load from the cache; `quick` takes code that is made in haste if there is no better."""
    equations = compiled.equations
    plan = plan_lane_code(compiled, lanes)
    key = f"{equations.content_hash} {lanes} lanes"
    library = optimised(key, plan.names) if quick else build(key, plan.names, plan.text)
    if library is None:
        plan = plan.in_haste()
        library = build(key, plan.names, plan.text, quick=True)
    return LaneCode(
        lanes=lanes,
        n_states=len(equations.state_names),
        n_parameters=len(equations.parameter_names),
        n_context=FIRST_MODE + len(plan.frozen.relations),
        n_factors=plan.storage.size,
        n_conditions=len(plan.frozen.relations),
        n_triggers=len(plan.frozen.triggers),
        algebraic=np.array(plan.algebraic, dtype=np.int64),
        table=_table(plan),
        library=library,
        **{
            name: library.addresses.get(name, 0)
            for name in ("rates", "factor", "solve", "time_slope", "conditions")
        },
    )


def _storage(factors: Factorisation, lanes: int) -> Tiles:
    """A small factorisation is all code; of a large one the first pivots are, for several lanes.

    One lane's entries are stored row by row, whether tables or code make them."""
    n = len(factors.columns)
    is_code = factors.multiplications() <= UNROLL
    if lanes == 1:
        return plain_storage(factors, split=n if is_code else 0)
    return solved_storage(factors) if is_code else tiled_storage(factors, split_within(factors, UNROLL))


def _matrix_slopes(
    slopes: Sequence[dict[str, Expr]], factors: Factorisation, names: Sequence[str]
) -> list[list[Expr]]:
    """The Jacobian's formulas in the rows and columns of the factors, zero where only fill-in stands."""
    return [
        [slopes[row].get(names[factors.column_of[j]], ZERO) for j in columns]
        for row, columns in zip(factors.row_of, factors.columns, strict=True)
    ]


class _StepMatrix:
    """W = M / (h gamma) - J, entry by entry on a tape."""

    def __init__(
        self,
        slopes: list[list[Expr]],
        factors: Factorisation,
        storage: Tiles,
        rows: dict[str, Row],
        algebraic: set[int],
    ):
        self.tape = Tape()
        self.slopes, self.factors, self.storage, self.algebraic = slopes, factors, storage, algebraic
        self.lower = lower_into(self.tape, [slope for row in slopes for slope in row], rows)

    def row(self, i: int) -> dict[int, int | None]:
        """The values of row i by column, in pivot order; None where there is nothing."""
        found: dict[int, int | None] = {}
        row = self.factors.row_of[i]
        for j, slope in zip(self.factors.columns[i], self.slopes[i], strict=True):
            value = None if slope is ZERO else self.lower(slope)
            if row == self.factors.column_of[j] and row not in self.algebraic:
                shift = self.tape.make("load", "x", SHIFT_ROW)
                found[j] = shift if value is None else self.tape.make("sub", shift, value)
            else:
                found[j] = None if value is None else self.tape.make("neg", value)
        return found

    def store(self, i: int, row: dict[int, int | None]) -> None:
        for j, value in row.items():
            self.tape.store(self.storage.place(i, j), self.tape.constant(0.0) if value is None else value)


def _emit_factor(matrix: _StepMatrix, lanes: int) -> Code:
    """The matrix and the LU of its first `split` pivots in one go, row by row: a row's entries stay in
    registers."""
    tape, split = matrix.tape, matrix.storage.split
    upper: list[list[tuple[int, int]]] = []  # per row: (column, value) right of the diagonal
    inverse: list[int] = []
    one = tape.constant(1.0)
    for i, columns in enumerate(matrix.factors.columns):
        row = matrix.row(i)
        for k in columns:
            value = row[k]
            if k >= min(i, split) or value is None:
                continue
            factor = row[k] = tape.make("mul", value, inverse[k])
            for j, u in upper[k]:
                old = row[j]
                product = tape.make("neg", tape.make("mul", factor, u)) if old is None else None
                row[j] = tape.make("fnma", factor, u, old) if product is None else product
        if i < split:
            diagonal = row[i]
            pivot = tape.make("div", one, tape.constant(0.0) if diagonal is None else diagonal)
            row[i] = pivot
            inverse.append(pivot)
            upper.append([(j, v) for j, v in row.items() if j > i and v is not None])
        matrix.store(i, row)
    for place, number in matrix.storage.padding.items():
        tape.store(place, tape.constant(number))
    return emit_tape("factor", tape, lanes)


def _solution_tape(factors: Factorisation, storage: Tiles) -> Tape:
    """L U x = b in place: `y` holds the factors, `out` the right-hand side and then the solution."""
    tape = Tape()
    n = len(factors.columns)
    values: list[int] = []
    for i, columns in enumerate(factors.columns):
        value = tape.make("load", "out", factors.row_of[i])
        if factors.row_of[i] != factors.column_of[i]:
            value = tape.make("copy", value)  # or it could be read again after it was overwritten
        for j in columns:
            if j < i:
                value = tape.make("fnma", tape.make("load", "y", storage.place(i, j)), values[j], value)
        values.append(value)
    for i in range(n - 1, -1, -1):
        value = values[i]
        for j in reversed(factors.columns[i]):  # what was found last comes last: nothing has to wait for it
            if j > i:
                value = tape.make("fnma", tape.make("load", "y", storage.place(i, j)), values[j], value)
        values[i] = tape.make("mul", value, tape.make("load", "y", storage.place(i, i)))
        tape.store(factors.column_of[i], values[i])
    return tape


def _table(plan: Plan) -> FactorTable:
    factors, storage = plan.factors, plan.storage
    tables = {field.name: np.zeros(1, dtype=np.int32) for field in fields(FactorTable)}
    if storage.split < len(factors.columns) and plan.lanes > 1:
        tables |= {"groups": storage.groups, "updates": storage.updates, "targets": storage.targets}
    elif storage.split < len(factors.columns):
        whole = _blocks(factors.columns)
        upper = _blocks([[j for j in columns if j > i] for i, columns in enumerate(factors.columns)])
        rows = {
            "start": factors.start,
            "columns": [j for columns in factors.columns for j in columns],
            "diagonal": [storage.place(i, i) for i in range(len(factors.columns))],
            "row_start": whole[0], "row_blocks": whole[1], "block_start": upper[0], "blocks": upper[1],
            "row_of": factors.row_of, "column_of": factors.column_of,
        }  # fmt: skip
        tables |= {name: np.array(part, dtype=np.int32) for name, part in rows.items()}
    return FactorTable(**tables)


def _blocks(rows: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Where each row begins among the blocks, and the blocks of `native_lanes` columns it touches."""
    width = native_lanes()
    blocks: list[int] = []
    start = [0]
    for row in rows:
        blocks += sorted({j // width for j in row})
        start.append(len(blocks))
    return start, blocks or [0]
