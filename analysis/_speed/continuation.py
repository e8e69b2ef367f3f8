"""Continuation and noise: CPU seconds per branch, per thousand branches, per fold curve; events per second.

Where a bar names AUTO-07p, it is AUTO's own compute time for the main branch of the CaMKII switch with
both folds: measured here if AUTO is installed, else that of the reference machine.  CPU seconds, medians;
the ratio to libroadrunner's Gillespie is taken side by side in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cascades
from analysis._speed import Row
from analysis._speed.auto import auto_seconds
from cascades.continuation import (
    Branch,
    ContinuationSettings,
    SymbolicProblem,
    as_problem,
    branch_ensemble,
    continuation,
    fold_curve,
)
from cascades.expression import symbol
from cascades.noise import jump_process, random_paths

AUTO = 0.033  # s, compute time of one branch on the reference machine
VARIED = ("k12", "KM", "PP10", "K5", "CaM", "kcan", "kpka")
CALCIUM = (0.02, 2.0)  # uM
MEMBERS = 32


def run(quick: bool) -> list[Row]:
    """All rows; `quick` repeats less."""
    repeats = 3 if quick else 11
    switch = cascades.compile_model(cascades.load_model("camkii_graupner_2007"))
    branch = continuation(switch, "Ca", CALCIUM)
    measured = auto_seconds(as_problem(switch), "Ca", CALCIUM, branch.states[0], repeats)
    rows = []
    auto = AUTO
    if measured is not None:
        auto, folds = measured
        rows = [Row("AUTO-07p, its compute time", auto, "s"), Row("AUTO-07p, folds found", folds, "")]
    return [
        *rows,
        *branches(switch, branch, auto, repeats),
        *ensemble(switch, auto, repeats),
        *large(repeats),
        *gillespie(quick),
    ]


def branches(switch: Any, branch: Branch, auto: float, repeats: int) -> list[Row]:
    single = median(lambda: continuation(switch, "Ca", CALCIUM), repeats)
    fold = branch.of_kind("fold")[0]
    fine = ContinuationSettings(largest_step=0.05)

    def curve() -> Any:
        return fold_curve(switch, fold, ("Ca", "KM"), (CALCIUM, (0.1, 50.0)), settings=fine)

    points = len(curve())
    return [
        Row("CaMKII main branch, both folds", single, "s", 1.5 * auto),
        Row("CaMKII fold curve, 200 points", median(curve, repeats) * 200.0 / points, "s", 0.1),
    ]


def ensemble(switch: Any, auto: float, repeats: int) -> list[Row]:
    rng = np.random.default_rng(0)
    problem = as_problem(switch)
    defaults = problem.values()
    values = {name: defaults[problem.index(name)] * np.exp(0.2 * rng.normal(size=1000)) for name in VARIED}

    def go() -> None:
        branch_ensemble(switch, "Ca", CALCIUM, values=values, threads=1)

    go()
    return [
        Row(
            "1,000 CaMKII branches against AUTO one by one",
            1000.0 * auto / median(go, repeats),
            "x",
            20.0,
            False,
        )
    ]


def large(repeats: int) -> list[Row]:
    """A chain of switches that exchange their states quickly: the branch has one fold at any length."""
    rows = []
    times = []
    for n in (230, 460):
        chain = chain_of_switches(n)
        start = continuation(chain, "a", (0.01, 0.02)).states[0]
        times.append(median(lambda c=chain, x=start: continuation(c, "a", (0.005, 0.5), start=x), repeats))  # type: ignore[misc]
        rows.append(Row(f"branch of a {n}-state model", times[-1], "s"))
    return [*rows, Row("460 / 230 states", times[1] / times[0], "x", 2.5)]


def chain_of_switches(n: int) -> SymbolicProblem:
    x, a, exchange = [symbol(f"x{i}") for i in range(n)], symbol("a"), symbol("exchange")
    rates = []
    for i, own in enumerate(x):
        rate = a + 2.2 * own**2 / (1 + own**2) - own
        for j in (i - 1, i + 1):
            if 0 <= j < n:
                rate = rate + exchange * (x[j] - own)
        rates.append(rate)
    return SymbolicProblem(
        [s.name for s in x],
        ("a", "exchange"),
        rates,
        default_state=np.zeros(n),
        default_values=np.array([0.01, 1e6]),
        is_positive=np.ones(n, bool),
    )


def gillespie(quick: bool) -> list[Row]:
    """Events per second of the tristable switch in molecules on one core, an ensemble against
    libroadrunner's direct method."""
    import roadrunner

    model = cascades.load_model("switch_pi_2008")
    process = jump_process(cascades.compile_model(model))
    duration = 400.0 if quick else 2000.0
    volume = 0.02  # fL
    events = count_events(process, volume, duration)

    initial = scaled_counts(process, volume)

    def ours(members: int) -> None:
        random_paths(
            process, [duration], values={"spine": volume}, initial=initial, members=members, seed=1, threads=1
        )

    own = MEMBERS * events / median(lambda: ours(MEMBERS), 3)
    alone = events / median(lambda: ours(1), 3)
    rows = [Row("events per second, 12 reactions", own / 1e6, "M/s")]
    rr = roadrunner.RoadRunner(molecules_sbml(process, volume))
    rr.setIntegrator("gillespie")
    rr.integrator.setValue("variable_step_size", False)
    rr.integrator.setValue("seed", 1)

    def theirs() -> None:
        rr.resetAll()
        rr.simulate(0.0, duration, 2)

    theirs()
    their = events / median(theirs, 3)
    return [
        *rows,
        Row(f"events per second / libroadrunner, {MEMBERS} paths", own / their, "x", 10.0, False),
        Row("events per second / libroadrunner, one path alone", alone / their, "x"),
    ]


def scaled_counts(process: Any, volume: float) -> dict[str, float]:
    """The default counts, for a spine of another volume."""
    own = process.values()[process.parameter_names.index("spine")]
    return {
        name: float(round(n * volume / own))
        for name, n in zip(process.species, process.counts(), strict=True)
    }


def count_events(process: Any, volume: float, duration: float) -> float:
    """The mean number of events: the time integral of the propensities along one path."""
    grid = np.linspace(0.0, duration, 20001)
    paths = random_paths(
        process, grid, values={"spine": volume}, initial=scaled_counts(process, volume), seed=1
    )
    a = process.formulas(paths.values[0], process.constants(process.values({"spine": volume})))
    return float(np.trapezoid(np.maximum(a, 0.0).sum(axis=1), grid))


def molecules_sbml(process: Any, volume: float) -> str:
    """The same jump process as SBML with counts as amounts."""
    from cascades.expression import to_text
    from cascades.sbml.antimony import to_sbml

    lines = ["model molecules()", "compartment cell = 1;"]
    for name, count in scaled_counts(process, volume).items():
        lines.append(f"substanceOnly species {name} in cell = {count!r};")
    for name, value in zip(process.parameter_names, process.values({"spine": volume}), strict=True):
        lines.append(f"{name} = {float(value)!r};")
    for i, (change, rate) in enumerate(zip(process.changes, process.propensities, strict=True)):
        sides = [
            " + ".join(
                f"{abs(n)} {name}" for name, n in zip(process.species, change, strict=True) if n * sign > 0
            )
            for sign in (-1, 1)
        ]
        lines.append(f"r{i}: {sides[0]} -> {sides[1]}; {to_text(rate)};")
    return to_sbml("\n".join([*lines, "end"]))


def median(action: Callable[[], Any], repeats: int) -> float:
    """CPU seconds."""
    action()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        action()
        spent.append(time.process_time() - begun)
    return float(np.median(spent))
