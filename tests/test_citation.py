"""BibTeX of what was used."""

from types import SimpleNamespace

import pytest

from cascades import cite
from cascades.citation import CASCADES, SOLVERS, Reference
from cascades.library import model_names


def test_a_model_is_cited_with_its_paper():
    text = cite("camkii_graupner_2007")
    assert "author = {Graupner, M. and Brunel, N.}" in text
    assert "volume = {3},\n  pages = {e221}" in text
    assert "doi = {10.1371/journal.pcbi.0030221}" in text


def test_only_what_was_used_is_cited():
    assert cite().count("@") == 1
    trajectory = SimpleNamespace(provenance={"model": "switch_pi_2008", "solver": "cvode"})
    text = cite(trajectory)
    assert "Hindmarsh" in text
    assert "Petzold" not in text
    assert text.count("@") == 4


def test_each_reference_comes_once():
    assert cite("switch_pi_2008", "switch_pi_2008").count("@article") == 1


def test_the_same_author_and_year_get_different_keys():
    text = cite("camkii_graupner_2007", SimpleNamespace(theta_d=1.0, provenance={}))
    assert "@article{graupner2007," in text
    assert "@article{graupner2012," in text
    one, two = Reference("Smolen P (2006) A. J 1:1"), Reference("Smolen P (2006) B. J 1:2")
    assert one.key == two.key


def test_the_solvers_that_exist_are_known():
    from cascades.solvers import METHODS

    assert {method.name.lower() for method in METHODS.values()} <= SOLVERS.keys()


@pytest.mark.parametrize("name", model_names())
def test_every_shipped_citation_is_understood(name):
    text = cite(name)
    for entry in text.split("\n\n")[1:]:
        assert "author = {" in entry
        assert "year = {" in entry
    assert text.count("@") >= 2
    assert text.count("{") == text.count("}")


def test_a_composed_model_is_cited_with_its_parts():
    text = cite("spine_graupner_2007")
    assert "Jahr, C. E." in text
    assert text.count("author = {Graupner, M. and Brunel, N.}") >= 1


def test_the_package_itself():
    assert CASCADES.bibtex("cascades").startswith("@misc{cascades,")
