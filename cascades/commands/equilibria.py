"""All equilibria of a model."""

from __future__ import annotations

from cascades.commands.options import JSON, MODEL, SET, read_values
from cascades.commands.output import print_json, print_table


def equilibria(model: MODEL, set_: SET = None, json: JSON = False) -> None:
    """Find the equilibria of a model, with their stability."""
    import cascades
    from cascades.compiler.signs import refuse_negative

    compiled = cascades.compile_model(cascades.load_model(model))
    values = read_values(set_)
    refuse_negative(compiled, values)
    found = cascades.equilibria(compiled, values=values)
    if json:
        print_json([{"is_stable": e.is_stable, "state": e.state, "eigenvalues": _pairs(e)} for e in found])
        return
    names = compiled.state_names
    rows = [[name, *(e.state[name] for e in found)] for name in names]
    rows.append(["", *("stable" if e.is_stable else "unstable" for e in found)])
    print_table(["state", *(f"#{i + 1}" for i in range(len(found)))], rows)


def _pairs(equilibrium: object) -> list[tuple[float, float]]:
    return [(float(v.real), float(v.imag)) for v in getattr(equilibrium, "eigenvalues", ())]
