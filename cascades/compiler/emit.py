"""LLVM text for formulas: one straight line of code that works on one member or on a vector of them.

Every function has the same signature,

    void f(ptr y, ptr p, ptr x, ptr out)

where `y` holds states, `p` parameter values, `x` context (row 0 is time; further rows as the caller
says), each row one float64 per lane.  Long functions are cut into pieces of a few hundred operations,
because the time LLVM needs grows faster than their length; values that cross a cut go
through `scratch`, which lives on the stack.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cascades.compiler.tape import FREE, Row, Tape, live_steps, operands, write_tape
from cascades.expression import Expr

ARGUMENTS = ("y", "p", "x", "out")
PIECE = 300  # operations; 150 to 600 compile at about the same speed

_SIGNATURE = ", ".join(f"ptr noalias %{a}" for a in ARGUMENTS)
_CALL = ", ".join(f"ptr %{a}" for a in ARGUMENTS)
_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INTRINSIC = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
              "min": "minimum", "max": "maximum"}  # fmt: skip
_LIBM = {"ln": "log", "factorial": "tgamma", "rem": "fmod"}


@dataclass(frozen=True)
class Code:
    """LLVM definitions and the names of the external functions that they call."""

    text: str
    libm: frozenset[str]
    intrinsics: frozenset[str]
    n_operations: int


def emit_function(name: str, outputs: Sequence[Expr], rows: Mapping[str, Row], lanes: int = 1) -> Code:
    """Code that stores the formulas in the rows of `out`, in order."""
    return emit_tape(name, write_tape(outputs, rows), lanes)


def emit_tape(name: str, tape: Tape, lanes: int) -> Code:
    pieces = _cut(tape)
    crossing = _crossing(tape, pieces)
    rows, n_rows = _assign_rows(crossing)
    writer = _Writer(lanes)
    texts = []
    for k, piece in enumerate(pieces):
        body = writer.piece(tape, piece, k, crossing, rows)
        if len(pieces) == 1:
            return writer.code(f"define void @{name}({_SIGNATURE}) {{\n{body}ret void\n}}\n", len(piece))
        texts.append(
            f"define internal void @{name}_{k}({_SIGNATURE}, ptr noalias %scratch) noinline {{\n{body}ret void\n}}\n"
        )
    scratch = f"%scratch = alloca [{max(n_rows, 1)} x {writer.type}], align {8 * lanes}\n"
    calls = "".join(f"call void @{name}_{k}({_CALL}, ptr %scratch)\n" for k in range(len(pieces)))
    texts.append(f"define void @{name}({_SIGNATURE}) {{\n{scratch}{calls}ret void\n}}\n")
    return writer.code("".join(texts), sum(map(len, pieces)))


def module_text(codes: Iterable[Code], lanes: int, extra: str = "") -> str:
    """A complete module: the definitions, what they call, and `extra` definitions."""
    codes = list(codes)
    libm = frozenset().union(*(code.libm for code in codes))
    intrinsics = frozenset().union(*(code.intrinsics for code in codes))
    declared = [
        f"declare double @{f}({'double, double' if f in ('fmod', 'pow') else 'double'})\n"
        for f in sorted(libm)
    ]
    vector, suffix = _type(lanes), "f64" if lanes == 1 else f"v{lanes}f64"
    for f in sorted(intrinsics):
        count = {"fmuladd": 3, "minimum": 2, "maximum": 2}.get(f, 1)
        declared.append(f"declare {vector} @llvm.{f}.{suffix}({', '.join([vector] * count)})\n")
    return "".join(declared) + extra + "".join(code.text for code in codes)


def _type(lanes: int) -> str:
    return "double" if lanes == 1 else f"<{lanes} x double>"


def _cut(tape: Tape) -> list[list[int]]:
    pieces: list[list[int]] = [[]]
    for i in live_steps(tape):
        if len(pieces[-1]) >= PIECE:
            pieces.append([])
        pieces[-1].append(i)
    return pieces


def _crossing(tape: Tape, pieces: list[list[int]]) -> dict[int, tuple[int, int]]:
    """Values used in a later piece than the one that makes them: value -> (made in, last used in)."""
    made: dict[int, int] = {}
    crossing: dict[int, tuple[int, int]] = {}
    for k, piece in enumerate(pieces):
        for i in piece:
            made[i] = k
            for operand in operands(tape.steps[i]):
                if tape.steps[operand][0] not in FREE and made[operand] != k:
                    crossing[operand] = (made[operand], k)
    return crossing


def _assign_rows(crossing: Mapping[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Rows of scratch, reused after the last piece that reads them."""
    rows: dict[int, int] = {}
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    n_rows = 0
    for value, (first, last) in sorted(crossing.items(), key=lambda item: (item[1][0], item[0])):
        free += [row for end, row in busy if end < first]
        busy = [(end, row) for end, row in busy if end >= first]
        if not free:
            free.append(n_rows)
            n_rows += 1
        rows[value] = free.pop()
        busy.append((last, rows[value]))
    return rows, n_rows


class _Writer:
    """Writes the operations of one function as text; remembers what has to be declared."""

    def __init__(self, lanes: int):
        self.lanes, self.type = lanes, _type(lanes)
        self.mask = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.libm: set[str] = set()
        self.intrinsics: set[str] = set()

    def code(self, text: str, n_operations: int) -> Code:
        return Code(text, frozenset(self.libm), frozenset(self.intrinsics), n_operations)

    def piece(
        self,
        tape: Tape,
        piece: Sequence[int],
        k: int,
        crossing: Mapping[int, tuple[int, int]],
        rows: Mapping[int, int],
    ) -> str:
        self.lines: list[str] = []
        self.known: dict[int, str] = {}
        self.fresh = 0
        for i in piece:
            step = tape.steps[i]
            args = [self._operand(tape, j, rows) for j in operands(step)]
            if step[0] == "store":
                self._store("out", step[1], args[0])
                continue
            self.known[i] = self._operation(step[0], args)
            if i in crossing:
                self._store("scratch", rows[i], self.known[i])
        return "".join(self.lines)

    def _new(self, text: str) -> str:
        self.fresh += 1
        name = f"%v{self.fresh}"
        self.lines.append(f"{name} = {text}\n")
        return name

    def _pointer(self, argument: str, row: int) -> str:
        return self._new(f"getelementptr {self.type}, ptr %{argument}, i64 {row}") if row else f"%{argument}"

    def _store(self, argument: str, row: int, value: str) -> None:
        self.lines.append(
            f"store {self.type} {value}, ptr {self._pointer(argument, row)}, align {8 * self.lanes}\n"
        )

    def _operand(self, tape: Tape, i: int, rows: Mapping[int, int]) -> str:
        if i in self.known:
            return self.known[i]
        step = tape.steps[i]
        if step[0] == "constant":
            self.known[i] = self.constant(float.fromhex(step[1]))
        else:
            argument, row = step[1:] if step[0] == "load" else ("scratch", rows[i])
            pointer = self._pointer(argument, row)
            self.known[i] = self._new(f"load {self.type}, ptr {pointer}, align {8 * self.lanes}")
        return self.known[i]

    def constant(self, value: float) -> str:
        bits = f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"
        return bits if self.lanes == 1 else f"splat (double {bits})"

    def _operation(self, op: str, args: list[str]) -> str:
        if op in _ARITHMETIC:
            return self._new(f"{_ARITHMETIC[op]} {self.type} {args[0]}, {args[1]}")
        if op == "neg":
            return self._new(f"fneg {self.type} {args[0]}")
        if op == "fma":
            return self._intrinsic("fmuladd", args)
        if op == "fnma":
            return self._intrinsic("fmuladd", [self._operation("neg", args[:1]), *args[1:]])
        if op in _INTRINSIC:
            return self._intrinsic(_INTRINSIC[op], args)
        if op in _COMPARE:
            return self._number(self._new(f"fcmp {_COMPARE[op]} {self.type} {args[0]}, {args[1]}"))
        if op == "select":
            return self._select(self._is_true(args[0]), args[1], args[2])
        if op in ("and", "or", "xor"):
            left, right = map(self._is_true, args)
            return self._number(self._new(f"{op} {self.mask} {left}, {right}"))
        if op == "truth":
            return self._number(self._is_true(args[0]))
        if op == "not":
            zero = self.constant(0.0)
            return self._number(self._new(f"fcmp oeq {self.type} {args[0]}, {zero}"))
        if op == "factorial":
            args = [self._operation("add", [args[0], self.constant(1.0)])]
        return self._library(_LIBM.get(op, op), args)

    def _is_true(self, value: str) -> str:
        return self._new(f"fcmp une {self.type} {value}, {self.constant(0.0)}")

    def _number(self, mask: str) -> str:
        return self._select(mask, self.constant(1.0), self.constant(0.0))

    def _select(self, mask: str, yes: str, no: str) -> str:
        return self._new(f"select {self.mask} {mask}, {self.type} {yes}, {self.type} {no}")

    def _intrinsic(self, name: str, args: list[str]) -> str:
        self.intrinsics.add(name)
        return self._new(
            f"call {self.type} @llvm.{name}.{self.suffix}({', '.join(f'{self.type} {a}' for a in args)})"
        )

    def _library(self, name: str, args: list[str]) -> str:
        """A function of the C library, lane by lane."""
        self.libm.add(name)
        if self.lanes == 1:
            return self._new(f"call double @{name}({', '.join(f'double {a}' for a in args)})")
        result = "poison"
        for lane in range(self.lanes):
            parts = [self._new(f"extractelement {self.type} {a}, i32 {lane}") for a in args]
            value = self._new(f"call double @{name}({', '.join(f'double {a}' for a in parts)})")
            result = self._new(f"insertelement {self.type} {result}, double {value}, i32 {lane}")
        return result
