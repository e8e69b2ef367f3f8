"""Function definitions: read once, replaced by their bodies wherever they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascades.expression import Expr, substitute, symbol

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


def read_functions(model: Any, reading: Reading) -> None:
    """Fill `reading.functions`, in the order in which definitions use each other."""
    from cascades.sbml.formulas import called_functions, read_formula

    waiting: dict[str, Any] = {}
    for definition in model.getListOfFunctionDefinitions():
        if definition.isSetMath():
            waiting[definition.getId()] = definition
    calls = {name: called_functions(one.getMath()) for name, one in waiting.items()}
    while waiting:
        ready = [name for name in waiting if not calls[name] & waiting.keys()]
        if not ready:
            for name in waiting:
                reading.problem(name, "a function that calls itself")
            return
        for name in ready:
            math = waiting.pop(name).getMath()
            reading.functions[name] = _function(name, math, reading, read_formula)


def _function(name: str, math: Any, reading: Reading, read_formula: Any) -> Function:
    count = math.getNumChildren() - 1
    arguments = {math.getChild(i).getName(): f"{name}({i})" for i in range(count)}
    body = read_formula(math.getChild(count), reading, f"function {name}", _symbols(arguments))
    return Function(name, tuple(arguments.values()), body)


def _symbols(names: Mapping[str, str]) -> dict[str, Expr]:
    return {name: symbol(hidden) for name, hidden in names.items()}
