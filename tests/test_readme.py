"""The ten lines of the README run, and print what they say."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
PRINTED_DIGITS = 1e-6
FOLDS = {"open": [0.363130, 0.373918], "closed": [0.0923521, 0.219568]}  # Ca [uM]; ModelDB 114452


@pytest.mark.slow
def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[0]) == pytest.approx(0.75, abs=0.01)
    assert len(lines[1].split(",")) == 3
    for line in lines[2:4]:
        kind, values = line.split(" ", 1)
        found = sorted(float(value) for value in values.strip("[]").split(","))
        assert found == pytest.approx(FOLDS[kind], abs=PRINTED_DIGITS)


def test_it_says_how_to_start_and_to_cite():
    text = README.read_text(encoding="utf-8")
    first_screen = text[: text.index("## What is in it")]
    assert "make run" in first_screen
    assert "CITATION.cff" in first_screen
    assert "docs/figures/chain.png" in first_screen
