"""At which rates of presynaptic spikes does the spine forget, and at which does it learn?

Claim: the plasticity-frequency curve of the spine is a bifurcation diagram.  Periodic responses to a
rhythm are fixed points of the stroboscopic map; followed in the rate, the UP response is lost at one
fold (depression) and the DOWN response at another (potentiation).  No simulation of protocols is
needed, and none is missed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cascades
from cascades.continuation import OrbitBranch, Pulse, Rhythm, rhythmic_orbits
from cascades.continuation.rhythm import RESOLUTION
from cascades.plot import DOWN, UP, new_figure

RATES = (0.05, 60.0)  # Hz
CROSSOVER = (3.0, 12.0)  # Hz: Dudek & Bear (1992) PNAS 89:4363, no change near 10 Hz


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    spine = cascades.compile_model(cascades.load_model(options.model))
    states = [state for state in cascades.equilibria(spine) if state.is_stable]
    rhythm = Rhythm(RATES[0], (Pulse("glutamate"),))
    resolution = options.resolution
    found: dict[str, OrbitBranch] = {}
    for name, state in (("UP", states[-1]), ("DOWN", states[0])):
        found[name] = rhythmic_orbits(spine, rhythm, "rate", RATES, start=state, resolution=resolution)
        folds = found[name].of_kind("fold of cycles")
        listed = ", ".join(f"{point.value:.6g} Hz" for point in folds) or "none"
        print(f"{name:<5} responses: {len(found[name])}; folds at {listed}; {found[name].stopped_because}")
    lost = {
        name: [point.value for point in branch.of_kind("fold of cycles")] for name, branch in found.items()
    }
    if lost["UP"]:
        print(f"\nUP is forgotten above {lost['UP'][0]:.4g} Hz")
    if lost["DOWN"]:
        inside = CROSSOVER[0] <= lost["DOWN"][0] <= CROSSOVER[1]
        verdict = "lies" if inside else "DOES NOT lie"
        print(f"DOWN learns above {lost['DOWN'][0]:.4g} Hz")
        print(f"the rate of learning {verdict} between {CROSSOVER[0]:g} and {CROSSOVER[1]:g} Hz")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "frequency_folds.png"
    _figure(found, options.show).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0


def _figure(found: dict[str, OrbitBranch], name: str) -> Any:
    figure, axes = new_figure(width=6.5, height=4.0)
    for state, colour in (("DOWN", DOWN), ("UP", UP)):
        found[state].plot(axes, name, color=colour)
    axes.set(xscale="log", xlabel="presynaptic rate [Hz]", ylabel=f"{name}, smallest and largest in a period")
    return figure


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis frequency_folds", description=__doc__)
    parser.add_argument("model", nargs="?", default="spine_graupner_2007")
    parser.add_argument("--show", default="S", help="the state or observable to draw")
    parser.add_argument("--quick", action="store_true", help="the same")
    parser.add_argument("--resolution", type=float, default=RESOLUTION, help="error between mesh points")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
