"""Gradients, multistarts and what they cost, on problems of the PEtab benchmark collection.

`PETAB_BENCHMARKS` names the folder of the collection (Hass et al. 2019, Bioinformatics 35:3073); without
it there is nothing to measure.  pyPESTO with AMICI is measured when `AMICI_PYTHON` names the interpreter
of an environment that has both.

Gradients are compared, at a relative tolerance of 1e-11, with central differences of fourth order at a
falling sequence of steps; for every parameter that difference counts which agrees best with the next
finer one, so that neither the steps nor the choice look at the gradient.  Errors are relative to the
largest component of the gradient.

A start of the multistart is a local search.  It begins from a Latin-hypercube point, or from the best of
several: the cost of looking at those is part of the time that is given, and both shares are printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from analysis._speed import Row, cpu_seconds
from cascades.fitting import FitProblem, fit
from cascades.fitting.objective import Objective
from cascades.fitting.optimise import SCREENED

BENCHMARKS = {  # the steps at which differences are tried: a rhythm's phase bends its likelihood sharply
    "Boehm_JProteomeRes2014": (1e-3, 3e-4, 1e-4),
    "Fujita_SciSignal2010": (1e-3, 3e-4, 1e-4),
    "Sneyd_PNAS2002": (1e-3, 3e-4, 1e-4),
    "Brannmark_JBC2010": (1e-3, 3e-4, 1e-4),
    "Zheng_PNAS2012": (1e-3, 3e-4, 1e-4),
    "Elowitz_Nature2000": (3e-4, 1e-4, 3e-5),
    "Borghans_BiophysChem1997": (1e-5, 5e-6, 2.5e-6),
}
TIGHT = 1e-11
BAR_COST, BAR_GRADIENT, BAR_SHARE, BAR_PEER = 4.0, 1e-5, 0.2, 5.0
BOEHM, BOEHM_BEST = "Boehm_JProteomeRes2014", 138.222 + 1e-3
STARTS, SEED = 50, 1


def run(quick: bool) -> list[Row]:
    folder = os.environ.get("PETAB_BENCHMARKS")
    if not folder:
        print("  (PETAB_BENCHMARKS names no folder: nothing is measured)")
        return []
    files = {name: Path(folder) / name / f"{name}.yaml" for name in BENCHMARKS}
    problems = {name: FitProblem.from_petab(file) for name, file in files.items()}
    rows = [cost(name, problem) for name, problem in problems.items()]
    rows += [accuracy(name, problem) for name, problem in list(problems.items())[: 2 if quick else None]]
    return rows + multistart(files[BOEHM], problems[BOEHM], 5 if quick else STARTS)


def cost(name: str, problem: FitProblem) -> Row:
    """The likelihood with its gradient in units of the likelihood alone, at the nominal point."""
    x, objective = problem.nominal, problem.objective
    value, both = cpu_seconds(
        [lambda: objective.log_likelihood(x), lambda: objective.log_posterior_and_gradient(x)], 15
    )
    what = f"{name}, {x.size} parameters: function and gradient ({1e3 * value:.2f} ms a function)"
    return Row(what, both / value, "functions", BAR_COST)


def accuracy(name: str, problem: FitProblem) -> Row:
    objective = Objective(problem, rtol=TIGHT)
    gradient = objective.gradient(problem.nominal)
    table = np.array([_differences(objective, problem.nominal, h) for h in BENCHMARKS[name]])
    change = np.abs(np.diff(table, axis=0))
    best = change.argmin(axis=0)
    differences = table[1:][best, np.arange(gradient.size)]
    error = np.abs(gradient - differences).max() / np.abs(gradient).max()
    own = change.min(axis=0).max() / np.abs(gradient).max()
    what = f"{name}: gradient against differences (known to {own:.0e})"
    return Row(what, error, "relative", BAR_GRADIENT)


def _differences(objective: Objective, x: np.ndarray, h: float) -> np.ndarray:
    """Central, of fourth order."""
    unit = h * np.eye(x.size)
    points = np.concatenate([x + k * unit for k in (1, -1, 2, -2)])
    found = objective.evaluate_many(points, slopes=False)
    up, down, up2, down2 = np.array([e.log_likelihood for e in found]).reshape(4, -1)
    return (8.0 * (up - down) - (up2 - down2)) / (12.0 * h)


def multistart(file: Path, problem: FitProblem, starts: int) -> list[Row]:
    rows, costs = [], {}
    for screened in (1, SCREENED):
        begin = time.process_time()
        result = fit(problem, starts=starts, seed=SEED, screened=screened)
        seconds = time.process_time() - begin
        reached = sum(start.objective <= BOEHM_BEST for start in result.starts)
        costs[screened] = seconds
        how = (
            "from one point each" if screened == 1 else f"each from the best of {screened} points of its own"
        )
        calls = sum(start.evaluations for start in result.starts)
        rows.append(
            Row(f"Boehm, {starts} starts {how}, {calls} gradients: reach the optimum", reached / starts,
                "share", BAR_SHARE, False)
        )  # fmt: skip
        rows.append(Row(f"Boehm, {starts} starts {how}: CPU time", seconds, "s"))
    peer = pypesto(file, starts)
    if peer is not None:
        seconds, objectives = peer
        share = float(np.mean(np.array(objectives) <= BOEHM_BEST))
        rows.append(
            Row(f"Boehm, {starts} starts of pyPESTO with AMICI and Fides: reach the optimum", share, "share")
        )
        rows.append(Row("Boehm, the same: CPU time", seconds, "s"))
        rows.append(
            Row(
                "Boehm, whole multistart against pyPESTO with AMICI",
                seconds / costs[SCREENED],
                "x",
                BAR_PEER,
                False,
            )
        )
    return rows


def pypesto(file: Path, starts: int) -> tuple[float, list[float]] | None:
    """CPU seconds and objectives of the peer's multistart."""
    interpreter = os.environ.get("AMICI_PYTHON")
    if not interpreter:
        return None
    script = Path(__file__).with_name("pypesto_worker.py")
    environment = {
        **os.environ, "PATH": f"{Path(interpreter).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": "",
    }  # fmt: skip
    done = subprocess.run(
        [interpreter, str(script), str(file), str(starts), str(SEED)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("{", "refused"))]
    if not lines or lines[-1].startswith("refused"):
        print(f"  (pyPESTO with AMICI: {lines[-1] if lines else done.stderr[-300:]})")
        return None
    found = json.loads(lines[-1])
    return float(found["seconds"]), list(found["objectives"])
