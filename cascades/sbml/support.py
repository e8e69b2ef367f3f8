"""What is refused, by name, before anything is built."""

from __future__ import annotations

from typing import Any

from cascades.sbml.reading import Reading

_WITHOUT_EFFECT = ("l3v2extendedmath",)  # Level 3 Version 2 mathematics, which is read in any version


def refuse_packages(document: Any, reading: Reading) -> None:
    """SBML packages that change the mathematics of the model."""
    for i in range(document.getNumPlugins()):
        package = document.getPlugin(i).getPackageName()
        if document.getPackageRequired(package) and package not in _WITHOUT_EFFECT:
            reading.refuse(f"package {package}", "changes the meaning of the model and is not supported")
    for i in range(document.getNumUnknownPackages()):
        reading.refuse(f"package {document.getUnknownPackagePrefix(i)}", "is not known")
