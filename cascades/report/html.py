"""One self-contained HTML page: text, tables and figures, nothing fetched from anywhere."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Table:
    """`note` stands below it; numbers are printed with four digits."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """`paragraphs` are plain text; pictures and tables follow them in order."""

    title: str
    paragraphs: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Page:
    """`facts` are the few numbers of the first screen: (value, what it is)."""

    title: str
    subtitle: str
    lead: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]] = ()
    citations: str = ""
    footer: Sequence[str] = field(default_factory=tuple)


def render(page: Page) -> str:
    """The page as HTML."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["cell"] = cell
    environment.filters["svg"] = lambda picture: to_svg(picture.figure)
    environment.tests["figures"] = lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool)
    )
    source = resources.files("cascades.report").joinpath("template.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(page=page)


def to_svg(figure: Figure, *, salt: str = "", letters: bool = False) -> Any:
    """A figure as inline SVG, the same bytes for the same figure.

    `salt` keeps the ids of several figures on a page apart; with `letters` text stays text, which is
    smaller and can be searched, but looks as the reader's fonts do.
    """
    import markupsafe
    import matplotlib

    fonts = "none" if letters else "path"
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt or figure_key(figure), "svg.fonttype": fonts}):
        figure.savefig(buffer, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    return markupsafe.Markup(re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL))


def figure_key(figure: Figure) -> str:
    """The titles and labels of its axes, and its size."""
    words = [axes.get_title(loc="left") + axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
    return repr((words, tuple(figure.get_size_inches())))


def prose(text: str) -> str:
    """A paragraph that was written over several lines."""
    return " ".join(text.split())


def cell(value: Any) -> str:
    """A number with four digits, true and false as yes and no, the rest as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value}"
    if isinstance(value, float):
        return "–" if value != value else f"{value:.4g}".replace("-", "−")
    return str(value)
