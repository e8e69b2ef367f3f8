"""Names of populations as variables of an exported program.

A user calls a population what they like: `in`, `my cells`, `np`.  The program calls it `population_...`,
which is no keyword and nothing that a simulator exports, and finds it under the user's own name in
`POPULATIONS`.
"""

from __future__ import annotations

import re

from cascades.network.network import Network


def variables(network: Network) -> dict[str, str]:
    """Each population's name and its variable; names that would share a variable are numbered."""
    found: dict[str, str] = {}
    for population in network.neurons:
        plain = "population_" + re.sub(r"[^0-9A-Za-z_]", "_", population.name)
        variable, count = plain, 1
        while variable in found.values():
            count += 1
            variable = f"{plain}_{count}"
        found[population.name] = variable
    return found


def directory(network: Network) -> str:
    """The line of the program that gives the populations by the user's names."""
    items = ", ".join(f"{name!r}: {variable}" for name, variable in variables(network).items())
    return f"POPULATIONS = {{{items}}}"
