"""Expressions: immutable, interned formulas, their numbers and their text."""

from cascades.expression.node import (
    FUNCTIONS as FUNCTIONS,
)
from cascades.expression.node import (
    LOGIC as LOGIC,
)
from cascades.expression.node import (
    ONE as ONE,
)
from cascades.expression.node import (
    OPERATORS as OPERATORS,
)
from cascades.expression.node import (
    RELATIONS as RELATIONS,
)
from cascades.expression.node import (
    TIME as TIME,
)
from cascades.expression.node import (
    ZERO as ZERO,
)
from cascades.expression.node import (
    Expr as Expr,
)
from cascades.expression.node import (
    ExprLike as ExprLike,
)
from cascades.expression.node import (
    Number as Number,
)
from cascades.expression.node import (
    add as add,
)
from cascades.expression.node import (
    as_expr as as_expr,
)
from cascades.expression.node import (
    call as call,
)
from cascades.expression.node import (
    children as children,
)
from cascades.expression.node import (
    evaluate as evaluate,
)
from cascades.expression.node import (
    evaluator as evaluator,
)
from cascades.expression.node import (
    flatten as flatten,
)
from cascades.expression.node import (
    free_symbols as free_symbols,
)
from cascades.expression.node import (
    make as make,
)
from cascades.expression.node import (
    mul as mul,
)
from cascades.expression.node import (
    number as number,
)
from cascades.expression.node import (
    piecewise as piecewise,
)
from cascades.expression.node import (
    postorder as postorder,
)
from cascades.expression.node import (
    power as power,
)
from cascades.expression.node import (
    substitute as substitute,
)
from cascades.expression.node import (
    symbol as symbol,
)
from cascades.expression.sympy_bridge import from_sympy as from_sympy
from cascades.expression.sympy_bridge import to_sympy as to_sympy
from cascades.expression.text import to_text as to_text
