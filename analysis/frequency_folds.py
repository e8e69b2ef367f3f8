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

import numpy as np

import cascades
from cascades.continuation import OrbitBranch, Pulse, Rhythm, rhythmic_orbits
from cascades.continuation.rhythm import RESOLUTION
from cascades.plot import DOWN, UP, new_figure
from cascades.protocols import pulse_train

RATES = (0.05, 60.0)  # Hz
PERIODS = 1000
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
        branch = found[name]
        print(f"{name} responses: {len(branch)}; {branch.stopped_because}")
        for point in branch.of_kind("fold of cycles"):
            print(
                f"  fold at {point.value:.9g} Hz, {point.coefficients['error']:.1e} from a mesh half as fine"
            )
        for sentence in branch.dropped:
            print(f"  dropped: {sentence}")
    lost = {
        name: [point.value for point in branch.of_kind("fold of cycles")] for name, branch in found.items()
    }
    for name, verb in (("UP", "is forgotten"), ("DOWN", "learns")):
        print(
            f"{name} {verb} above {lost[name][0]:.6g} Hz" if lost[name] else f"no fold of {name} is converged"
        )
    agree = all(lost.values())
    if lost["DOWN"]:
        inside = CROSSOVER[0] <= lost["DOWN"][0] <= CROSSOVER[1]
        verdict = "lies" if inside else "DOES NOT lie"
        print(f"the rate of learning {verdict} between {CROSSOVER[0]:g} and {CROSSOVER[1]:g} Hz")
    if agree and not options.quick:
        for name, branch in found.items():
            stays = [kept(spine, branch, factor * lost[name][0], options.show) for factor in (0.98, 1.02)]
            agree &= stays == [True, False]
            print(
                f"simulated from a response of {name}: kept 2 % below its fold {stays[0]}, above {stays[1]}"
            )
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "frequency_folds.png"
    _figure(found, options.show).savefig(path, dpi=150)
    print(f"figure: {path}")
    return 0 if agree else 1


def kept(spine: Any, branch: OrbitBranch, rate: float, name: str) -> bool:
    """Whether a simulation in the rhythm, from the stable response nearest in rate, stays near it."""
    before_fold = branch.orbits[: int(np.argmin(branch.is_stable))]
    orbit = min(before_fold, key=lambda o: abs(o.period * rate - 1.0))
    full = orbit.problem.expand(orbit.states[0], orbit.q)
    start = dict(zip(orbit.problem.full_names, full.tolist(), strict=True))
    count = int(PERIODS * max(1.0, rate))
    train = pulse_train(rate=rate, count=count, start=1.0 / rate)
    run = cascades.simulate(spine, [0.0, (count + 0.99) / rate], protocol=train, initial=start)
    first, last = run[name][0]
    return bool(0.5 < last / first < 2.0)


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
    parser.add_argument("--quick", action="store_true", help="without the simulations")
    parser.add_argument("--resolution", type=float, default=RESOLUTION, help="error between mesh points")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args(arguments)
