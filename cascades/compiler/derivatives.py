"""Derivatives of formulas by rule, sparse and memoised.

`gradients` gives every partial derivative that is not identically zero; `directional` gives one
derivative along a direction of formulas, at a cost that does not grow with the number of symbols.
Both walk the graph of shared formulas once: 230 mass-action rates take some tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cascades.errors import CompileError
from cascades.expression import (
    LOGIC,
    ONE,
    RELATIONS,
    ZERO,
    Expr,
    add,
    call,
    children,
    mul,
    number,
    piecewise,
    postorder,
    power,
)

Gradient = dict[str, Expr]
_FLAT = (*RELATIONS, *LOGIC, "floor", "ceil", "quotient")  # derivative zero wherever it exists
_DIGAMMA_SHIFT = 8


def gradients(roots: Iterable[Expr], names: Iterable[str]) -> list[Gradient]:
    """For each root its non-zero partial derivatives with respect to `names`, as name -> formula."""
    roots = list(roots)
    wanted = frozenset(names)
    done: dict[Expr, Gradient] = {}
    for node in postorder(*roots):
        done[node] = _gradient(node, wanted, done)
    return [done[root] for root in roots]


def _gradient(node: Expr, wanted: frozenset[str], done: Mapping[Expr, Gradient]) -> Gradient:
    if node.op == "symbol":
        return {node.name: ONE} if node.name in wanted else {}
    if node.op == "number" or node.op in _FLAT:
        return {}
    if node.op == "add":
        return _sum_of([(ONE, done[term]) for term in node.args])
    if node.op == "mul" and node.args[0].is_number:
        coefficient = node.args[0]
        rest = node.args[1] if len(node.args) == 2 else _find(Expr("mul", node.args[1:]), wanted, done)
        inner = done[rest]
        return {name: _scaled(coefficient, slope) for name, slope in inner.items()}
    outer = [
        (slope, done[child])
        for child, slope in zip(children(node), _slopes(node, lambda c: bool(done[c])), strict=True)
        if slope is not None
    ]
    return _sum_of(outer)


def _find(rest: Expr, wanted: frozenset[str], done: Mapping[Expr, Gradient]) -> Expr:
    """`rest` with its gradient in `done`: a product without its coefficient is shared by the states
    that gain and those that lose, so it is differentiated once."""
    if rest not in done:
        done[rest] = _gradient(rest, wanted, done)  # type: ignore[index]
    return rest


def _scaled(coefficient: Expr, slope: Expr) -> Expr:
    """Their product; a product without a number is in order already, and need not be sorted again."""
    if slope.op == "symbol":
        return Expr("mul", (coefficient, slope))
    if slope.op == "mul" and not slope.args[0].is_number:
        return Expr("mul", (coefficient, *slope.args))
    return mul(coefficient, slope)


def _sum_of(terms: Sequence[tuple[Expr, Gradient]]) -> Gradient:
    collected: dict[str, list[Expr]] = {}
    for factor, inner in terms:
        for name, slope in inner.items():
            product = slope if factor is ONE else factor if slope is ONE else mul(factor, slope)
            collected.setdefault(name, []).append(product)
    result = {name: parts[0] if len(parts) == 1 else add(*parts) for name, parts in collected.items()}
    return {name: slope for name, slope in result.items() if slope is not ZERO}


def dependencies(roots: Iterable[Expr], names: Sequence[str]) -> list[list[int]]:
    """For each root the positions in `names` of the symbols that its derivative may depend on: the
    sparsity pattern, without the cost of the derivatives.  What enters only through a condition or a
    step function is left out."""
    roots = list(roots)
    bit = {name: 1 << i for i, name in enumerate(names)}
    done: dict[Expr, int] = {}
    for node in postorder(*roots):
        mask = 0
        if node.op == "symbol":
            mask = bit.get(node.name, 0)
        elif node.op == "piecewise":
            for child in node.args[0::2]:
                mask |= done[child]
        elif node.op not in _FLAT:
            for child in children(node):
                mask |= done[child]
        done[node] = mask
    return [_positions(done[root]) for root in roots]


def _positions(mask: int) -> list[int]:
    positions = []
    while mask:
        lowest = mask & -mask
        positions.append(lowest.bit_length() - 1)
        mask ^= lowest
    return positions


def directional(roots: Iterable[Expr], direction: Mapping[str, Expr]) -> list[Expr]:
    """The derivative of each root along `direction` (symbol -> formula, all others fixed)."""
    roots = list(roots)
    done: dict[Expr, Expr] = {}
    for node in postorder(*roots):
        if node.op == "symbol":
            done[node] = direction.get(node.name, ZERO)
        elif node.op == "number" or node.op in _FLAT:
            done[node] = ZERO
        else:
            slopes = _slopes(node, lambda c: done[c] is not ZERO)
            pairs = zip(node.args, slopes, strict=True)
            done[node] = add(*(mul(slope, done[child]) for child, slope in pairs if slope is not None))
    return [done[root] for root in roots]


def _slopes(node: Expr, varies: Callable[[Expr], bool]) -> list[Expr | None]:
    """The partial derivative of a node with respect to each argument; None where that is not needed
    because the argument does not vary, or is a condition."""
    args = node.args
    moving = [varies(child) for child in args]
    if node.op == "piecewise":
        return _piecewise_slopes(args, moving)
    if node.op in ("min", "max"):
        relation = "le" if node.op == "min" else "ge"
        return [_wins(args, i, relation) if m else None for i, m in enumerate(moving)]
    if node.op not in _RULES:
        raise CompileError(f"{node.op}() has no derivative and must be replaced before compiling")
    rule = _RULES[node.op]
    return [rule(node, i) if m else None for i, m in enumerate(moving)]


def _piecewise_slopes(args: tuple[Expr, ...], moving: list[bool]) -> list[Expr | None]:
    conditions = args[1:-1:2]
    slopes: list[Expr | None] = [None] * len(args)
    for i in range(0, len(args), 2):
        if not moving[i]:
            continue
        k = i // 2
        earlier = [(ZERO, c) for c in conditions[:k]]
        own = [(ONE, conditions[k])] if k < len(conditions) else []
        slopes[i] = piecewise(*earlier, *own, otherwise=ZERO if own else ONE)
    return slopes


def _wins(args: tuple[Expr, ...], i: int, relation: str) -> Expr:
    """1 where argument i is the extreme one; of equal arguments the first counts."""
    strict = {"le": "lt", "ge": "gt"}[relation]
    tests = [call(strict if j < i else relation, args[i], other) for j, other in enumerate(args) if j != i]
    condition = call("and", *tests) if len(tests) > 1 else tests[0] if tests else ONE
    return piecewise((ONE, condition), otherwise=ZERO)


def _of_product(node: Expr, i: int) -> Expr:
    rest = (*node.args[:i], *node.args[i + 1 :])  # still in order
    return rest[0] if len(rest) == 1 else Expr("mul", rest)


def _of_power(node: Expr, i: int) -> Expr:
    base, exponent = node.args
    if i == 0:
        return mul(exponent, power(base, add(exponent, -1)))
    # x^n ln x -> 0 as x -> 0+ for n > 0: said explicitly, or it would be 0 * -inf
    return piecewise((mul(node, call("ln", base)), call("gt", base, 0)), otherwise=ZERO)


def _of_factorial(node: Expr, i: int) -> Expr:
    """x! psi(x + 1), the digamma function by recurrence and its asymptotic series
    (Abramowitz & Stegun 1964, 6.3.5 and 6.3.18)."""
    x = node.args[i]
    z = add(x, 1 + _DIGAMMA_SHIFT)
    inverse_square = power(z, -2)
    series = mul(
        inverse_square,
        add(
            number(-1 / 12), mul(inverse_square, add(number(1 / 120), mul(number(-1 / 252), inverse_square)))
        ),
    )
    shifted = [mul(-1, power(add(x, 1 + k), -1)) for k in range(_DIGAMMA_SHIFT)]
    return mul(node, add(call("ln", z), mul(-0.5, power(z, -1)), series, *shifted))


def _one_minus_square(x: Expr) -> Expr:
    return add(1, mul(-1, power(x, 2)))


_RULES: dict[str, Callable[[Expr, int], Expr]] = {
    "add": lambda n, i: ONE,
    "mul": _of_product,
    "pow": _of_power,
    "exp": lambda n, i: n,
    "ln": lambda n, i: power(n.args[0], -1),
    "sqrt": lambda n, i: mul(0.5, power(n, -1)),
    "abs": lambda n, i: piecewise(
        (ONE, call("gt", n.args[0], 0)), (number(-1), call("lt", n.args[0], 0)), otherwise=0
    ),
    "factorial": _of_factorial,
    "sin": lambda n, i: call("cos", n.args[0]),
    "cos": lambda n, i: mul(-1, call("sin", n.args[0])),
    "tan": lambda n, i: add(1, power(n, 2)),
    "asin": lambda n, i: power(call("sqrt", _one_minus_square(n.args[0])), -1),
    "acos": lambda n, i: mul(-1, power(call("sqrt", _one_minus_square(n.args[0])), -1)),
    "atan": lambda n, i: power(add(1, power(n.args[0], 2)), -1),
    "sinh": lambda n, i: call("cosh", n.args[0]),
    "cosh": lambda n, i: call("sinh", n.args[0]),
    "tanh": lambda n, i: _one_minus_square(n),
    "asinh": lambda n, i: power(call("sqrt", add(1, power(n.args[0], 2))), -1),
    "acosh": lambda n, i: power(call("sqrt", add(-1, power(n.args[0], 2))), -1),
    "atanh": lambda n, i: power(_one_minus_square(n.args[0]), -1),
    "rem": lambda n, i: ONE if i == 0 else mul(-1, call("quotient", *n.args)),
}
