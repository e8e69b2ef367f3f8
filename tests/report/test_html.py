"""The page: self-contained, escaped, the same bytes for the same content."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from cascades.plot import new_figure
from cascades.report.html import Page, Picture, Section, Table, cell, render, to_svg


@pytest.fixture
def figure():
    figure, axes = new_figure()
    axes.plot(np.arange(10.0), np.arange(10.0) ** 2)
    axes.set_title("a curve")
    return figure


@pytest.fixture
def page(figure):
    section = Section(
        "Bistability & <memory>", ["Two states."], [Picture(figure, "A curve.")], [Table(["Ca"], [[0.1]])]
    )
    return Page("A model", "its subtitle", "What was found.", [section], [("4", "folds")], "@article{a}")


def test_everything_is_inside(page):
    html = render(page)
    assert not re.findall(r"(?:src|href)=[\"'](?!#|data:)", html)
    assert "url(http" not in html
    assert "@import" not in html


def test_text_is_escaped(page):
    assert "Bistability &amp; &lt;memory&gt;" in render(page)


def test_a_figure_is_well_formed_inline_svg(figure):
    svg = to_svg(figure)
    assert svg.startswith("<svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_the_same_page_is_the_same_text(page):
    assert render(page) == render(page)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (-2.0, "−2"),
        (float("nan"), "–"),
        (None, "–"),
        (True, "yes"),
        (3, "3"),
        ("fold", "fold"),
    ],
)
def test_cells(value, text):
    assert cell(value) == text
