"""A look at an untrusted file before libsbml parses it.

libsbml expands entities and recurses as deep as the file nests; expat here does neither, and stops
at the first element that is too deep or has too many parts.
"""

from __future__ import annotations

from xml.parsers import expat

from cascades.errors import ModelError

MAX_DEPTH = 400  # formulas of people nest some tens of levels deep
MAX_BYTES = 64_000_000
MAX_ELEMENTS = 500_000  # libsbml needs about a kilobyte for each
MAX_ARGUMENTS = 20_000  # of one operator: libsbml recurses over them and dies of some 100,000


_OPERATORS = ("apply", "piecewise", "lambda")


class _Refused(Exception):
    pass


def check_size(n_bytes: int, source: str) -> None:
    """Raises ModelError for a file that is too large."""
    if n_bytes > MAX_BYTES:
        raise ModelError(source, [f"the file has {n_bytes} bytes; at most {MAX_BYTES} are read"])


def check(content: bytes, source: str) -> None:
    """Raises ModelError for what is not XML, declares entities, nests too deep or is too large."""
    check_size(len(content), source)
    parser = expat.ParserCreate()
    elements = 0
    parts = [0]  # of every open element

    def start(name: str, _: object) -> None:
        nonlocal elements
        elements += 1
        parts[-1] += 1
        parts.append(0)
        depth = len(parts) - 1
        if depth > MAX_DEPTH:
            raise _Refused(f"line {parser.CurrentLineNumber}: <{name}> is nested more than {MAX_DEPTH} deep")
        if elements > MAX_ELEMENTS:
            raise _Refused(f"more than {MAX_ELEMENTS} elements")

    def end(name: str) -> None:
        if parts.pop() > MAX_ARGUMENTS and name.rpartition(":")[2] in _OPERATORS:
            raise _Refused(f"line {parser.CurrentLineNumber}: <{name}> has more than {MAX_ARGUMENTS} parts")

    def refuse_entity(name: str, *_: object) -> None:
        raise _Refused(
            f"line {parser.CurrentLineNumber}: declares the entity {name!r}; entities are not read"
        )

    def refuse_doctype(*_: object) -> None:
        raise _Refused(f"line {parser.CurrentLineNumber}: has a document type declaration; SBML has none")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = refuse_entity
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(content, True)
    except _Refused as refused:
        raise ModelError(source, [str(refused)]) from None
    except expat.ExpatError as failure:
        raise ModelError(source, [f"is not XML: {failure}"]) from None
