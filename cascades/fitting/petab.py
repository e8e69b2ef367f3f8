"""PEtab files of either version."""

from __future__ import annotations

from pathlib import Path

from cascades.fitting.petab_v1 import read_v1
from cascades.fitting.petab_v2 import read_v2
from cascades.fitting.problem import FitProblem
from cascades.fitting.tables import FitError


def read_petab(yaml_file: Path) -> FitProblem:
    """Raises FitError for a file that is missing, unreadable or of an unknown version."""
    import yaml

    try:
        content = yaml.safe_load(yaml_file.read_text())
        version = str(content["format_version"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise FitError(str(yaml_file), [f"not a PEtab problem file: {error}"]) from error
    if version.startswith("1"):
        return read_v1(yaml_file, content)
    if version.startswith("2"):
        return read_v2(yaml_file, content)
    raise FitError(str(yaml_file), [f"format version {version} is not known (1 and 2 are)"])
