"""Formulas as a straight line of operations, every shared value computed once.

A tape is what stands between the graph of formulas and LLVM text: it decides what becomes a
division, a fused multiply-add or a product of powers, and in which order values are made (each
output as soon as its operands exist, so that few values are alive at a time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from cascades.errors import CompileError
from cascades.expression import LOGIC, ONE, RELATIONS, Expr, children

Row = tuple[str, int]  # an argument of the compiled function and a row in it
Step = tuple[Any, ...]
FREE = ("load", "constant")  # steps that are repeated wherever they are used
_LARGEST_UNROLLED_POWER = 64
_ONE_OPERAND = (
    "exp", "ln", "sqrt", "abs", "floor", "ceil", "factorial",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
)  # fmt: skip


@dataclass
class Tape:
    """`steps[i]` makes value i: (operation, operands...).  Loads and constants are steps too, but cost
    nothing: they are repeated wherever they are used."""

    steps: list[Step] = field(default_factory=list)
    _number: dict[Step, int] = field(default_factory=dict)

    def make(self, *step: Any) -> int:
        found = self._number.get(step)
        if found is None:
            found = self._number[step] = len(self.steps)
            self.steps.append(step)
        return found

    def store(self, row: int, value: int) -> None:
        self.steps.append(("store", row, value))

    def constant(self, value: float) -> int:
        return self.make("constant", float(value).hex())


def write_tape(outputs: Sequence[Expr], rows: Mapping[str, Row]) -> Tape:
    """The tape that stores `outputs[i]` in row i of `out`.

    Raises
    ------
    CompileError
        If a formula uses a symbol that is not in `rows`, or an operator that has no code.
    """
    tape = Tape()
    lower = lower_into(tape, outputs, rows)
    for row, output in enumerate(outputs):
        tape.store(row, lower(output))
    return tape


def lower_into(tape: Tape, outputs: Sequence[Expr], rows: Mapping[str, Row]) -> Callable[[Expr], int]:
    """A function that puts one of `outputs` on the tape and returns its value's number."""
    uses = _count_uses(outputs)
    values: dict[Expr, int] = {}

    def lower(output: Expr) -> int:
        for node in _not_yet(output, values):
            values[node] = _lower(tape, node, values, rows, uses)
        return values[output]

    return lower


def operands(step: Step) -> tuple[int, ...]:
    """The values that a step reads."""
    if step[0] in FREE:
        return ()
    return (step[2],) if step[0] == "store" else step[1:]


def live_steps(tape: Tape) -> list[int]:
    """The steps, in order, that some stored value depends on; loads and constants left out."""
    needed: set[int] = set()
    for i in range(len(tape.steps) - 1, -1, -1):
        if tape.steps[i][0] == "store" or i in needed:
            needed.add(i)
            needed.update(operands(tape.steps[i]))
    return [i for i in sorted(needed) if tape.steps[i][0] not in FREE]


def _count_uses(outputs: Iterable[Expr]) -> dict[Expr, int]:
    uses: dict[Expr, int] = {}
    stack = list(outputs)
    while stack:
        node = stack.pop()
        uses[node] = uses.get(node, 0) + 1
        if uses[node] == 1:
            stack.extend(_operands(node))
    return uses


def _without_coefficient(term: Expr) -> tuple[float, Expr]:
    """k * A * B and -2 * k * A * B share one product."""
    if term.op == "mul" and term.args[0].is_number:
        rest = term.args[1:]
        return term.args[0].value, rest[0] if len(rest) == 1 else Expr("mul", rest)
    return (1.0, term) if not term.is_number else (term.value, ONE)


def _operands(node: Expr) -> tuple[Expr, ...]:
    if node.op == "add":
        return tuple(_without_coefficient(term)[1] for term in node.args)
    return children(node)


def _not_yet(root: Expr, values: Mapping[Expr, int]) -> Iterable[Expr]:
    """The nodes below `root` that have no value, operands first.  `values` grows while this runs."""
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in values:
            continue
        if ready:
            yield node
            continue
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(_operands(node)) if child not in values)


def _lower(
    tape: Tape, node: Expr, values: Mapping[Expr, int], rows: Mapping[str, Row], uses: Mapping[Expr, int]
) -> int:
    op = node.op
    if op == "symbol":
        if node.name not in rows:
            raise CompileError(f"a formula uses {node.name!r}, which is neither a state nor a parameter")
        return tape.make("load", *rows[node.name])
    if op == "number":
        return tape.constant(node.value)
    if op == "add":
        return _lower_sum(tape, node, values, uses)
    if op == "mul":
        return _lower_product(tape, node, values, uses)
    args = [values[child] for child in node.args]
    if op == "pow":
        return _lower_power(tape, node, args)
    if op in _ONE_OPERAND:
        return tape.make(op, args[0])
    if op in ("min", "max"):
        return _fold(tape, op, args)
    if op == "piecewise":
        result = args[-1]
        for value, condition in reversed(list(zip(args[0:-1:2], args[1:-1:2], strict=True))):
            result = tape.make("select", condition, value, result)
        return result
    if op in RELATIONS:
        tests = [tape.make(op, a, b) for a, b in pairwise(args)]
        return _fold(tape, "and", tests) if tests else tape.constant(1.0)
    if op in LOGIC:
        return _lower_logic(tape, op, args)
    if op == "quotient":
        return tape.make("trunc", tape.make("div", *args))
    if op == "rem":
        return tape.make("rem", *args)
    raise CompileError(f"{op}() must be replaced before compiling")


def _fold(tape: Tape, op: str, args: Sequence[int]) -> int:
    result = args[0]
    for arg in args[1:]:
        result = tape.make(op, result, arg)
    return result


def _lower_logic(tape: Tape, op: str, args: list[int]) -> int:
    if op == "not":
        return tape.make("not", args[0])
    if not args:
        return tape.constant(1.0 if op == "and" else 0.0)
    return tape.make("truth", args[0]) if len(args) == 1 else _fold(tape, op, args)


def _lower_sum(tape: Tape, node: Expr, values: Mapping[Expr, int], uses: Mapping[Expr, int]) -> int:
    """Start from a term that is simply added; a product that nobody else needs is fused in."""
    terms = [_without_coefficient(term) for term in node.args]
    terms.sort(key=lambda term: term[0] != 1.0)
    coefficient, first = terms[0]
    total = values[first] if coefficient == 1.0 else _scaled(tape, coefficient, values[first])
    for coefficient, term in terms[1:]:
        total = _accumulate(tape, total, coefficient, term, values, uses)
    return total


def _scaled(tape: Tape, coefficient: float, value: int) -> int:
    if coefficient == -1.0:
        return tape.make("neg", value)
    return tape.make("mul", tape.constant(coefficient), value)


def _accumulate(
    tape: Tape,
    total: int,
    coefficient: float,
    term: Expr,
    values: Mapping[Expr, int],
    uses: Mapping[Expr, int],
) -> int:
    if term is ONE:
        return tape.make("add", total, tape.constant(coefficient))
    value = values[term]
    step = tape.steps[value]
    fuses = uses[term] == 1 and step[0] == "mul"
    if fuses and abs(coefficient) == 1.0:
        return tape.make("fma" if coefficient > 0 else "fnma", step[1], step[2], total)
    if abs(coefficient) == 1.0:
        return tape.make("add" if coefficient > 0 else "sub", total, value)
    return tape.make("fma", tape.constant(coefficient), value, total)


def _lower_product(tape: Tape, node: Expr, values: Mapping[Expr, int], uses: Mapping[Expr, int]) -> int:
    above: list[int] = []
    below: list[int] = []
    coefficient = 1.0
    for factor in node.args:
        if factor.is_number:
            coefficient *= factor.value
            continue
        step = tape.steps[values[factor]]
        if factor.op == "pow" and step[0] == "div" and uses[factor] == 1:
            below.append(step[2])
        else:
            above.append(values[factor])
    result = _fold(tape, "mul", above) if above else tape.constant(coefficient)
    if above and coefficient != 1.0:
        result = _scaled(tape, coefficient, result)
    return tape.make("div", result, _fold(tape, "mul", below)) if below else result


def _lower_power(tape: Tape, node: Expr, args: list[int]) -> int:
    exponent = node.args[1]
    if not exponent.is_number:
        return tape.make("pow", *args)
    n = exponent.value
    whole = int(abs(n)) if abs(n) <= _LARGEST_UNROLLED_POWER else -1
    if abs(n) not in (whole, whole + 0.5):
        return tape.make("pow", *args)
    result = _integer_power(tape, args[0], whole) if whole else None
    if abs(n) != whole:
        root = tape.make("sqrt", args[0])
        result = root if result is None else tape.make("mul", result, root)
    if result is None:
        return tape.constant(1.0)
    return tape.make("div", tape.constant(1.0), result) if n < 0 else result


def _integer_power(tape: Tape, base: int, n: int) -> int:
    """By repeated squaring."""
    result: int | None = None
    while True:
        if n & 1:
            result = base if result is None else tape.make("mul", result, base)
        n >>= 1
        if not n:
            return result  # type: ignore[return-value]
        base = tape.make("mul", base, base)
