"""Calcium sensors: through which formulas does calcium act, and may fast calcium be averaged in them?

A sensor is a maximal subexpression of calcium that holds no state.  Where the rates are affine in the
sensors (no product of two, no sensor inside a nonlinear function together with a state) and states are
slow against calcium, first-order averaging is exact when each sensor is replaced by its mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cascades.compiler.derivatives import gradients
from cascades.expression import Expr, add, children, free_symbols, make, mul, postorder, symbol


@dataclass(frozen=True, eq=False)
class Sensors:
    """`formulas` of calcium and parameters, by `names`; `rates` with the sensors as symbols."""

    names: tuple[str, ...]
    formulas: tuple[Expr, ...]
    rates: tuple[Expr, ...]

    @property
    def is_affine(self) -> bool:
        """Whether every rate is a sum of a sensor-free part and sensors times sensor-free factors."""
        slopes = gradients(self.rates, self.names)
        return not any(free_symbols(*row.values()) & set(self.names) for row in slopes if row)


def sensors(rates: Iterable[Expr], calcium: str, state_names: Sequence[str]) -> Sensors:
    """The sensors of these rates; one walk over the shared formulas, milliseconds for 230 states."""
    rates = list(rates)
    states = set(state_names)
    found: dict[Expr, str] = {}
    has_calcium: dict[Expr, bool] = {}
    has_state: dict[Expr, bool] = {}
    done: dict[Expr, Expr] = {}

    def uses(formula: Expr) -> bool:
        return has_calcium[formula] if formula in has_calcium else calcium in free_symbols(formula)

    def sensor(formula: Expr) -> Expr:
        """The symbol of a sensor; terms and factors without calcium stay outside, and sums are taken
        apart, so that multiples and offsets of one sensor are one."""
        if formula.op == "add":
            return add(*(sensor(a) if uses(a) else a for a in formula.args))
        factor = [a for a in formula.args if not uses(a)] if formula.op == "mul" else []
        core = mul(*(a for a in formula.args if uses(a))) if factor else formula
        name = found.setdefault(core, f"sensor:{len(found)}")
        return mul(*factor, symbol(name))

    def as_sensor(node: Expr) -> bool:
        return has_calcium[node] and not has_state[node]

    for node in postorder(*rates):
        below = children(node)
        has_calcium[node] = node is symbol(calcium) or any(has_calcium[a] for a in below)
        has_state[node] = (node.is_symbol and node.name in states) or any(has_state[a] for a in below)
        if not (has_calcium[node] and has_state[node]):
            done[node] = node
            continue
        free = [a for a in below if as_sensor(a)]
        if node.op == "mul" and free:
            rest = [done[a] for a in below if not as_sensor(a)]
            done[node] = mul(sensor(mul(*free)), *rest)
        elif node.op == "add":
            done[node] = add(*(sensor(a) if as_sensor(a) else done[a] for a in below))
        else:
            done[node] = make(node.op, [sensor(a) if as_sensor(a) else done[a] for a in below])
    replaced = tuple(sensor(rate) if as_sensor(rate) else done[rate] for rate in rates)
    return Sensors(tuple(found.values()), tuple(found), replaced)
