import sys
from dataclasses import dataclass

import pytest

from cascades.cli import main


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def cascades(monkeypatch, capsys):
    """The command line, as a user calls it."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cascades", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code, message = 0, ""
        except SystemExit as exit_:
            code, message = (exit_.code or 0, "") if not isinstance(exit_.code, str) else (1, exit_.code)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err + message)

    return call
