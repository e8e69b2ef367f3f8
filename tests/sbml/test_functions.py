"""Function definitions and mathematics."""

from __future__ import annotations

import math as m

import numpy as np
import pytest

from cascades.errors import ModelError
from cascades.expression import evaluate
from tests.sbml.small_models import course, math, model_of, sbml

SYMBOLS = "http://www.sbml.org/sbml/symbols/"

# MathML and the number it stands for; the angle and other arguments are arbitrary.
FORMULAS = {
    "<apply><max/><cn>1</cn><cn>3</cn><cn>2</cn></apply>": 3.0,
    "<apply><min/><cn>1</cn><cn>3</cn><cn>2</cn></apply>": 1.0,
    "<apply><rem/><cn>7</cn><cn>3</cn></apply>": 1.0,
    "<apply><quotient/><cn>7</cn><cn>3</cn></apply>": 2.0,
    "<apply><implies/><true/><false/></apply>": 0.0,
    "<apply><implies/><false/><false/></apply>": 1.0,
    "<apply><xor/><true/><true/><true/></apply>": 1.0,
    "<apply><plus/></apply>": 0.0,
    "<apply><times/></apply>": 1.0,
    "<apply><and/></apply>": 1.0,
    "<apply><or/></apply>": 0.0,
    "<apply><root/><degree><cn>3</cn></degree><cn>8</cn></apply>": 2.0,
    "<apply><log/><logbase><cn>2</cn></logbase><cn>8</cn></apply>": 3.0,
    "<apply><log/><cn>1000</cn></apply>": 3.0,
    "<apply><sec/><cn>0.5</cn></apply>": 1.0 / m.cos(0.5),
    "<apply><csc/><cn>0.5</cn></apply>": 1.0 / m.sin(0.5),
    "<apply><cot/><cn>0.5</cn></apply>": 1.0 / m.tan(0.5),
    "<apply><arcsec/><cn>2</cn></apply>": m.acos(0.5),
    "<apply><arccot/><cn>0</cn></apply>": m.pi / 2.0,
    "<apply><arcsech/><cn>0.5</cn></apply>": m.acosh(2.0),
    "<apply><arccoth/><cn>2</cn></apply>": m.atanh(0.5),
    "<apply><factorial/><cn>5</cn></apply>": 120.0,
    "<apply><lt/><cn>1</cn><cn>2</cn><cn>3</cn></apply>": 1.0,
    "<apply><lt/><cn>1</cn><cn>3</cn><cn>2</cn></apply>": 0.0,
    "<apply><plus/><true/><true/></apply>": 2.0,
    "<piecewise><piece><cn>4</cn><cn>2</cn></piece></piecewise>": 4.0,
    '<cn type="e-notation">1.2345<sep/>-21</cn>': 1.2345e-21,
    '<cn type="rational">1<sep/>4</cn>': 0.25,
    "<exponentiale/>": m.e,
    "<infinity/>": m.inf,
    f'<csymbol encoding="text" definitionURL="{SYMBOLS}avogadro">a</csymbol>': 6.02214179e23,
}


@pytest.mark.parametrize("text", FORMULAS)
def test_mathml(text: str):
    model = sbml(
        '<listOfParameters><parameter id="p" constant="false"/></listOfParameters>'
        f'<listOfRules><assignmentRule variable="p">{math(text)}</assignmentRule></listOfRules>'
    )
    assert evaluate([model.rules[0].formula], {})[0] == pytest.approx(FORMULAS[text], rel=1e-14)


def test_functions_may_call_functions():
    model = model_of("p := g(2, q); q = 3", "function f(x)\n x^2 + 1\nend\nfunction g(y, x)\n f(x) * y\nend")
    assert str(model.rules[0].formula) == "2 * q^2 + 2"


def test_an_argument_may_have_the_name_of_a_parameter():
    model = model_of("p := f(2 * k); k = 3", "function f(k)\n k + 1\nend")
    assert course(model, [0.0], "p")[0] == 7.0


def test_a_function_that_calls_itself_is_refused():
    body = "<lambda><bvar><ci>x</ci></bvar><apply><ci>{}</ci><ci>x</ci></apply></lambda>"
    functions = "".join(
        f'<functionDefinition id="{name}">{math(body.format(other))}</functionDefinition>'
        for name, other in (("f", "g"), ("g", "f"))
    )
    with pytest.raises(ModelError, match="calls itself"):
        sbml(f"<listOfFunctionDefinitions>{functions}</listOfFunctionDefinitions>")


def test_piecewise_of_time_is_not_stepped_over():
    """A pulse of one thousandth of the run."""
    model = "x' = piecewise(1000, (time > 5) && (time < 5.01), 0); x = 0"
    np.testing.assert_allclose(course(model, [0.0, 10.0], "x"), [0.0, 10.0], atol=1e-6)
