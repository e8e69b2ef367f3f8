"""What `model.toml` says of a shipped model: citation, provenance of every constant, and claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cascades.errors import ModelError, UnknownName
from cascades.library import description

STATUSES = ("published", "derived", "assumed", "tuned")
_CLAIM_FIELDS = (
    "name",
    "measure",
    "expected",
    "tolerance",
    "relative_tolerance",
    "standard_error",
    "source",
    "known_failure",
    "tuned",
)


@dataclass(frozen=True)
class Provenance:
    """Where a constant comes from.

    status : "published", "derived" (computed from published numbers), "tuned" (and `source` says
        against what), or "assumed".
    """

    id: str
    source: str
    status: str = "published"
    preparation: str = ""
    temperature: str = ""


@dataclass(frozen=True)
class Claim:
    """A number that the model should give.

    expected : one number or a sequence
    tolerance, relative_tolerance, standard_error : of each expected number; exactly one of the three
        is given.  With standard errors the claim holds within two of them.
    arguments : of the measure
    tuned : whether constants of the model were set against it; a claim that was not judges the model
    """

    name: str
    measure: str
    expected: tuple[float, ...]
    source: str
    arguments: Mapping[str, Any]
    tolerance: tuple[float, ...] | None = None
    relative_tolerance: tuple[float, ...] | None = None
    standard_error: tuple[float, ...] | None = None
    known_failure: str = ""
    tuned: bool = False


@dataclass(frozen=True)
class Drug:
    """A drug leaves 1 / (1 + dose / half) of what `port` stands for.

    half, usual, highest : doses [uM] that leave a half, that experiments use, and that make sense
    """

    port: str
    half: float
    usual: float
    highest: float
    source: str


@dataclass(frozen=True)
class Tone:
    """A neuromodulator: the values of inputs without it and at full tone."""

    rest: Mapping[str, float]
    full: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Q10:
    """Constants that warm together: `rates` grow by the factor `q10` per 10 degrees, `times` shrink."""

    q10: float
    source: str
    rates: tuple[str, ...] = ()
    times: tuple[str, ...] = ()


@dataclass(frozen=True)
class Temperature:
    """What temperature [degrees C] does to a model whose constants hold at `reference`."""

    reference: float
    lowest: float
    highest: float
    groups: Mapping[str, Q10]


@dataclass(frozen=True)
class ModelCard:
    """The parsed `model.toml` of a shipped model.

    sets : named sets of parameter values that the paper gives beside the default one
    patches : named changes of parameter values: another form, a drug, a temperature
    drugs, tones, temperature : what `cascades.pharmacology` makes stimuli and patches of
    conserved : name of a total -> weights of species in it
    """

    name: str
    title: str
    citation: str
    doi: str
    module: str
    notes: str = ""
    annotations: tuple[str, ...] = ()
    parameters: Mapping[str, Provenance] = field(default_factory=dict)
    sets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    patches: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    conserved: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    drugs: Mapping[str, Drug] = field(default_factory=dict)
    tones: Mapping[str, Tone] = field(default_factory=dict)
    temperature: Temperature | None = None

    def values(self, name: str) -> Mapping[str, float]:
        """The parameter values of a set or a patch.  Raises UnknownName."""
        known = {**self.sets, **self.patches}
        if name not in known:
            raise UnknownName("parameter set or patch", name, known)
        return known[name]


def model_card(name: str) -> ModelCard:
    """The card of a shipped model.

    Raises UnknownName for a model that is not shipped, ModelError naming every ill-formed entry.
    """
    table = description(name)
    problems: list[str] = [f"no {key!r}" for key in ("title", "citation", "module") if not table.get(key)]
    parameters = {
        key: found
        for key, entry in table.get("parameters", {}).items()
        if (found := _provenance(key, entry, problems)) is not None
    }
    claims = [_claim(entry, problems) for entry in table.get("claims", [])]
    drugs = _entries(Drug, "drug", table.get("drugs", {}), problems)
    tones = _entries(Tone, "tone", table.get("tones", {}), problems)
    temperature = _temperature(table.get("temperature"), problems)
    if problems:
        raise ModelError(f"{name}/model.toml", problems)
    return ModelCard(
        name=name,
        title=table["title"],
        citation=table["citation"],
        doi=table.get("doi", ""),
        module=table["module"],
        notes=table.get("notes", "").strip(),
        annotations=tuple(table.get("annotations", ())),
        parameters=parameters,
        sets=table.get("sets", {}),
        patches=table.get("patches", {}),
        conserved=table.get("conserved", {}),
        claims=tuple(claim for claim in claims if claim is not None),
        drugs=drugs,
        tones=tones,
        temperature=temperature,
    )


def _entries(kind: type, what: str, table: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Records of one kind by name; what is missing or too much is added to `problems`."""
    found = {}
    for name, entry in table.items():
        try:
            found[name] = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})
        except TypeError as error:
            problems.append(f"{what} {name}: {error}")
    return found


def _temperature(table: Mapping[str, Any] | None, problems: list[str]) -> Temperature | None:
    if table is None:
        return None
    groups = {name: entry for name, entry in table.items() if isinstance(entry, Mapping)}
    numbers = {name: entry for name, entry in table.items() if name not in groups}
    try:
        return Temperature(**numbers, groups=_entries(Q10, "temperature group", groups, problems))
    except TypeError as error:
        problems.append(f"temperature: {error}")
        return None


def _provenance(key: str, entry: Mapping[str, Any], problems: list[str]) -> Provenance | None:
    status = entry.get("status", "published")
    if status not in STATUSES:
        problems.append(f"parameter {key}: status is {status!r}; it can be {', '.join(STATUSES)}")
        return None
    if not entry.get("source"):
        problems.append(f"parameter {key}: no source")
        return None
    texts = {part: str(entry[part]) for part in ("preparation", "temperature") if part in entry}
    return Provenance(key, entry["source"], status, **texts)


def _claim(entry: Mapping[str, Any], problems: list[str]) -> Claim | None:
    name = entry.get("name", "(a claim without a name)")
    missing = [key for key in ("name", "measure", "expected", "source") if not _is_given(entry, key)]
    given = [key for key in ("tolerance", "relative_tolerance", "standard_error") if key in entry]
    if missing:
        problems.append(f"claim {name}: no {', '.join(missing)}")
    if len(given) != 1:
        problems.append(
            f"claim {name}: one of tolerance, relative_tolerance, standard_error is needed, not {given}"
        )
    if missing or len(given) != 1:
        return None
    expected = _numbers(entry["expected"])
    widths = {given[0]: _numbers(entry[given[0]], len(expected))}
    if len(widths[given[0]]) != len(expected):
        problems.append(f"claim {name}: {given[0]} has another length than expected")
        return None
    arguments = {key: value for key, value in entry.items() if key not in _CLAIM_FIELDS}
    return Claim(
        name, entry["measure"], expected, entry["source"], arguments,
        known_failure=entry.get("known_failure", ""), tuned=entry.get("tuned", False), **widths,
    )  # fmt: skip


def _is_given(entry: Mapping[str, Any], key: str) -> bool:
    return key in entry and entry[key] not in ("", [])


def _numbers(value: Any, length: int = 1) -> tuple[float, ...]:
    """A number as a sequence of `length`, a sequence as it is."""
    if isinstance(value, (int, float)):
        return (float(value),) * length
    return tuple(float(v) for v in value)
