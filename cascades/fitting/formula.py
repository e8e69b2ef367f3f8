"""Formulas that are evaluated over and over, with their derivatives.

The graph is walked once; after that a formula is a list of operations over slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cascades.compiler.derivatives import gradients
from cascades.expression import Expr, free_symbols, postorder
from cascades.expression.numbers import APPLY

Value = np.ndarray | float
Found = tuple[Value, np.ndarray | None]  # a quantity, and its derivatives along the fitted directions


class Tape:
    """Several formulas as one list of operations; what they share is computed once."""

    def __init__(self, roots: Iterable[Expr]):
        roots = list(roots)
        slot: dict[Expr, int] = {}
        self._template: list[Any] = []
        self.symbols: list[tuple[int, str]] = []
        self._steps: list[tuple[int, Callable[..., Any], tuple[int, ...]]] = []
        for node in postorder(*roots):
            i = slot[node] = len(self._template)
            self._template.append(node.value if node.is_number else None)
            if node.is_symbol:
                self.symbols.append((i, node.name))
            elif not node.is_number:
                self._steps.append((i, APPLY[node.op], tuple(slot[child] for child in node.args)))
        self._roots = [slot[root] for root in roots]

    def __call__(self, value_of: Callable[[str], Value]) -> list[Any]:
        slots = self._template.copy()
        for i, name in self.symbols:
            slots[i] = value_of(name)
        with np.errstate(all="ignore"):
            for i, function, arguments in self._steps:
                slots[i] = function(*[slots[a] for a in arguments])
        return [slots[i] for i in self._roots]


@dataclass(frozen=True, eq=False)
class Formula:
    """A closed formula and its derivatives with respect to the symbols in it."""

    root: Expr

    @cached_property
    def slopes(self) -> dict[str, Expr]:
        return gradients([self.root], sorted(free_symbols(self.root)))[0]

    @cached_property
    def _value(self) -> Tape:
        return Tape([self.root])

    @cached_property
    def _with_slopes(self) -> Tape:
        return Tape([self.root, *self.slopes.values()])

    def value(self, find: Callable[[str], Found]) -> np.ndarray:
        if self.root.is_symbol:
            return np.asarray(find(self.root.name)[0], float)
        return np.asarray(self._value(lambda name: find(name)[0])[0], float)

    def along(self, find: Callable[[str], Found], width: int) -> tuple[np.ndarray, np.ndarray]:
        """Its value, shape (times,) or (), and derivatives along `width` directions, shape (..., width)."""
        if self.root.is_symbol:
            value, slope = find(self.root.name)
            plain = np.asarray(value, float)
            return plain, np.zeros((*plain.shape, width)) if slope is None else slope
        value, *partials = self._with_slopes(lambda name: find(name)[0])
        value = np.asarray(value, float)
        total = np.zeros((*value.shape, width))
        with np.errstate(all="ignore"):  # what is not finite becomes a failure of its experiment
            for name, partial in zip(self.slopes, partials, strict=True):
                slope = find(name)[1]
                if slope is not None:
                    total = total + np.asarray(partial)[..., None] * slope
        return value, total
