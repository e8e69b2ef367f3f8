"""What is refused, by name, before anything is built."""

from __future__ import annotations

from typing import Any

from cascades.sbml.reading import Reading

# Packages that change what a model means; drawings, groups and notes do not.
PACKAGES = {
    "comp": "a model made of submodels; flatten it first",
    "qual": "a logical model, which has no rates",
    "fbc": "a flux-balance model, which has no rates",
    "multi": "species with features",
    "distrib": "random values",
    "arrays": "arrays of elements",
    "spatial": "space",
    "dyn": "agents",
}


def refuse_packages(document: Any, reading: Reading) -> None:
    for i in range(document.getNumPlugins()):
        package = document.getPlugin(i).getPackageName()
        if package in PACKAGES and (package == "fbc" or document.getPackageRequired(package)):
            reading.refuse(f"package {package}", PACKAGES[package])
    for i in range(document.getNumUnknownPackages()):
        package = document.getUnknownPackagePrefix(i)
        if package in PACKAGES and document.getPackageRequired(package):
            reading.refuse(f"package {package}", PACKAGES[package])
