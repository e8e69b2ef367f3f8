"""Measures of equilibria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cascades.claims.subject import RTOL, SOLVER, Subject, varied
from cascades.simulate import simulate

MOVING = 1e-7  # relative change that is more than the solver's error


def equilibrium(
    subject: Subject,
    of: str,
    *,
    values: Mapping[str, float] | None = None,
    vary: Mapping[str, Sequence[float]] | None = None,
    named: str = "",
    initial: Mapping[str, float | str] | None = None,
    settle: float = 5000.0,
) -> list[float]:
    """The observable `of` where the model comes to rest from `initial`, once per entry of `vary`.

    Waits for `settle` [s], then ten times as long, and so on.  Raises ValueError if the observable
    still changes after four such waits.
    """
    found = []
    for one in varied(values, vary):
        chosen = subject.values(one, named)
        start = subject.initial(initial, chosen)
        for wait in (settle, 10.0 * settle, 100.0 * settle, 1000.0 * settle):
            times = [0.5 * wait, wait]
            trajectory = simulate(
                subject.compiled, times, values=chosen, initial=start, rtol=RTOL, solver=SOLVER
            )
            before, after = np.asarray(trajectory[of][0])
            start = trajectory.final()
            if abs(after - before) <= MOVING * max(abs(after), abs(before)):
                break
        else:
            raise ValueError(f"{of} still goes from {before:.9g} to {after:.9g} after {wait:g} s")
        found.append(float(after))
    return found


def equilibria(
    subject: Subject,
    of: str,
    *,
    values: Mapping[str, float] | None = None,
    named: str = "",
    stable: bool | None = None,
) -> list[float]:
    """The observable `of` at every equilibrium that is found, sorted; only the stable or unstable
    ones if `stable` says so."""
    from cascades.continuation import equilibria as all_equilibria

    found = all_equilibria(subject.compiled, values=subject.values(values, named))
    return sorted(float(state[of]) for state in found if stable in (None, state.is_stable))


def number_of_equilibria(
    subject: Subject,
    *,
    values: Mapping[str, float] | None = None,
    named: str = "",
    stable: bool | None = None,
) -> int:
    """How many equilibria are found."""
    from cascades.continuation import equilibria as all_equilibria

    found = all_equilibria(subject.compiled, values=subject.values(values, named))
    return sum(stable in (None, state.is_stable) for state in found)
