"""`cite`: BibTeX of what was really used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cascades.errors import UnknownName


@dataclass(frozen=True)
class Reference:
    """A publication; `text` is "Authors (year) Title. Place"."""

    text: str
    doi: str = ""

    @property
    def key(self) -> str:
        """The first author's name and the year."""
        author = re.match(r"[^\s,(]+", self.text)
        return f"{author[0].lower() if author else 'anonymous'}{_year(self.text)}"

    def bibtex(self, key: str) -> str:
        fields = {**_parts(self.text), "doi": self.doi}
        kind = "article" if "journal" in fields else "misc"
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


CASCADES = Reference(
    "The cascades authors (2026) cascades: from dendritic spine biochemistry to a learning rule to a network"
)
RULE = Reference(
    "Graupner M, Brunel N (2012) Calcium-based plasticity model explains sensitivity of synaptic changes to "
    "spike pattern, rate, and dendritic location. Proc Natl Acad Sci USA 109:3991-3996",
    "10.1073/pnas.1109359109",
)
_SCIPY = Reference(
    "Virtanen P, Gommers R, Oliphant TE, et al (2020) SciPy 1.0: fundamental algorithms for scientific "
    "computing in Python. Nat Methods 17:261-272",
    "10.1038/s41592-019-0686-2",
)
SOLVERS: dict[str, tuple[Reference, ...]] = {
    "lsoda": (
        _SCIPY,
        Reference(
            "Petzold L (1983) Automatic selection of methods for solving stiff and nonstiff systems of "
            "ordinary differential equations. SIAM J Sci Stat Comput 4:136-148",
            "10.1137/0904010",
        ),
    ),
    "bdf": (_SCIPY,),
    "radau": (_SCIPY,),
    "cvode": (
        Reference(
            "Somogyi ET, Bouteiller JM, Glazier JA, et al (2015) libRoadRunner: a high performance SBML "
            "simulation and analysis library. Bioinformatics 31:3315-3321",
            "10.1093/bioinformatics/btv363",
        ),
        Reference(
            "Hindmarsh AC, Brown PN, Grant KE, et al (2005) SUNDIALS: suite of nonlinear and "
            "differential/algebraic equation solvers. ACM Trans Math Softw 31:363-396",
            "10.1145/1089014.1089020",
        ),
    ),
    "rodas5p": (
        Reference(
            "Steinebach G (2023) Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks "
            "within the Julia Differential Equations package. BIT Numer Math 63:27",
            "10.1007/s10543-023-00967-x",
        ),
    ),
}


def cite(*objects: Any) -> str:
    """The BibTeX of the package and of what the objects were made with.

    Parameters
    ----------
    objects : library names, models, compiled models, trajectories, rules, ladders of rules
        Whatever carries the name of a shipped model or a solver; other objects add nothing.
    """
    found = dict.fromkeys([CASCADES, *(reference for thing in objects for reference in _of(thing))])
    entries, taken = [], set()
    for reference in found:
        key = next(k for k in _keys(reference.key) if k not in taken)
        taken.add(key)
        entries.append(reference.bibtex(key))
    return "\n\n".join(entries)


def _of(thing: Any) -> Iterator[Reference]:
    if isinstance(thing, str):
        yield from _shipped(thing)
        return
    if hasattr(thing, "theta_d"):
        yield RULE
    model = getattr(thing, "model", None)
    yield from _shipped(getattr(thing, "id", None) or getattr(model, "id", None))
    provenance = getattr(thing, "provenance", None)
    if isinstance(provenance, Mapping):
        yield from _shipped(provenance.get("model"))
        yield from SOLVERS.get(str(provenance.get("solver")).lower(), ())
        if provenance.get("set") is not None and not hasattr(thing, "theta_d"):
            yield RULE
    for level in getattr(thing, "levels", ()):
        yield from _of(getattr(level, "rule", None))


def _shipped(name: Any) -> Iterator[Reference]:
    from cascades.library import description

    try:
        table = description(str(name))
    except UnknownName:
        return
    parts = table.get("parts", ())
    if not parts or _year(table["citation"]):  # what was only composed here is cited by its parts
        yield Reference(table["citation"], table.get("doi", ""))
    for part in parts:
        yield from _shipped(part)


def _year(text: str) -> str:
    found = re.search(r"\((\d{4})\)", text)
    return found[1] if found else ""


def _parts(text: str) -> dict[str, str]:
    """Author, year, title and place of "Authors (year) Title. Place; remark"."""
    text, _, remark = text.partition(";")
    match = re.match(
        r"(?P<authors>.+?) \((?P<year>\d{4})\) (?P<title>.+?)(?:\. (?P<place>[^.]+))?\.?$", text.strip()
    )
    if not match:
        return {"title": text.strip(), "note": remark.strip()}
    place = re.match(r"(?P<journal>.+?) (?P<volume>\d+):(?P<pages>.+)$", match["place"] or "")
    fields = {"author": _authors(match["authors"]), "year": match["year"], "title": f"{{{match['title']}}}"}
    if place:
        fields |= {
            "journal": place["journal"],
            "volume": place["volume"],
            "pages": place["pages"].replace("-", "--"),
        }
    elif match["place"]:
        fields["howpublished"] = match["place"]
    return fields | ({"note": remark.strip()} if remark else {})


def _authors(text: str) -> str:
    """ "Graupner M, Brunel N" as "Graupner, M. and Brunel, N."."""
    people = []
    for person in text.replace(" & ", ", ").split(", "):
        if person.startswith("et al"):
            people.append("others")
            continue
        match = re.match(r"(.+) ([A-Z]{1,4})$", person)
        people.append(
            f"{match[1]}, {' '.join(f'{letter}.' for letter in match[2])}" if match else f"{{{person}}}"
        )
    return " and ".join(people)


def _keys(key: str) -> Iterator[str]:
    yield key
    yield from (f"{key}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
