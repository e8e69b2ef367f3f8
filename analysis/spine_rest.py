"""Where the composed spine rests: the numbers that its `composition.toml` starts from.

Claim: the shipped spine starts at rest.  Once a part is changed, this prints the tables [values] and
[start] anew: constants that are defined as values at rest, and the DOWN state.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from cascades import compile_model
from cascades.library import composed, root
from cascades.model import Model
from cascades.simulate import simulate

MODEL = "spine_cascades"
SETTLE = 2e7  # [s]: two and a half times the slowest time constant
AT_REST = {"PP1_rest": "PP1_at_density", "w_rest": "w", "head_rest": "head_volume"}  # constant -> variable
SAME = 1e-6  # relative
SMALL = 1e-3  # variables that rest below this start from 0: a solver takes a start for the size that matters


def main(arguments: list[str]) -> int:
    argparse.ArgumentParser(prog="python -m analysis spine_rest", description=__doc__).parse_args(arguments)
    model = composed(Path(os.fspath(root() / MODEL)))
    values, start = rest(model)
    print("[values]")
    print("\n".join(f"{name} = {value:.12g}" for name, value in values.items()))
    print("\n[start]")
    print("\n".join(f"{name} = {value:.12g}" for name, value in start.items()))
    shipped = compile_model(model).default_values
    moved = [name for name, value in values.items() if abs(shipped[name] / value - 1.0) > SAME]
    print(f"\n{'moved: ' + ', '.join(moved) if moved else 'the shipped spine is at rest'}")
    return bool(moved)


def rest(model: Model) -> tuple[dict[str, float], dict[str, float]]:
    """Constants that are values at rest, and the state at rest without what (nearly) vanishes there."""
    compiled = compile_model(dataclasses.replace(model, ports=()))
    values = {name: compiled.default_values[name] for name in AT_REST}
    for _ in range(3):  # what rests does not depend on them, but for the slots
        run = simulate(compiled, [0.0, SETTLE], values=values, rtol=1e-10)
        values = {name: float(run[variable][0, -1]) for name, variable in AT_REST.items()}
    run = simulate(compiled, [0.0, SETTLE], values=values, rtol=1e-10)
    species = {s.id for s in model.species} - {"glutamate"}
    final = run.final()
    gates = {"m", "h"}  # they start from the voltage
    return values, {n: v for n, v in final.items() if n in species or (abs(v) > SMALL and n not in gates)}


if __name__ == "__main__":
    raise SystemExit(main([]))
