"""Measures of equilibria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cascades.claims.subject import Subject, varied


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

    The state reached after `settle` is refined by Newton's method.
    """
    from cascades.simulate import simulate, steady_state

    found = []
    for one in varied(values, vary):
        chosen = subject.values(one, named)
        start = subject.initial(initial, chosen)
        trajectory = simulate(subject.compiled, [0.0, settle], values=chosen, initial=start, rtol=1e-8)
        found.append(float(steady_state(subject.compiled, values=chosen, guess=trajectory.final())[of]))
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
