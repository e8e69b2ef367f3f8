"""Expressions: immutable, interned formulas.

Every distinct formula exists once per process, so equality is identity, a shared subexpression is
computed once, and a walk over a model of hundreds of reactions takes milliseconds.  (sympy needs
0.8 s to differentiate 15 reactions; it stays at the boundary, see `sympy_bridge`.)

Walks are loops, never recursion: a formula nested a hundred thousand levels deep is slow, not fatal.
"""

from __future__ import annotations

import hashlib
import math
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from cascades.expression.numbers import APPLY

Number: TypeAlias = int | float
ExprLike: TypeAlias = "Expr | int | float | str"

RELATIONS = ("lt", "le", "gt", "ge", "eq", "ne")
LOGIC = ("and", "or", "xor", "not")
FUNCTIONS = (
    "exp", "ln", "sqrt", "abs", "floor", "ceil", "factorial",
    "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "min", "max", "quotient", "rem",
)  # fmt: skip
# "rate_of" and "delay" hold a symbol until the compiler replaces or refuses them.
OPERATORS: tuple[str, ...] = ("number", "symbol", "add", "mul", "pow", "piecewise", "rate_of", "delay")
OPERATORS += FUNCTIONS + RELATIONS + LOGIC

_BITS = (1 << 61) - 1


class Expr:
    """One node.  `op` is an entry of `OPERATORS`; `args` are nodes, or the number, or the name.

    `key` is a hash of the structure, the same in every process: sums and products are ordered by
    it, so that results are reproducible to the last bit.
    """

    __slots__ = ("__weakref__", "args", "key", "op")
    op: str
    args: tuple[Any, ...]
    key: int

    def __new__(cls, op: str, args: tuple[Any, ...]) -> Expr:
        label = (op, args) if op != "number" else (op, (repr(args[0]),))
        found = _NODES.get(label)
        if found is not None:
            return found
        with _LOCK:
            found = _NODES.get(label)
            if found is not None:
                return found
            node = object.__new__(cls)
            node.op, node.args = op, args
            node.key = _structure_hash(op, args)
            _NODES[label] = node
            return node

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (flatten(self),))

    def __repr__(self) -> str:
        from cascades.expression.text import to_text

        return to_text(self)

    def __add__(self, other: ExprLike) -> Expr:
        return add(self, other)

    def __radd__(self, other: ExprLike) -> Expr:
        return add(other, self)

    def __sub__(self, other: ExprLike) -> Expr:
        return add(self, mul(-1, other))

    def __rsub__(self, other: ExprLike) -> Expr:
        return add(other, mul(-1, self))

    def __mul__(self, other: ExprLike) -> Expr:
        return mul(self, other)

    def __rmul__(self, other: ExprLike) -> Expr:
        return mul(other, self)

    def __truediv__(self, other: ExprLike) -> Expr:
        return mul(self, power(other, -1))

    def __rtruediv__(self, other: ExprLike) -> Expr:
        return mul(other, power(self, -1))

    def __pow__(self, other: ExprLike) -> Expr:
        return power(self, other)

    def __neg__(self) -> Expr:
        return mul(-1, self)

    @property
    def is_number(self) -> bool:
        return self.op == "number"

    @property
    def is_symbol(self) -> bool:
        return self.op == "symbol"

    @property
    def value(self) -> float:
        """The number of a number node, the name of a symbol node."""
        return self.args[0]

    @property
    def name(self) -> str:
        return self.args[0]


_NODES: weakref.WeakValueDictionary[Any, Expr] = weakref.WeakValueDictionary()
_LOCK = threading.RLock()


def _structure_hash(op: str, args: tuple[Any, ...]) -> int:
    if op == "number":
        text = "#" + float(args[0]).hex()
    elif op == "symbol":
        text = "$" + args[0]
    else:
        text = op + "(" + ",".join(str(a.key) for a in args)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") & _BITS


# --- building -----------------------------------------------------------------------------------


def number(value: Number) -> Expr:
    return Expr("number", (float(value),))


def symbol(name: str) -> Expr:
    return Expr("symbol", (name,))


def as_expr(value: ExprLike) -> Expr:
    """A node from a node, a number or a name."""
    if isinstance(value, Expr):
        return value
    return symbol(value) if isinstance(value, str) else number(value)


ZERO = number(0.0)
ONE = number(1.0)
TIME = symbol("time")


def add(*terms: ExprLike) -> Expr:
    """The sum; equal terms are collected, so that x - x vanishes."""
    constant = 0.0
    weights: dict[Expr, float] = {}
    for term in map(as_expr, terms):
        for part in term.args if term.op == "add" else (term,):
            if part.is_number:
                constant += part.value
                continue
            weight, rest = _split_coefficient(part)
            weights[rest] = weights.get(rest, 0.0) + weight
    parts = [rest if w == 1.0 else mul(w, rest) for rest, w in weights.items() if w != 0.0]
    if not parts:
        return number(constant)
    parts.sort(key=_key)
    if constant != 0.0:
        parts.append(number(constant))
    return parts[0] if len(parts) == 1 else Expr("add", tuple(parts))


def mul(*factors: ExprLike) -> Expr:
    """The product; powers of equal bases are merged, so that V * (k * A) / V is k * A."""
    coefficient = 1.0
    exponents: dict[Expr, float] = {}
    others: list[Expr] = []
    for factor in map(as_expr, factors):
        for part in factor.args if factor.op == "mul" else (factor,):
            if part.is_number:
                coefficient *= part.value
            elif part.op == "pow" and part.args[1].is_number:
                base, exponent = part.args
                exponents[base] = exponents.get(base, 0.0) + exponent.value
            elif part.op == "pow":
                others.append(part)
            else:
                exponents[part] = exponents.get(part, 0.0) + 1.0
    if coefficient == 0.0:
        return ZERO
    parts = [base if n == 1.0 else power(base, n) for base, n in exponents.items() if n != 0.0] + others
    for part in parts:
        if part.is_number:
            coefficient *= part.value
    parts = [part for part in parts if not part.is_number]
    if not parts:
        return number(coefficient)
    parts.sort(key=_key)
    if coefficient != 1.0:
        if len(parts) == 1 and parts[0].op == "add":
            return add(*(mul(coefficient, term) for term in parts[0].args))
        parts.insert(0, number(coefficient))
    return parts[0] if len(parts) == 1 else Expr("mul", tuple(parts))


def power(base: ExprLike, exponent: ExprLike) -> Expr:
    base, exponent = as_expr(base), as_expr(exponent)
    if exponent.is_number:
        n = exponent.value
        if n == 0.0:
            return ONE
        if n == 1.0:
            return base
        if base.is_number and (base.value > 0.0 or (base.value < 0.0 and n.is_integer())):
            return number(_fold_power(base.value, n))
        if base.op == "pow" and base.args[1].is_number and n.is_integer():
            return power(base.args[0], base.args[1].value * n)
    return Expr("pow", (base, exponent))


def call(function: str, *args: ExprLike) -> Expr:
    """A function of `FUNCTIONS`, a relation or a logical operator applied to its arguments."""
    nodes = tuple(map(as_expr, args))
    if function in APPLY and all(n.is_number for n in nodes):
        with np.errstate(all="ignore"):
            folded = float(APPLY[function](*(n.value for n in nodes)))
        if math.isfinite(folded):
            return number(folded)
    return Expr(function, nodes)


def piecewise(*pairs: tuple[ExprLike, ExprLike], otherwise: ExprLike = math.nan) -> Expr:
    """`pairs` of (value, condition), first true condition wins."""
    args: list[Expr] = []
    for value, condition in pairs:
        condition = as_expr(condition)
        if condition.is_number:
            if condition.value == 0.0:
                continue
            otherwise = value
            break
        args += [as_expr(value), condition]
    otherwise = as_expr(otherwise)
    return Expr("piecewise", (*args, otherwise)) if args else otherwise


def make(op: str, args: Iterable[Expr]) -> Expr:
    """Rebuild a node of any operator from new arguments, simplifying as the builders do."""
    args = tuple(args)
    if op in _BUILDERS:
        return _BUILDERS[op](*args)
    return call(op, *args)


def _make_piecewise(*args: Expr) -> Expr:
    pairs = list(zip(args[0:-1:2], args[1:-1:2], strict=True))
    return piecewise(*pairs, otherwise=args[-1])


def _keep(op: str) -> Callable[..., Expr]:
    return lambda *args: Expr(op, args)


_BUILDERS: dict[str, Callable[..., Expr]] = {
    "add": add,
    "mul": mul,
    "pow": power,
    "piecewise": _make_piecewise,
    "rate_of": _keep("rate_of"),
    "delay": _keep("delay"),
}


def _key(node: Expr) -> int:
    return node.key


def _split_coefficient(term: Expr) -> tuple[float, Expr]:
    if term.op == "mul" and term.args[0].is_number:
        rest = term.args[1:]
        return term.args[0].value, rest[0] if len(rest) == 1 else Expr("mul", rest)
    return 1.0, term


def _fold_power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:
        return math.inf


# --- walking ------------------------------------------------------------------------------------


def children(node: Expr) -> tuple[Expr, ...]:
    return () if node.op in ("number", "symbol") else node.args


def postorder(*roots: Expr) -> Iterator[Expr]:
    """Every distinct node below the roots, arguments before the node that uses them."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            yield node
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(children(node)) if child not in seen)


def free_symbols(*roots: Expr) -> set[str]:
    return {node.name for node in postorder(*roots) if node.is_symbol}


def substitute(
    roots: Iterable[Expr], replacement: Mapping[str, Expr], memo: dict[Expr, Expr] | None = None
) -> list[Expr]:
    """The roots with symbols replaced by name; the replacements are not searched again.

    Pass the same `memo` to share work between calls with the same replacement.
    """
    roots = list(roots)
    done: dict[Expr, Expr] = {} if memo is None else memo
    for node in postorder(*roots):
        if node in done:
            continue
        if node.is_symbol:
            done[node] = replacement.get(node.name, node)
        elif node.is_number:
            done[node] = node
        else:
            new = tuple(done[child] for child in node.args)
            same = all(a is b for a, b in zip(new, node.args, strict=True))
            done[node] = node if same else make(node.op, new)
    return [done[root] for root in roots]


def flatten(*roots: Expr) -> list[tuple[str, Any]]:
    """A table of the nodes, arguments as row numbers: for hashing, pickling and storing."""
    row: dict[Expr, int] = {}
    table: list[tuple[str, Any]] = []
    for node in postorder(*roots):
        leaf = node.op in ("number", "symbol")
        table.append((node.op, node.args[0] if leaf else tuple(row[a] for a in node.args)))
        row[node] = len(table) - 1
    return table


def _rebuild(table: list[tuple[str, Any]]) -> Expr:
    nodes: list[Expr] = []
    for op, content in table:
        leaf = op in ("number", "symbol")
        nodes.append(Expr(op, (content,) if leaf else tuple(nodes[i] for i in content)))
    return nodes[-1]


def evaluate(roots: Iterable[Expr], values: Mapping[str, Any]) -> list[Any]:
    """The numbers (or arrays, broadcast together) that the roots have for these values.

    Raises KeyError with the name of a symbol that has no value.
    """
    return evaluator(roots)(values)


def evaluator(roots: Iterable[Expr]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """`evaluate` for roots that are evaluated more than once: their nodes are put into order here."""
    roots = list(roots)
    row: dict[Expr, int] = {}
    steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
    leaves: list[Expr] = []
    nodes = list(postorder(*roots))
    for node in (node for node in nodes if node.op in ("number", "symbol")):
        row[node] = len(leaves)
        leaves.append(node)
    for node in (node for node in nodes if node.op not in ("number", "symbol")):
        row[node] = len(leaves) + len(steps)
        steps.append((APPLY[node.op], tuple(row[child] for child in node.args)))
    wanted = [row[root] for root in roots]

    def run(values: Mapping[str, Any]) -> list[Any]:
        done = [values[leaf.name] if leaf.is_symbol else leaf.value for leaf in leaves]
        with np.errstate(all="ignore"):
            for apply, args in steps:
                done.append(apply(*[done[k] for k in args]))
        return [done[k] for k in wanted]

    return run
