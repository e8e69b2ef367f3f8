"""`SteadyState`: a state at which all rates vanish, with its stability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cascades.errors import UnknownName


@dataclass(frozen=True, eq=False)
class SteadyState:
    """An equilibrium by names, in the model's own units.

    state : all states, those that conserved totals give back included
    values : all parameters
    totals : conserved totals
    eigenvalues : of the Jacobian without conserved totals, largest real part first [1/time]
    residual : largest rate, each relative to its state's size [1/time]
    observables : what follows from the state
    """

    state: Mapping[str, float]
    values: Mapping[str, float]
    totals: Mapping[str, float]
    eigenvalues: np.ndarray
    residual: float
    observables: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_stable(self) -> bool:
        """Whether every small perturbation decays."""
        return bool((self.eigenvalues.real < 0.0).all())

    @property
    def n_unstable(self) -> int:
        """The number of directions in which perturbations grow."""
        return int(np.count_nonzero(self.eigenvalues.real > 0.0))

    @property
    def slowest_time(self) -> float:
        """The time constant of the slowest decay or growth [time]."""
        return float(1.0 / np.abs(self.eigenvalues.real).min())

    def __getitem__(self, name: str) -> float:
        """A state, observable, parameter or conserved total."""
        for group in (self.state, self.observables, self.values, self.totals):
            if name in group:
                return group[name]
        raise UnknownName("quantity", name, (*self.state, *self.observables))

    def __repr__(self) -> str:
        kind = "stable" if self.is_stable else f"unstable ({self.n_unstable} growing)"
        shown = ", ".join(f"{name} = {value:.6g}" for name, value in list(self.state.items())[:6])
        return f"<SteadyState {kind}: {shown}{', ...' if len(self.state) > 6 else ''}>"
