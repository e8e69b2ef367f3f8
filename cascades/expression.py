"""Expressions: immutable, interned formulas.

Every distinct formula exists once per process, so equality is identity, a shared subexpression is
computed once, and a walk over a model of hundreds of reactions takes milliseconds.  (sympy needs
0.8 s to differentiate 15 reactions; it stays at the boundary, see `to_sympy`.)

Walks are loops, never recursion: a formula nested a hundred thousand levels deep is slow, not fatal.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

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
    parts = [mul(w, rest) for rest, w in weights.items() if w != 0.0]
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
    parts = [power(base, n) for base, n in exponents.items() if n != 0.0] + others
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
        if base.is_number and (base.value > 0.0 or (base.value < 0.0 and n == int(n))):
            return number(_fold_power(base.value, n))
        if base.op == "pow" and base.args[1].is_number and n == int(n):
            return power(base.args[0], base.args[1].value * n)
    return Expr("pow", (base, exponent))


def call(function: str, *args: ExprLike) -> Expr:
    """A function of `FUNCTIONS`, a relation or a logical operator applied to its arguments."""
    nodes = tuple(map(as_expr, args))
    if function in _EVALUATE and all(n.is_number for n in nodes):
        folded = float(_EVALUATE[function](*(n.value for n in nodes)))
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


# --- numbers ------------------------------------------------------------------------------------


def evaluate(roots: Iterable[Expr], values: Mapping[str, Any]) -> list[Any]:
    """The numbers (or arrays, broadcast together) that the roots have for these values.

    Raises KeyError with the name of a symbol that has no value.
    """
    roots = list(roots)
    done: dict[Expr, Any] = {}
    with np.errstate(all="ignore"):
        for node in postorder(*roots):
            if node.is_number:
                done[node] = node.value
            elif node.is_symbol:
                done[node] = values[node.name]
            else:
                done[node] = _EVALUATE[node.op](*(done[child] for child in node.args))
    return [done[root] for root in roots]


def _evaluate_piecewise(*args: Any) -> Any:
    result = args[-1]
    for value, condition in reversed(list(zip(args[0:-1:2], args[1:-1:2], strict=True))):
        result = np.where(np.asarray(condition, dtype=bool), value, result)
    return result if np.ndim(result) else float(result)


def _evaluate_power(base: Any, exponent: Any) -> Any:
    return np.power(np.asarray(base, dtype=float), exponent)[()]


def _factorial(x: Any) -> Any:
    from scipy.special import gamma

    return gamma(np.asarray(x, dtype=float) + 1.0)[()]


def _truth(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.multiply(f(*args), 1.0)


def _reduce(f: Any, empty: float) -> Callable[..., Any]:
    def apply(*args: Any) -> Any:
        total: Any = empty
        for i, a in enumerate(args):
            total = a if i == 0 else f(total, a)
        return total

    return apply


def _chain(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """SBML relations take two or more arguments: a < b < c."""

    def apply(*args: Any) -> Any:
        result: Any = True
        for left, right in itertools.pairwise(args):
            result = np.logical_and(result, f(left, right))
        return np.multiply(result, 1.0)

    return apply


_EVALUATE: dict[str, Callable[..., Any]] = {
    "add": _reduce(np.add, 0.0), "mul": _reduce(np.multiply, 1.0), "pow": _evaluate_power,
    "piecewise": _evaluate_piecewise,
    "exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "floor": np.floor, "ceil": np.ceil, "factorial": _factorial,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "min": _reduce(np.minimum, math.inf), "max": _reduce(np.maximum, -math.inf),
    "quotient": lambda a, b: np.trunc(np.divide(a, b)), "rem": np.fmod,
    "lt": _chain(np.less), "le": _chain(np.less_equal),
    "gt": _chain(np.greater), "ge": _chain(np.greater_equal),
    "eq": _chain(np.equal), "ne": _truth(np.not_equal),
    "and": _truth(_reduce(np.logical_and, 1.0)), "or": _truth(_reduce(np.logical_or, 0.0)),
    "xor": _truth(_reduce(np.logical_xor, 0.0)), "not": _truth(np.logical_not),
}  # fmt: skip


# --- text and sympy -----------------------------------------------------------------------------

_INFIX = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_INFIX |= {"and": "&&", "or": "||"}
_TIGHT = {"add": 1, "mul": 2, "pow": 3}


def to_text(root: Expr) -> str:
    """Infix text that Antimony and libsbml's level-3 parser read back."""
    done: dict[Expr, tuple[str, int]] = {}
    for node in postorder(root):
        done[node] = _node_text(node, [done[child] for child in children(node)])
    return done[root][0]


def _node_text(node: Expr, args: list[tuple[str, int]]) -> tuple[str, int]:
    """The text of a node and how tightly it binds (4: an atom)."""

    def wrapped(i: int, tightness: int) -> str:
        text, own = args[i]
        return f"({text})" if own < tightness else text

    if node.op == "symbol":
        return node.name, 4
    if node.op == "number":
        return _number_text(node.value)
    if node.op == "add":
        terms = [wrapped(i, 1) for i in range(len(args))]
        return terms[0] + "".join(f" - {t[1:]}" if t[0] == "-" else f" + {t}" for t in terms[1:]), 1
    if node.op == "mul":
        return _product_text(node, wrapped), 2
    if node.op == "pow":
        if node.args[1] is number(-1.0):
            return f"1 / {wrapped(0, 3)}", 2
        return f"{wrapped(0, 4)}^{wrapped(1, 4)}", 3
    if node.op in _INFIX and len(args) > 1:
        return f" {_INFIX[node.op]} ".join(wrapped(i, 1) for i in range(len(args))), 0
    name = {"rate_of": "rateOf", "not": "!"}.get(node.op, node.op)
    return f"{name}({', '.join(text for text, _ in args)})", 4


def _product_text(node: Expr, wrapped: Callable[[int, int], str]) -> str:
    above: list[str] = []
    below: list[str] = []
    sign = ""
    for i, factor in enumerate(node.args):
        if factor is number(-1.0):
            sign = "-"
        elif factor.op == "pow" and factor.args[1].is_number and factor.args[1].value < 0:
            inverse, tightness = _node_text_of(power(factor.args[0], -factor.args[1].value))
            below.append(f"({inverse})" if tightness < 3 else inverse)
        else:
            above.append(wrapped(i, 2))
    text = sign + (" * ".join(above) or "1")
    return text + "".join(f" / {b}" for b in below)


def _node_text_of(node: Expr) -> tuple[str, int]:
    return to_text(node), _TIGHT.get(node.op, 4)


def _number_text(value: float) -> tuple[str, int]:
    if value != value:
        return "NaN", 4
    if math.isinf(value):
        return ("INF" if value > 0 else "-INF"), 4
    text = repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return text, 1 if value < 0 else 4


def to_sympy(*roots: Expr) -> list[Any]:
    """The same formulas as sympy expressions (symbols are real)."""
    import sympy

    special: dict[str, Callable[..., Any]] = {
        "add": sympy.Add, "mul": sympy.Mul, "pow": sympy.Pow, "ln": sympy.log, "ceil": sympy.ceiling,
        "lt": sympy.Lt, "le": sympy.Le, "gt": sympy.Gt, "ge": sympy.Ge, "eq": sympy.Eq,
        "ne": sympy.Ne, "and": sympy.And, "or": sympy.Or, "xor": sympy.Xor, "not": sympy.Not,
        "min": sympy.Min, "max": sympy.Max, "abs": sympy.Abs,
        "quotient": lambda a, b: sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
        "rem": lambda a, b: a - b * sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
    }  # fmt: skip
    done: dict[Expr, Any] = {}
    for node in postorder(*roots):
        args = [done[child] for child in children(node)]
        if node.is_number:
            done[node] = (
                sympy.Integer(int(node.value)) if node.value == int(node.value) else sympy.Float(node.value)
            )
        elif node.is_symbol:
            done[node] = sympy.Symbol(node.name, real=True)
        elif node.op == "piecewise":
            pairs = list(zip(args[0:-1:2], args[1:-1:2], strict=True))
            done[node] = sympy.Piecewise(*pairs, (args[-1], True))
        else:
            done[node] = special.get(node.op, getattr(sympy, node.op, None) or sympy.Function(node.op))(*args)
    return [done[root] for root in roots]


def from_sympy(*roots: Any) -> list[Expr]:
    """Nodes from sympy expressions.  Raises ValueError for a function that is not known here."""
    return [_from_sympy(root) for root in roots]


def _from_sympy(root: Any) -> Expr:
    import sympy

    done: dict[Any, Expr] = {}
    for part in sympy.postorder_traversal(root):
        if part in done:
            continue
        if part.is_Symbol:
            done[part] = symbol(part.name)
        elif part.is_number:
            done[part] = number(float(part))
        elif part in (sympy.true, sympy.false):
            done[part] = number(float(part == sympy.true))
        elif not isinstance(part, sympy.functions.elementary.piecewise.ExprCondPair):
            done[part] = _sympy_call(part, done)
    return done[root]


_SYMPY_NAMES = {
    "Add": "add", "Mul": "mul", "Pow": "pow", "log": "ln", "Abs": "abs", "ceiling": "ceil", "Max": "max",
    "Min": "min", "StrictLessThan": "lt", "LessThan": "le", "StrictGreaterThan": "gt", "GreaterThan": "ge",
    "Equality": "eq", "Unequality": "ne", "And": "and", "Or": "or", "Xor": "xor", "Not": "not",
}  # fmt: skip


def _sympy_call(part: Any, done: Mapping[Any, Expr]) -> Expr:
    kind = type(part).__name__
    if kind == "Piecewise":
        pairs = [(done[pair.expr], done[pair.cond]) for pair in part.args]
        return piecewise(*pairs)
    op = _SYMPY_NAMES.get(kind, kind)
    if op not in OPERATORS:
        raise ValueError(f"the function {kind} is not known in formulas")
    return make(op, [done[arg] for arg in part.args])
