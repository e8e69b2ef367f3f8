"""Short-term facilitation and depression of an axon's release.

Tsodyks & Markram (1997) PNAS 94:719; Tsodyks, Pawelzik & Markram (1998) Neural Comput. 10:821: between spikes
x recovers to 1 with `tau_rec` and u to 0 with `tau_facil`; at a spike u += use (1 - u), u x is released, x
-= u x.
"""

from __future__ import annotations

from dataclasses import dataclass

from cascades.errors import NetworkError


@dataclass(frozen=True)
class ShortTerm:
    """Release per spike u x, relative to `use`: the first spike after a long silence counts as 1.

    Parameters
    ----------
    use : float
        Fraction of the resources that a first spike releases.
    tau_rec, tau_facil : float
        Recovery and facilitation times [ms]; `tau_facil` 0 means no facilitation.

    Raises
    ------
    NetworkError
        A fraction outside (0, 1] or a negative time.
    """

    use: float = 0.5
    tau_rec: float = 800.0
    tau_facil: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.use <= 1.0:
            raise NetworkError("short-term plasticity", f"use must lie in (0, 1] (got {self.use!r})")
        if not (self.tau_rec > 0.0 and self.tau_facil >= 0.0):
            raise NetworkError("short-term plasticity", "tau_rec must be positive, tau_facil not negative")
