"""Writing SBML: what is read back is the same model, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import libsbml
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cascades.errors import ExportError
from cascades.expression import Expr, add, call, mul, number, piecewise, power, symbol
from cascades.library import load_model, model_names
from cascades.model import AssignmentRule, Model, Parameter, Port
from cascades.sbml.read import read_text
from cascades.sbml.write import to_sbml
from tests.sbml.small_models import model_of

NAMES = ("a", "b", "c")
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


def formulas() -> st.SearchStrategy[Expr]:
    leaves = st.one_of(finite.map(number), st.integers(-9, 9).map(number), st.sampled_from(NAMES).map(symbol))

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        pair, triple = st.tuples(inner, inner), st.tuples(inner, inner, inner)
        condition = st.builds(call, st.sampled_from(("lt", "le", "gt", "ge", "eq", "ne")), inner, inner)
        return st.one_of(
            triple.map(lambda x: add(*x)),
            triple.map(lambda x: mul(*x)),
            pair.map(lambda x: x[0] - x[1]),
            pair.map(lambda x: x[0] / x[1]),
            st.tuples(inner, st.integers(-3, 4)).map(lambda x: power(*x)),
            pair.map(lambda x: power(*x)),
            st.builds(call, st.sampled_from(("exp", "ln", "sqrt", "abs", "floor", "sin", "atanh")), inner),
            st.builds(call, st.sampled_from(("min", "max", "rem", "quotient")), inner, inner),
            st.builds(lambda c, x, y: piecewise((x, c), otherwise=y), condition, inner, inner),
            st.builds(lambda c, d: call("and", c, call("not", d)), condition, condition),
        )

    return st.recursive(leaves, grow, max_leaves=12)


@given(formulas(), st.lists(finite, min_size=3, max_size=3))
@example(number(-0.0), [0.0, 0.0, 0.0])
def test_any_formula_comes_back(formula: Expr, values: list[float]):
    parameters = tuple(Parameter(name, value) for name, value in zip(NAMES, values, strict=True))
    rules = (AssignmentRule("r", formula),)
    model = Model("m", parameters=(*parameters, Parameter("r", is_constant=False)), rules=rules)
    text = to_sbml(model)
    back = read_text(text, "m")
    assert back.rules[0].formula is formula
    assert back.content_hash == model.content_hash
    assert to_sbml(back) == text


MODELS = {
    "reactions": "compartment c = 0.1; species A in c = 1, $B in c = 2; J: 2 A -> B; c * k * A^2; k = 0.3",
    "rules": "x' = -x; x = 1; y := x^2; z = 3 * w; w = 2",
    "events": (
        "x = 1; at 0.5 after time > 1, priority = 3, persistent = false, t0 = false, fromTrigger = false:"
        "x = 2"
    ),
    "units": "unit uM = 1e-6 mole / litre; unit time_unit = second; k = 1e-21; k has uM",
    "delay": "x' = 1; x = 0; y := delay(x, 2) + rateOf(x) + time",
    "stoichiometry": "compartment c; species A in c; J: -> n A; 1; n = 2",
}


@pytest.mark.parametrize("name", MODELS)
def test_every_concept_comes_back(name: str):
    model = model_of(MODELS[name])
    back = read_text(to_sbml(model), "back")
    assert back.content_hash == model.content_hash


@pytest.mark.parametrize("name", model_names())
def test_every_shipped_model_comes_back(name: str):
    model = replace(load_model(name), ports=())
    assert read_text(to_sbml(model), "back").content_hash == model.content_hash


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_is_valid(name: str):
    document = libsbml.readSBMLFromString(to_sbml(model_of(MODELS[name])))
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.checkConsistency()
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    assert [e.getMessage() for e in errors if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR] == []


def test_a_fast_reaction_needs_version_1():
    model = model_of(MODELS["reactions"])
    fast = replace(model, reactions=tuple(replace(one, is_fast=True) for one in model.reactions))
    text = to_sbml(fast)
    assert 'level="3" version="1"' in text
    assert read_text(text, "fast").content_hash == fast.content_hash


def test_annotations_and_terms_come_back():
    model = model_of(MODELS["reactions"])
    species = replace(model.species[0], annotations=("uniprot:P11275", "go:GO:0004683"), sbo="SBO:0000252")
    model = replace(
        model,
        species=(species, *model.species[1:]),
        annotations=("taxonomy:10116", "doi:10.1/x.1"),
    )
    back = read_text(to_sbml(model), "back")
    assert back.annotations == model.annotations
    assert (back.species[0].annotations, back.species[0].sbo) == (species.annotations, species.sbo)


def test_ports_are_no_part_of_sbml():
    model = replace(model_of(MODELS["rules"]), ports=(Port("x", "x", "output"),))
    assert to_sbml(model) == to_sbml(replace(model, ports=()))


def test_text_with_special_characters_is_escaped():
    model = replace(model_of("k = 1"), name='a "name" <with> & more')
    assert read_text(to_sbml(model), "back").name == model.name


def test_a_formula_that_would_fill_the_memory_is_not_written():
    formula = symbol("k")
    for _ in range(60):
        formula = call("sin", formula) * call("cos", formula)
    model = Model("m", parameters=(Parameter("k", 1.0), Parameter("r", is_constant=False)))
    with pytest.raises(ExportError, match="rule for r"):
        to_sbml(replace(model, rules=(AssignmentRule("r", formula),)))
