"""Small models of one concept each, written in Antimony or SBML, and what they compute."""

from __future__ import annotations

import numpy as np

from cascades.compiler.build_equations import build_equations
from cascades.compiler.compiled import compile_model
from cascades.compiler.equations import Equations
from cascades.model import Model
from cascades.sbml.antimony import to_sbml
from cascades.sbml.read import read_text
from cascades.simulate import simulate

RTOL = 1e-8
TOLERANCE = 1e-6  # of a course computed at RTOL, relative to its largest value


def model_of(antimony: str, functions: str = "") -> Model:
    """The model of the body of an Antimony model."""
    return read_text(to_sbml(f"{functions}\nmodel small\n{antimony}\nend"), "small")


def sbml(content: str, version: int = 2, attributes: str = "") -> Model:
    """The model with this SBML inside its `model` element."""
    return read_text(sbml_text(content, version, attributes), "small")


def sbml_text(content: str, version: int = 2, attributes: str = "") -> str:
    space = f"http://www.sbml.org/sbml/level3/version{version}/core"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="{space}" level="3" version="{version}">'
        f'<model id="small" {attributes}>{content}</model></sbml>'
    )


def math(content: str) -> str:
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{content}</math>'


def equations_of(antimony: str) -> Equations:
    return build_equations(model_of(antimony))


def course(model: Model | str, times: object, name: str) -> np.ndarray:
    """One quantity over time, by the default solver."""
    model = model_of(model) if isinstance(model, str) else model
    compiled = compile_model(model)
    trajectory = simulate(compiled, np.asarray(times, dtype=float), rtol=RTOL)
    if name in compiled.default_values:
        return np.full(len(trajectory.times), compiled.default_values[name])
    return trajectory[name][0]


def assert_course(model: Model | str, times: object, name: str, expected: object) -> None:
    got, wanted = course(model, times, name), np.asarray(expected, dtype=float)
    np.testing.assert_allclose(got, wanted, rtol=0.0, atol=TOLERANCE * max(1.0, np.abs(wanted).max()))
