"""Every study says what it claims, and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.__main__ import main, studies

ROOT = Path(__file__).parents[2]
OPTIONS: dict[str, list[str]] = {"speed": ["--quick", "--only", "continuation"], "spine_rest": []}
NO_FIGURE = {"speed", "spine_rest"}
NEEDS = {"simulator_agreement": "CASCADES_SIMULATORS"}  # environment variables, without which it cannot run
LIMIT = 900.0  # [s]


def test_studies_are_listed_with_what_they_are_about(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    for name, what in studies().items():
        assert name in printed
        assert what.endswith((".", "?")), f"{name}: its first line is no sentence"


def test_an_unknown_study_is_answered_by_the_nearest_name(capsys):
    assert main(["phenomenas"]) == 1
    assert "did you mean phenomena" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(set(studies()) - {"spine_rest"}))
def test_a_study_explains_its_options(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert "--quick" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", studies())
def test_a_study_runs(name, tmp_path):
    """0 if its claim holds and 1 if not; a traceback is neither."""
    if name in NEEDS and NEEDS[name] not in os.environ:
        pytest.skip(f"{NEEDS[name]} names what it needs")
    options = OPTIONS.get(name, ["--quick", "--out", str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-m", "analysis", name, *options],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()
    if name not in NO_FIGURE:
        assert list(tmp_path.rglob("*.png")), "it drew no figure"
