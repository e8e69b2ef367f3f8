"""Every shipped model: well formed, sourced, conserving, solvable by independent codes, and as claimed."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

import numpy as np
import pytest

from cascades.card import ModelCard, model_card
from cascades.claims import check_claim
from cascades.claims.check import subject_of
from cascades.claims.subject import Subject
from cascades.library import generated, load_model, model_names, root
from cascades.model import AlgebraicRule, Model
from cascades.protocols import Protocol, overlay, pulse_train, setting
from cascades.simulate import simulate

AGREEMENT = 1e-6  # of independent solvers, relative to the largest value of each state
COMPOSED = ("spine_cascades",)  # made of other models, not published by anyone else
SAMPLES = 101  # enough to see the peaks after spikes, to which differences are relative
NOTHING = 1e-12  # of the largest state: smaller states are compared with this
CONSERVATION = 1e-12  # relative to the sum of the absolute terms
NAMES = model_names()
CLAIMS = [(name, i) for name in NAMES for i in range(len(model_card(name).claims))]


@functools.cache
def subject(name: str) -> Subject:
    return subject_of(name)


def model_of(name: str) -> Model:
    return load_model(name)


def text_of(name: str, file: str) -> str:
    return (root() / name / file).read_text(encoding="utf-8")


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def card(name) -> ModelCard:
    return model_card(name)


def test_the_folder_is_named_after_subject_author_and_year(name, card):
    if name in COMPOSED:
        assert model_of(name).id == name
        return
    subject_and_author, year = re.fullmatch(r"([a-z0-9_]+)_(\d{4})", name).groups()
    assert f"({year})" in card.citation
    assert "_" in subject_and_author
    assert model_of(name).id == name
    assert card.doi


def test_the_sbml_is_in_step_with_its_source(name):
    folder = Path(os.fspath(root() / name))
    assert generated(folder) == text_of(name, "model.xml"), "run python -m cascades.library"


def test_libsbml_finds_no_inconsistency_and_no_doubtful_unit(name):
    libsbml = pytest.importorskip("libsbml")
    document = libsbml.readSBMLFromString(text_of(name, "model.xml"))
    document.checkConsistency()
    messages = [document.getError(i).getMessage() for i in range(document.getNumErrors())]
    assert messages == []
    assert (document.getLevel(), document.getVersion()) == (3, 2)


def test_every_element_has_a_term_and_every_species_an_identity(name):
    libsbml = pytest.importorskip("libsbml")
    document = libsbml.readSBMLFromString(text_of(name, "model.xml"))
    model = document.getModel()
    elements = [
        *model.getListOfSpecies(),
        *model.getListOfReactions(),
        *model.getListOfParameters(),
        *model.getListOfCompartments(),
    ]
    assert [e.getId() for e in elements if not e.isSetSBOTerm()] == []
    assert model.getNumCVTerms() > 0
    anonymous = [s.getId() for s in model.getListOfSpecies() if s.getNumCVTerms() == 0]
    assert len(anonymous) <= 0.5 * model.getNumSpecies()  # buffers and lumped pools have none


def test_every_constant_has_a_source(name, card):
    model = model_of(name)
    named = {p.id for p in (*model.parameters, *model.compartments)}
    ruled = {rule.variable for rule in model.rules if not isinstance(rule, AlgebraicRule)}
    assert sorted(named - ruled - set(card.parameters)) == []
    assert sorted(set(card.parameters) - named) == []


def test_every_port_leads_somewhere(name):
    compiled = subject(name).compiled
    model = model_of(name)
    assert any(port.kind != "output" for port in model.ports)
    assert any(port.kind == "output" for port in model.ports)
    for port in model.ports:
        known = {
            "spike": compiled.state_names,
            "input": (*compiled.parameter_names, *compiled.state_names),
            "output": (*compiled.state_names, *compiled.parameter_names, *compiled.equations.observables),
        }[port.kind]
        assert port.symbol in known, port
        assert isinstance(port.jump, float | int) or port.jump in compiled.parameter_names, port
        assert port.unit
        assert port.description


def test_every_set_and_patch_names_parameters(name, card):
    known = set(subject(name).compiled.parameter_names)
    for values in (*card.sets.values(), *card.patches.values()):
        assert set(values) <= known


def random_states(compiled, count: int = 5) -> np.ndarray:
    generator = np.random.default_rng(0)
    start = compiled.initial_array(compiled.parameter_array(None))[0]
    scale = np.where(start > 0.0, start, np.median(start[start > 0.0]) if (start > 0.0).any() else 1.0)
    return scale * generator.uniform(0.1, 1.0, (count, start.size))


def test_what_is_declared_conserved_is(name, card):
    compiled = subject(name).compiled
    p = compiled.parameter_array(None)[0]
    for total, weights in card.conserved.items():
        w = np.array([weights.get(state, 0.0) for state in compiled.state_names])
        assert np.count_nonzero(w) == len(weights), total
        for y in random_states(compiled):
            terms = w * compiled.rates(y, p)
            assert abs(terms.sum()) <= CONSERVATION * np.abs(terms).sum(), total


def test_what_is_conserved_is_declared(name, card):
    compiled = subject(name).compiled
    found = len(compiled.equations.conserved)
    weights = [[w.get(state, 0.0) for state in compiled.state_names] for w in card.conserved.values()]
    declared = int(np.linalg.matrix_rank(np.array(weights))) if weights else 0
    assert declared == found == len(card.conserved)


def spiking(name: str, duration: float) -> Protocol:
    """Spikes on every spike port and a step of every input that is not zero."""
    model = model_of(name)
    defaults = subject(name).compiled.default_values
    stimuli = [overlay([])]
    for port in model.ports:
        if port.kind == "spike":
            stimuli.append(pulse_train(rate=5.0 / duration, count=3, start=0.1 * duration, target=port.name))
        elif port.kind == "input" and defaults.get(port.symbol):
            value = 1.2 * defaults[port.symbol]
            stimuli.append(setting(port.name, value, start=0.2 * duration, stop=0.5 * duration))
    return overlay(stimuli)


def duration_of(name: str) -> float:
    """Some ten times the fastest resolvable process, at most 100 s."""
    return 1.0 if any(port.kind == "spike" for port in model_of(name).ports) else 50.0


def assert_agree(a: np.ndarray, b: np.ndarray, names: tuple[str, ...]) -> None:
    scale = np.abs(a).max(axis=0)
    worst = np.abs(a - b).max(axis=0) / np.maximum(scale, NOTHING * scale.max())
    assert worst.max() <= AGREEMENT, f"{names[int(worst.argmax())]} differs by {worst.max():.2g}"


def test_scipy_and_libroadrunner_agree(name):
    compiled = subject(name).compiled
    duration = duration_of(name)
    times = np.linspace(0.0, duration, SAMPLES)
    runs = [
        simulate(compiled, times, protocol=spiking(name, duration), solver=solver, rtol=1e-9)
        for solver in ("radau" if len(compiled.state_names) < 100 else "lsoda", "cvode")
    ]
    assert_agree(runs[0].values[0], runs[1].values[0], compiled.state_names)


def test_the_default_solver_agrees_with_libroadrunner(name):
    compiled = subject(name).compiled
    duration = duration_of(name)
    times = np.linspace(0.0, duration, SAMPLES)
    protocol = spiking(name, duration)
    ours = simulate(compiled, times, protocol=protocol, solver="rodas5p", rtol=1e-9)
    theirs = simulate(compiled, times, protocol=protocol, solver="cvode", rtol=1e-9)
    assert_agree(ours.values[0], theirs.values[0], compiled.state_names)


@pytest.mark.parametrize(
    ("name", "index"), CLAIMS, ids=[f"{n}-{model_card(n).claims[i].name}" for n, i in CLAIMS]
)
def test_claim(name, index):
    claim = model_card(name).claims[index]
    result = check_claim(subject(name), claim)
    if claim.known_failure:
        assert not result.holds, f"holds now: take known_failure from {claim.name!r}"
    else:
        assert result.holds, result.reason
