"""SBO terms and MIRIAM annotations.

An annotation is written `collection:identifier` (`uniprot:P11275`, `go:GO:0004683`) and stands in
the file as the resource `https://identifiers.org/collection/identifier`.  A species *is* what it
names; a model has a taxon, is described by a publication, and has everything else as a property.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import libsbml

_PLACES = re.compile(r"^(?:https?://identifiers\.org/|urn:miriam:)(.+)$")
_QUALIFIERS = {
    "taxonomy": "bqbiol:hasTaxon",
    "doi": "bqmodel:isDescribedBy",
    "pubmed": "bqmodel:isDescribedBy",
}
_NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "bqbiol": "http://biomodels.net/biology-qualifiers/",
    "bqmodel": "http://biomodels.net/model-qualifiers/",
}


def read_sbo(element: Any) -> str:
    return element.getSBOTermID() if element.isSetSBOTerm() else ""


def read_annotations(element: Any) -> tuple[str, ...]:
    """The resources that the element is, as `collection:identifier`; of a model, all resources."""
    if not element.isSetAnnotation():
        return ()
    of_model = isinstance(element, libsbml.Model)
    found = []
    for i in range(element.getNumCVTerms()):
        term = element.getCVTerm(i)
        is_it = (
            term.getQualifierType() == libsbml.BIOLOGICAL_QUALIFIER
            and term.getBiologicalQualifierType() == libsbml.BQB_IS
        )
        if of_model or is_it:
            found += [_short(term.getResourceURI(k)) for k in range(term.getNumResources())]
    return tuple(found)


def annotation_lines(identifier: str, annotations: Sequence[str], of_model: bool = False) -> Iterator[str]:
    """The `annotation` element of the element with this metaid; nothing without annotations."""
    if not annotations:
        return
    spaces = " ".join(f'xmlns:{prefix}="{place}"' for prefix, place in _NAMESPACES.items())
    yield "<annotation>"
    yield f"  <rdf:RDF {spaces}>"
    yield f'    <rdf:Description rdf:about="#{identifier}">'
    for annotation in annotations:
        collection, _, identifier_ = annotation.partition(":")
        qualifier = _QUALIFIERS.get(collection, "bqbiol:hasProperty") if of_model else "bqbiol:is"
        resource = quoteattr(f"https://identifiers.org/{collection}/{identifier_}")
        if annotation.startswith(("http://", "https://", "urn:")):
            resource = quoteattr(annotation)
        item = f"<rdf:li rdf:resource={resource}/>"
        yield f"      <{qualifier}><rdf:Bag>{item}</rdf:Bag></{qualifier}>"
    yield "    </rdf:Description>"
    yield "  </rdf:RDF>"
    yield "</annotation>"


def _short(resource: str) -> str:
    match = _PLACES.match(resource)
    if match is None:
        return resource
    rest = match.group(1).replace("%3A", ":")
    collection, slash, identifier = rest.partition("/")
    return f"{collection}:{identifier}" if slash else rest
