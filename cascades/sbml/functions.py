"""Function definitions: read once, replaced by their bodies wherever they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from cascades.expression import Expr, postorder, substitute, symbol

if TYPE_CHECKING:
    from cascades.sbml.reading import Reading


@dataclass(frozen=True)
class Function:
    """A body over argument symbols that no model can contain."""

    id: str
    arguments: tuple[str, ...]
    body: Expr

    def __call__(self, values: Sequence[Expr]) -> Expr:
        return substitute([self.body], dict(zip(self.arguments, values, strict=True)))[0]

    @cached_property
    def size(self) -> int:
        return sum(1 for _ in postorder(self.body))


def read_functions(
    model: Any,
    reading: Reading,
    calls: Callable[[Any], set[str]],
    read_formula: Callable[..., Expr],
) -> None:
    """Fill `reading.functions`, in the order in which definitions use each other.

    `calls` gives the functions that a formula calls.
    """
    found = [model.getFunctionDefinition(i) for i in range(model.getNumFunctionDefinitions())]
    bodies = {one.getId(): one.getMath() for one in found if one.isSetMath()}
    uses = {name: sorted(calls(body) & bodies.keys()) for name, body in bodies.items()}
    try:
        order = list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        reading.problem(f"function {error.args[1][0]}", "calls itself")
        return
    for name in order:
        reading.functions[name] = _function(name, bodies[name], reading, read_formula)


def _function(name: str, lambda_: Any, reading: Reading, read_formula: Callable[..., Expr]) -> Function:
    count = lambda_.getNumChildren() - 1
    hidden = {lambda_.getChild(i).getName(): f"{name}({i})" for i in range(count)}
    symbols = {argument: symbol(new) for argument, new in hidden.items()}
    body = read_formula(lambda_.getChild(count), reading, f"function {name}", symbols)
    return Function(name, tuple(hidden.values()), body)
