"""LLVM text for formulas: one straight line of code that works on one member or on a vector of them.

Every function has the same signature,

    void f(ptr y, ptr p, ptr x, ptr out)

where `y` holds states, `p` parameter values, `x` context (row 0 is time; further rows as the caller
says), each row one float64 per lane.  Long functions are cut into pieces of a few hundred operations,
because the time LLVM needs grows faster than their length; values that cross a cut go
through `scratch`, which lives on the stack.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappush, heapreplace

from cascades.compiler.tape import FREE, Row, Tape, live_steps, operands, write_tape
from cascades.expression import Expr
from cascades.kernels.elementary import FUNCTIONS, definitions

ARGUMENTS = ("y", "p", "x", "out")
PIECE = 300  # operations; 150 to 600 compile at about the same speed

_SIGNATURE = ", ".join(f"ptr noalias %{a}" for a in ARGUMENTS)
_CALL = ", ".join(f"ptr %{a}" for a in ARGUMENTS)
_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARE = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INTRINSIC = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
              "min": "minimum", "max": "maximum"}  # fmt: skip
_LIBM = {"ln": "log", "factorial": "tgamma", "rem": "fmod"}
_LIBM_ARGUMENTS = {"fmod": 2, "pow": 2}
_INTRINSIC_ARGUMENTS = {"fmuladd": 3, "minimum": 2, "maximum": 2}
# exp ends here, at 1e299: the slope of a logistic function, k exp(k x) / (1 + exp(k x))^2, is then 0 far out
# and not infinity over infinity.
_LARGEST_EXPONENT = 690.0
_OWN = "@lanes."  # the prefix of the package's own elementary functions


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


def emit_tape(name: str, tape: Tape, lanes: int, numbers: Sequence[str] = ()) -> Code:
    """Code for a tape.  Arguments in `numbers` hold one number per row, which is the same in all lanes."""
    pieces = _cut(tape)
    crossing, stored = _crossing(tape, pieces)
    rows, n_rows = _assign_rows(crossing)
    places = {value: ("scratch", row) for value, row in rows.items()} | stored
    writer = _Writer(lanes, numbers)
    texts = []
    for k, piece in enumerate(pieces):
        body = writer.piece(tape, piece, places)
        if len(pieces) == 1:
            return writer.code(f"define void @{name}({_SIGNATURE}) {{\n{body}ret void\n}}\n", len(piece))
        texts.append(
            f"define internal void @{name}_{k}({_SIGNATURE}, ptr noalias %scratch) noinline "
            f"{{\n{body}ret void\n}}\n"
        )
    scratch = f"%scratch = alloca [{max(n_rows, 1)} x {writer.type}], align {8 * lanes}\n"
    calls = "".join(f"call void @{name}_{k}({_CALL}, ptr %scratch)\n" for k in range(len(pieces)))
    texts.append(f"define void @{name}({_SIGNATURE}) {{\n{scratch}{calls}ret void\n}}\n")
    return writer.code("".join(texts), sum(map(len, pieces)))


def module_text(codes: Iterable[Code], lanes: int) -> str:
    """A complete module: the definitions and what they call."""
    codes = list(codes)
    libm = frozenset().union(*(code.libm for code in codes))
    intrinsics = frozenset().union(*(code.intrinsics for code in codes))
    vector, suffix = _type(lanes), "f64" if lanes == 1 else f"v{lanes}f64"
    declared = {f"declare double @{f}({', '.join(['double'] * _LIBM_ARGUMENTS.get(f, 1))})" for f in libm}
    for f in intrinsics:
        arguments = ", ".join([vector] * _INTRINSIC_ARGUMENTS.get(f, 1))
        declared.add(f"declare {vector} @llvm.{f}.{suffix}({arguments})")
    body = "".join(code.text for code in codes)
    if _OWN in body:
        lines = definitions(lanes).replace('"', "").splitlines()
        declared |= {re.sub(r" %\.\d", "", line) for line in lines if line.startswith("declare")}
        body = "\n".join(line for line in lines if not line.startswith("declare")) + "\n" + body
    return "\n".join(sorted(declared)) + "\n" + body


def _type(lanes: int) -> str:
    return "double" if lanes == 1 else f"<{lanes} x double>"


def _cut(tape: Tape) -> list[list[int]]:
    pieces: list[list[int]] = [[]]
    for i in live_steps(tape):
        if len(pieces[-1]) >= PIECE:
            pieces.append([])
        pieces[-1].append(i)
    return pieces


def _crossing(tape: Tape, pieces: list[list[int]]) -> tuple[dict[int, tuple[int, int]], dict[int, Row]]:
    """Values used in a later piece than the one that makes them: value -> (made in, last used in);
    and apart from them those that are read back from `out`, because they are outputs: value -> place."""
    made: dict[int, int] = {}
    crossing: dict[int, tuple[int, int]] = {}
    outputs: dict[int, Row] = {}
    for k, piece in enumerate(pieces):
        for i in piece:
            step = tape.steps[i]
            made[i] = k
            for operand in operands(step):
                if tape.steps[operand][0] not in FREE and made[operand] != k:
                    crossing[operand] = (made[operand], k)
            if step[0] == "store" and made.get(step[2]) == k:
                outputs[step[2]] = ("out", step[1])
    stored = {value: outputs[value] for value in crossing if value in outputs}
    return {value: span for value, span in crossing.items() if value not in stored}, stored


def _assign_rows(crossing: Mapping[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Rows of scratch, reused after the last piece that reads them."""
    rows: dict[int, int] = {}
    busy: list[tuple[int, int]] = []  # a heap of (last piece, row)
    n_rows = 0
    for value, (first, last) in sorted(crossing.items(), key=lambda item: (item[1][0], item[0])):
        if busy and busy[0][0] < first:
            rows[value] = heapreplace(busy, (last, busy[0][1]))[1]
            continue
        rows[value] = n_rows
        heappush(busy, (last, n_rows))
        n_rows += 1
    return rows, n_rows


class _Writer:
    """Writes the operations of one function as text; remembers what has to be declared."""

    def __init__(self, lanes: int, numbers: Sequence[str] = ()):
        self.lanes, self.type, self.numbers = lanes, _type(lanes), numbers
        self.mask = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.libm: set[str] = set()
        self.intrinsics: set[str] = set()

    def code(self, text: str, n_operations: int) -> Code:
        return Code(text, frozenset(self.libm), frozenset(self.intrinsics), n_operations)

    def piece(self, tape: Tape, piece: Sequence[int], places: Mapping[int, Row]) -> str:
        """The text of some steps; `places` says where values are kept for other pieces."""
        self.lines: list[str] = []
        self.known: dict[int, str] = {}
        self.fresh = 0
        for i in piece:
            step = tape.steps[i]
            args = [self._operand(tape, j, places) for j in operands(step)]
            if step[0] == "store":
                self._store("out", step[1], args[0])
                continue
            self.known[i] = self._operation(step[0], args)
            if i in places and places[i][0] == "scratch":
                self._store(*places[i], self.known[i])
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

    def _operand(self, tape: Tape, i: int, places: Mapping[int, Row]) -> str:
        if i in self.known:
            return self.known[i]
        step = tape.steps[i]
        if step[0] == "constant":
            self.known[i] = self.constant(float.fromhex(step[1]))
        else:
            argument, row = step[1:] if step[0] == "load" else places[i]
            if argument in self.numbers and self.lanes > 1:
                self.known[i] = self._spread(argument, row)
                return self.known[i]
            pointer = self._pointer(argument, row)
            self.known[i] = self._new(f"load {self.type}, ptr {pointer}, align {8 * self.lanes}")
        return self.known[i]

    def _spread(self, argument: str, row: int) -> str:
        """A number of an argument in all lanes."""
        pointer = self._new(f"getelementptr double, ptr %{argument}, i64 {row}")
        value = self._new(f"load double, ptr {pointer}, align 8")
        first = self._new(f"insertelement {self.type} poison, double {value}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self._new(f"shufflevector {self.type} {first}, {self.type} poison, {zeros}")

    def constant(self, value: float) -> str:
        bits = f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"
        return bits if self.lanes == 1 else f"splat (double {bits})"

    def _operation(self, op: str, args: list[str]) -> str:
        if op in _ARITHMETIC:
            return self._new(f"{_ARITHMETIC[op]} {self.type} {args[0]}, {args[1]}")
        if op == "copy":
            return args[0]
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
        if op == "exp":
            largest = self.constant(_LARGEST_EXPONENT)
            above = self._new(f"fcmp ogt {self.type} {args[0]}, {largest}")
            args = [self._select(above, largest, args[0])]
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
        """exp, log and pow are our own on vectors; everything else is the C library's, lane by lane."""
        if self.lanes > 1 and name in FUNCTIONS:
            return self._new(f"call {self.type} {_OWN}{name}({', '.join(f'{self.type} {a}' for a in args)})")
        self.libm.add(name)
        if self.lanes == 1:
            return self._new(f"call double @{name}({', '.join(f'double {a}' for a in args)})")
        result = "poison"
        for lane in range(self.lanes):
            parts = [self._new(f"extractelement {self.type} {a}, i32 {lane}") for a in args]
            value = self._new(f"call double @{name}({', '.join(f'double {a}' for a in parts)})")
            result = self._new(f"insertelement {self.type} {result}, double {value}, i32 {lane}")
        return result
