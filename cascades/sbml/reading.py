"""What is found while a file is read: definitions that later parts need, and everything wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cascades.errors import ModelError, UnsupportedFeature
from cascades.sbml.functions import Function

MAX_PARTS = 100_000


@dataclass
class Reading:
    """The state of one reading.  Problems are collected, so that all of them are reported at once."""

    source: str
    functions: dict[str, Function] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    parts: int = 0

    def problem(self, element: str, what: str) -> None:
        self.problems.append(f"{element}: {what}")

    def refuse(self, element: str, what: str) -> None:
        self.unsupported.append(f"{element}: {what}")

    def put_in(self, parts: int) -> None:
        """Count the parts of a function's body that is put into a formula.

        Raises ModelError where functions of functions would fill the memory.
        """
        self.parts += parts
        if self.parts > MAX_PARTS:
            raise ModelError(
                self.source, [f"functions that call functions unfold to more than {MAX_PARTS} parts"]
            )

    def finish(self) -> None:
        """Raises ModelError or UnsupportedFeature if anything was found."""
        if self.problems:
            raise ModelError(self.source, _distinct(self.problems))
        if self.unsupported:
            raise UnsupportedFeature(self.source, _distinct(self.unsupported))


def _distinct(sentences: list[str]) -> list[str]:
    return list(dict.fromkeys(sentences))
