"""Small models with answers in closed form."""

from __future__ import annotations

from cascades.expression import symbol
from cascades.model import (
    AssignmentRule,
    Compartment,
    Model,
    Parameter,
    Port,
    Reaction,
    Species,
    SpeciesReference,
)

_K, _A, _B, _V = (symbol(name) for name in ("k", "A", "B", "spine"))

# A decays to B; a spike on `release` adds `jump` to A; `doubled` is an observable that sees `k`.
DECAY = Model(
    id="decay",
    compartments=(Compartment("spine", 1.0),),
    species=(
        Species("A", "spine", initial_concentration=1.0),
        Species("B", "spine", initial_concentration=0.0),
    ),
    parameters=(Parameter("k", 0.5), Parameter("jump", 2.0), Parameter("doubled", None, is_constant=False)),
    reactions=(
        Reaction("loss", (SpeciesReference("A"),), (SpeciesReference("B"),), rate=_V * _K * _A),
    ),
    rules=(AssignmentRule("doubled", 2.0 * _K * _A),),
    ports=(Port("release", "A", "spike", jump="jump"), Port("rate", "k", "input")),
)  # fmt: skip
