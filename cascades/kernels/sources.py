"""A hash of source files: what compiled code that is kept on disk was made by."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def source_hash(*paths: str) -> str:
    """Of the contents of these files, and of every Python file in these folders."""
    digest = hashlib.sha256()
    for path in map(Path, paths):
        files = sorted(path.glob("*.py")) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.name}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
