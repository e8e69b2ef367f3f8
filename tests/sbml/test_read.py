"""Everything that is wrong with a file is said at once, with the element's id."""

from __future__ import annotations

import numpy as np
import pytest

from cascades.errors import ModelError, UnsupportedFeature
from cascades.sbml.read import read_text
from tests.sbml.small_models import course, math, sbml, sbml_text

SPECIES = (
    '<listOfSpecies><species id="A" compartment="nowhere" hasOnlySubstanceUnits="false" '
    'boundaryCondition="false" constant="false"/></listOfSpecies>'
)


def test_every_problem_is_named_with_its_element():
    rules = (
        f'<listOfRules><rateRule variable="missing">{math("<ci>unknown</ci>")}</rateRule>'
        f'<assignmentRule variable="A">{math("<apply><ci>g</ci><cn>1</cn></apply>")}</assignmentRule>'
        "</listOfRules>"
    )
    reactions = (
        '<listOfReactions><reaction id="J" reversible="false"><listOfReactants>'
        '<speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>'
        f"<kineticLaw>{math('<ci>k</ci>')}</kineticLaw></reaction></listOfReactions>"
    )
    with pytest.raises(ModelError) as caught:
        sbml(SPECIES + rules + reactions)
    assert set(caught.value.problems) == {
        "A: is in compartment 'nowhere', which does not exist",
        "reaction J: refers to species 'B', which does not exist",
        "reaction J: uses 'k', which does not exist",
        "rule for missing: sets 'missing', which does not exist",
        "rule for missing: uses 'unknown', which does not exist",
        "assignment rule for A: calls g, which is not a function with a formula",
    }


def test_every_unsupported_use_is_named():
    packages = "".join(
        f' xmlns:{name}="http://www.sbml.org/sbml/level3/version1/{name}/version1" {name}:required="true"'
        for name in ("comp", "qual")
    )
    text = sbml_text("", version=1).replace(" level=", f"{packages} level=")
    with pytest.raises(UnsupportedFeature) as caught:
        read_text(text, "small")
    assert [p.partition(":")[0] for p in caught.value.problems] == ["package comp", "package qual"]
    assert caught.value.source == "small"


def test_a_package_that_only_draws_is_passed():
    package = "http://www.sbml.org/sbml/level3/version1/layout/version1"
    text = sbml_text("", version=1).replace(
        " level=", f' xmlns:layout="{package}" layout:required="false" level='
    )
    assert read_text(text, "small").id == "small"


def test_an_element_called_time_is_told_from_time():
    """It is renamed wherever it is used, past a name that is taken."""
    csymbol = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>'
    both = f"<apply><times/><ci>time</ci>{csymbol}</apply>"
    model = sbml(
        '<listOfParameters><parameter id="time" value="3" constant="true"/>'
        '<parameter id="time_" value="1" constant="true"/><parameter id="x" constant="false"/>'
        f'</listOfParameters><listOfRules><assignmentRule variable="x">{math(both)}</assignmentRule>'
        "</listOfRules>"
    )
    assert [one.id for one in model.parameters] == ["time__", "time_", "x"]
    np.testing.assert_allclose(course(model, [0.0, 2.0], "x"), [0.0, 6.0])


def test_level_2_is_converted():
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="old">'
        '<listOfCompartments><compartment id="c" size="4"/></listOfCompartments>'
        '<listOfSpecies><species id="A" compartment="c" initialConcentration="2"/></listOfSpecies>'
        '<listOfReactions><reaction id="J" fast="false"><listOfReactants><speciesReference species="A">'
        f"<stoichiometryMath>{math('<cn>3</cn>')}</stoichiometryMath></speciesReference></listOfReactants>"
        f"<kineticLaw>{math('<ci>k</ci>')}<listOfParameters><parameter id='k' value='5'/></listOfParameters>"
        "</kineticLaw></reaction></listOfReactions></model></sbml>"
    )
    model = read_text(text, "old")
    assert model.parameters[0].id == "J__k"
    assert model.parameters[0].value == 5.0
    assert model.species[0].initial_concentration == 2.0
    assert model.compartments[0].size == 4.0
    assert model.reactions[0].is_reversible


def test_the_event_without_a_trigger_never_fires():
    model = sbml('<listOfEvents><event useValuesFromTriggerTime="true"/></listOfEvents>')
    assert model.events == ()
