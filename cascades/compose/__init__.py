"""Models made from models: joined at ports, renamed, patched."""

from cascades.compose.join import compose
from cascades.compose.patch import patch
from cascades.compose.rename import rename

__all__ = ["compose", "patch", "rename"]
