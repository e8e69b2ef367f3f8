"""Where formulas jump."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

from cascades.expression import RELATIONS, Expr, add, call, mul, postorder


def boundaries(formulas: Iterable[Expr]) -> tuple[Expr, ...]:
    """Functions whose zeros are the places where a formula may jump, each once.

    Of a relation a < b it is a - b; of floor, ceil, quotient and rem a sine with zeros at the integers.
    """
    found: dict[Expr, None] = {}
    for node in postorder(*formulas):
        if node.op in RELATIONS:
            for left, right in pairwise(node.args):
                found[add(left, mul(-1.0, right))] = None
        elif node.op in ("floor", "ceil"):
            found[_integers(node.args[0])] = None
        elif node.op in ("quotient", "rem"):
            found[_integers(node.args[0] / node.args[1])] = None
    return tuple(formula for formula in found if not formula.is_number)


def _integers(formula: Expr) -> Expr:
    return call("sin", mul(math.pi, formula))
