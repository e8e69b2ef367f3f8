"""Models made from models: joined at ports, extended, renamed, patched, assembled by a recipe."""

from cascades.compose.extend import extend
from cascades.compose.join import compose
from cascades.compose.patch import patch
from cascades.compose.recipe import assemble
from cascades.compose.rename import rename

__all__ = ["assemble", "compose", "extend", "patch", "rename"]
