"""SBO terms and MIRIAM annotations.

An annotation is written `collection:identifier` (`uniprot:P11275`, `go:GO:0004683`) and stands in
the file as the resource `https://identifiers.org/collection:identifier` under the qualifier `is`.
"""

from __future__ import annotations

import re
from typing import Any

import libsbml

_PLACES = re.compile(r"^(?:https?://identifiers\.org/|urn:miriam:)(.+)$")


def read_sbo(element: Any) -> str:
    return element.getSBOTermID() if element.isSetSBOTerm() else ""


def read_annotations(element: Any) -> tuple[str, ...]:
    """The resources that the element is said to be, as `collection:identifier`."""
    if not element.isSetAnnotation():
        return ()
    found = []
    for term in element.getCVTerms() or ():
        if term.getQualifierType() != libsbml.BIOLOGICAL_QUALIFIER:
            continue
        if term.getBiologicalQualifierType() != libsbml.BQB_IS:
            continue
        found += [_short(term.getResourceURI(i)) for i in range(term.getNumResources())]
    return tuple(found)


def _short(resource: str) -> str:
    match = _PLACES.match(resource)
    if match is None:
        return resource
    rest = match.group(1).replace("%3A", ":")
    collection, slash, identifier = rest.partition("/")
    return f"{collection}:{identifier}" if slash else rest
