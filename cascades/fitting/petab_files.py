"""A folder of PEtab files: written under a temporary name and renamed when it is whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cascades.errors import OutputExists
from cascades.model import Model

if TYPE_CHECKING:
    import pandas


def write_folder(folder: Path, model: Model, tables: Mapping[str, pandas.DataFrame], yaml_text: str) -> Path:
    """The path of the yaml file.  Raises OutputExists."""
    from cascades.sbml.write import to_sbml

    if folder.exists():
        raise OutputExists(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        (temporary / "model.xml").write_text(to_sbml(model), encoding="utf-8")
        for name, table in tables.items():
            table.to_csv(temporary / f"{name}.tsv", sep="\t", index=False)
        (temporary / "problem.yaml").write_text(yaml_text, encoding="utf-8")
        temporary.chmod(0o755)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder / "problem.yaml"
